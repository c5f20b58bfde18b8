package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"migrate/pkg/checkpoint"
	"migrate/pkg/pipeline"
)

func (a *app) runsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "runs",
		Short: "List the runs, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			runs, err := a.findRuns(cmd.Context())
			if err != nil {
				return err
			}
			if a.global.json {
				enc := json.NewEncoder(a.stdout)
				for _, r := range runs {
					line := map[string]any{"message_type": "run", "run": filepath.Base(r.dir), "folder": r.dir, "state": r.run.State,
						"created": r.run.Created, "command": r.run.Command, "message": r.run.Message, "parent": parentOf(r)}
					if r.err != nil {
						line["error"] = r.err.Error()
					}
					if err := enc.Encode(line); err != nil {
						return err
					}
				}
				return nil
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "RUN\tSTATE\tBEGUN\tRETRY OF\tFOLDER")
			for _, r := range runs {
				state, begun := string(r.run.State), ""
				if r.err != nil {
					state = r.err.Error()
				} else {
					begun = r.run.Created.Local().Format("2006-01-02 15:04:05")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", filepath.Base(r.dir), state, begun, parentOf(r), r.dir)
			}
			return w.Flush()
		},
	}
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [RUN]",
		Short: "Show where a run stands (default: the newest)",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := a.pickRun(cmd.Context(), args, func(checkpoint.Run) bool { return true }, "")
			if err != nil {
				return err
			}
			store, err := checkpoint.OpenReadOnly(cmd.Context(), info.dir)
			if err != nil {
				return err
			}
			defer store.Close()
			sum, err := pipeline.Summarize(cmd.Context(), store)
			if err != nil {
				return err
			}
			out := a.output(statsFlag{})
			out.status(info.dir, sum)
			return out.lineage(cmd.Context(), info)
		},
	}
}
