// Package conformance holds the local org against clients that Salesforce's users have today: the Salesforce CLI and
// jsforce. They know nothing of this project, so where one of them stumbles, the local org is wrong. The files of exports are held against
// DuckDB in the same way.
//
// The tests need npm. They install the clients into a temporary folder, which takes about a minute, build the command
// and serve the local org from it, as a user would. make conformance runs them; go test alone passes them by.
package conformance
