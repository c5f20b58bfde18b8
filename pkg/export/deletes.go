package export

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"migrate/pkg/sinks"
)

// Why a record is among the deletes.
const (
	Binned   = "deleted"  // it is in the recycle bin
	Vanished = "vanished" // the org does not have it any more, or it does not fit the condition any more
)

// DeletesFile is where the deletes of an export to files go: in its folder, or beside its file.
func DeletesFile(target string) string {
	if strings.HasSuffix(target, "/") {
		return target + "deletes.csv"
	}
	return target + ".deletes.csv"
}

var deletesSchema = arrow.NewSchema([]arrow.Field{
	{Name: "Id", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "Stamp", Type: arrow.BinaryTypes.String, Nullable: true}, // as the org writes it; null of a record that has vanished
	{Name: "Reason", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

// deleter takes the ids of records that are gone.
type deleter interface {
	add(ctx context.Context, id, stamp []byte, reason string) error
	// flush hands on what is left; it comes before the rows are published.
	flush(ctx context.Context) error
	// publish comes behind them. The file is nil where there is none.
	publish(ctx context.Context) (*sinks.File, error)
	close() error
}

// deletesFile writes them to a file, which is there also when there are none.
type deletesFile struct{ *listing }

func (d deletesFile) add(ctx context.Context, id, stamp []byte, reason string) error {
	d.text(0, id)
	d.text(1, stamp)
	d.text(2, []byte(reason))
	return d.end(ctx)
}

// table is a sink that can delete by key.
type table interface {
	Delete(ctx context.Context, keys []string) error
	Deleted() int64
}

// deletesTable deletes them from the table that the rows go into.
type deletesTable struct {
	table
	keys []string
}

func (d *deletesTable) add(ctx context.Context, id, _ []byte, _ string) error {
	if d.keys = append(d.keys, string(id)); len(d.keys) < listingBatch {
		return nil
	}
	return d.flush(ctx)
}

func (d *deletesTable) flush(ctx context.Context) error {
	keys := d.keys
	d.keys = d.keys[:0]
	return d.Delete(ctx, keys)
}

func (d *deletesTable) publish(context.Context) (*sinks.File, error) { return nil, nil }
func (d *deletesTable) close() error                                 { return nil }

// noDeletes is for a table whose rows are replaced: what is gone is not among them.
type noDeletes struct{}

func (noDeletes) add(context.Context, []byte, []byte, string) error { return nil }
func (noDeletes) flush(context.Context) error                       { return nil }
func (noDeletes) publish(context.Context) (*sinks.File, error)      { return nil, nil }
func (noDeletes) close() error                                      { return nil }

// openDeletes chooses by the target. path is that of files, "" for a table.
func openDeletes(i *Increment, path string, sink sinks.Sink) (deleter, error) {
	t, isTable := sink.(table)
	switch {
	case i == nil || !i.Deletes, isTable && i.Whole():
		return noDeletes{}, nil
	case isTable:
		return &deletesTable{table: t}, nil
	case path == "":
		return nil, errors.New("a sink that is neither files nor a table takes no deletes")
	}
	l, err := openListing(sinks.FileOptions{Path: DeletesFile(path), Overwrite: true}, deletesSchema)
	if err != nil {
		return nil, fmt.Errorf("deletes: %w", err)
	}
	return deletesFile{l}, nil
}
