package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"migrate/pkg/salesforce"
)

func (a *app) describeCommand() *cobra.Command {
	var (
		org      orgSpec
		snapshot string
		what     describeWhat
	)
	cmd := &cobra.Command{
		Use:   "describe OBJECT…",
		Short: "Show the fields of objects, or keep what the org says about them for rehearsals",
		Long: "Show the fields of objects as a table, or with --json the org's own describe, one object a line.\n" +
			"With --snapshot, the org's own describe is written instead, byte for byte, one file OBJECT.json for each object.\n" +
			"migrate rehearse and migrate org serve --schema build a local org from such a folder. They can check a lookup only\n" +
			"when the object that it points to is there, too: --related takes those along.",
		Example: "  migrate describe Account --instance-url https://acme.my.salesforce.com\n" +
			"  migrate describe Account Contact --related --snapshot snapshots --instance-url https://acme.my.salesforce.com",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch what.objects = args; {
			case what.all && len(args) > 0:
				return usagef("either objects or --all")
			case what.all && snapshot == "":
				return usagef("--all needs --snapshot: the folder for the describes")
			case !what.all && len(args) == 0:
				return usagef("which object? such as Account, or --all with --snapshot")
			}
			conn, err := a.connect(cmd.Context(), org, "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, conn.Close()) }()
			list, err := what.read(cmd.Context(), conn.Client, a.warn)
			if err != nil {
				return err
			}
			if snapshot == "" {
				return a.showDescribes(list)
			}
			return a.writeSnapshots(snapshot, list)
		},
	}
	f := cmd.Flags()
	f.StringVar(&snapshot, "snapshot", "", "folder for the describes, made if need be; files in it are replaced")
	f.BoolVar(&what.all, "all", false, "all objects of the org that have records of their own; hundreds, one call each")
	f.BoolVar(&what.related, "related", false, fmt.Sprintf("also the objects that writable lookups of these point to, one step away; not for lookups to more than %d objects", manyParents))
	org.add(cmd)
	return cmd
}

// describer asks the org once for each object.
func describer(ctx context.Context, client *salesforce.Client) func(object string) (*salesforce.SObject, error) {
	known := map[string]*salesforce.SObject{}
	return func(object string) (*salesforce.SObject, error) {
		key := strings.ToLower(object)
		if o, ok := known[key]; ok {
			return o, nil
		}
		o, err := client.Describe(ctx, object)
		if err == nil {
			known[key] = o
		}
		return o, err
	}
}

// describeWhat says which objects are wanted.
type describeWhat struct {
	objects      []string
	all, related bool
}

// described is what the org says about an object.
type described struct {
	*salesforce.SObject
	raw []byte
}

// read describes the objects, in the order in which they were asked for, then the related ones by name.
func (w describeWhat) read(ctx context.Context, client *salesforce.Client, warn func(string)) ([]described, error) {
	names := w.objects
	if w.all {
		objects, err := client.SObjects(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if o.KeyPrefix != "" {
				names = append(names, o.Name)
			}
		}
	}
	list, err := describeEach(ctx, client, distinct(names), nil)
	if err != nil || !w.related || w.all {
		return list, err
	}
	var parents []string
	for _, d := range list {
		for _, f := range d.Fields {
			if (f.Createable || f.Updateable) && len(f.ReferenceTo) <= manyParents {
				parents = append(parents, f.ReferenceTo...)
			}
		}
	}
	slices.Sort(parents)
	parents = slices.DeleteFunc(distinct(parents), func(name string) bool {
		return slices.ContainsFunc(list, func(d described) bool { return strings.EqualFold(d.Name, name) })
	})
	more, err := describeEach(ctx, client, parents, warn)
	return append(list, more...), err
}

// distinct leaves out the names that are there already, in any case of letters.
func distinct(names []string) []string {
	var list []string
	seen := map[string]bool{}
	for _, n := range names {
		if key := strings.ToLower(n); !seen[key] {
			seen[key] = true
			list = append(list, n)
		}
	}
	return list
}

const (
	manyParents     = 10
	describesAtOnce = 5 // far below the 25 long requests that an org takes at once
)

// describeEach describes objects by name. One that the org does not show is an error, or, with warn, passed over and told.
func describeEach(ctx context.Context, client *salesforce.Client, names []string, warn func(string)) ([]described, error) {
	list := make([]described, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(describesAtOnce)
	for i, name := range names {
		g.Go(func() error {
			o, raw, err := client.DescribeRaw(ctx, name)
			var api *salesforce.APIError
			switch hidden := errors.As(err, &api) && api.Status == http.StatusNotFound; {
			case hidden && warn != nil:
				warn(err.Error())
				return nil
			case hidden:
				return &usageError{err: err}
			}
			list[i] = described{o, raw}
			return err
		})
	}
	err := g.Wait()
	return slices.DeleteFunc(list, func(d described) bool { return d.SObject == nil }), err
}

// writeSnapshots writes one file for each object.
func (a *app) writeSnapshots(dir string, list []described) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return usagef("--snapshot: %w", err)
	}
	for _, d := range list {
		path := filepath.Join(dir, d.Name+".json")
		if err := writeWhole(path, d.raw); err != nil {
			return fmt.Errorf("write the snapshot of %s: %w", d.Name, err)
		}
		if a.global.json {
			newJSONLines(a.stdout, 0).write("snapshot", map[string]any{"object": d.Name, "file": path, "fields": len(d.Fields)})
		}
	}
	if !a.global.json {
		fmt.Fprintf(a.stdout, "%s in %s\n", count(int64(len(list)), "snapshot"), dir)
	}
	return nil
}

// showDescribes prints the fields of the objects.
func (a *app) showDescribes(list []described) error {
	for i, d := range list {
		if a.global.json {
			var line bytes.Buffer
			if err := json.Compact(&line, d.raw); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s\n", &line)
			continue
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		fmt.Fprintf(a.stdout, "%s (%s), %s\n", d.Name, d.Label, count(int64(len(d.Fields)), "field"))
		t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "field\ttype\tlength\trequired\twritable\tkey\trefers to")
		for _, f := range d.Fields {
			required := ""
			if f.Required() && f.Type != "boolean" {
				required = "yes"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.Type, fieldLength(f), required, fieldWritable(f), fieldKey(f), strings.Join(f.ReferenceTo, " "))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func fieldLength(f salesforce.Field) string {
	switch {
	case f.Precision > 0:
		return fmt.Sprintf("%d,%d", f.Precision, f.Scale)
	case f.Length > 0:
		return fmt.Sprint(f.Length)
	case f.Digits > 0:
		return fmt.Sprint(f.Digits)
	}
	return ""
}

func fieldWritable(f salesforce.Field) string {
	switch {
	case f.Createable && f.Updateable:
		return "yes"
	case f.Createable:
		return "on insert"
	case f.Updateable:
		return "on update"
	}
	return "no"
}

// fieldKey says whether records can be found by the field, in an upsert or by a column of a child.
func fieldKey(f salesforce.Field) string {
	var words []string
	if f.ExternalID {
		words = append(words, "external id")
	} else if f.IDLookup {
		words = append(words, "lookup")
	}
	if f.Unique {
		words = append(words, "unique")
	}
	return strings.Join(words, ", ")
}
