// Package idmap remembers which record of the org came from which record of a source, so that other records can point to it.
//
// A Map is one SQLite file for all runs that share a state folder; users may query it. An entry says: in this org, the row
// with this source id, loaded by this job, became the record with this Id. A run works on the map through a View. What a run
// sees does not change under it: entries of other runs count only if they were there when the run began, so that a run
// that is resumed reads the same parents as before; what it put in itself it sees at once.
//
//	row of a result ──Put(job, source id, Id)──▶ ids.db ──Find(job, source id)──▶ lookup of a child
//
// Put is safe to repeat: a chunk that is settled again after a crash puts the same entries. Entries are durable when Put
// returns. Memory is bounded whatever the number of entries.
//
// A Lookup is another file, of one run: records that were in the org already, by the value of one of their fields.
package idmap
