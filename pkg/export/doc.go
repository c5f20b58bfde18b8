// Package export makes a copy of records of an org, in files or in a table, and keeps it up to date: from one run to the next it remembers how far
// it has come (mark.go), which rows of the overlap it has had (seen.go), and the ids of all that it has exported (ids.go).
//
// A Copy takes the rows of one run and publishes in this order: what is written and what is deleted, the manifest, and last of all the mark.
// A crash before the mark has moved leaves a run that publishes the same again; nobody else may begin from the old mark meanwhile, since what he
// published would be there twice. So a Copy whose mark was moved by another run is overtaken, and publishes nothing.
package export
