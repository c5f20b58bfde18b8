// Package benchmarks measures whole runs: the command in a process of its own, against a local org in another one, beside other clients and
// beside the least that any client has to do, which is the program in limit/. README.md says how to read the table that TestTable prints.
package benchmarks
