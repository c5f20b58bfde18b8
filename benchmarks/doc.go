// Package benchmarks measures whole loads: the command in a process of its own, against a local org in another one. It has
// no code, only tests and benchmarks; README.md says how to read them.
package benchmarks
