package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// twin is the variable that stands for a flag.
func twin(f *pflag.Flag) string {
	return "MIGRATE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
}

// testValues are two values of each type of flag that are no defaults.
var testValues = map[string][2]string{
	"string": {"one", "two"}, "int": {"71", "72"}, "int64": {"71", "72"}, "uint64": {"71", "72"}, "bool": {"true", "false"},
	"duration": {"71h0m0s", "72h0m0s"}, "stringArray": {"a=b", "c=d"}, "stringSlice": {"a=b", "c=d"}, "N|N%": {"71", "7.5%"},
}

// eachFlag calls check with every flag of every command, each time of a program of its own, whose environment is env.
func eachFlag(t *testing.T, check func(t *testing.T, a *app, cmd *cobra.Command, name string, env map[string]string)) {
	t.Helper()
	type flag struct {
		path []string
		name string
	}
	var all []flag
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		if cmd.RunE != nil {
			cmd.InheritedFlags() // merges those of the parents
			cmd.Flags().VisitAll(func(f *pflag.Flag) { all = append(all, flag{path, f.Name}) })
		}
		for _, sub := range cmd.Commands() {
			walk(sub, append(path[:len(path):len(path)], sub.Name()))
		}
	}
	walk((&app{}).command(), nil)
	if len(all) < 50 {
		t.Fatalf("only %d flags found", len(all))
	}
	for _, f := range all {
		t.Run(strings.Join(f.path, " ")+" --"+f.name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{}
			a := &app{stdout: io.Discard, stderr: io.Discard, env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
			cmd, _, err := a.command().Find(f.path)
			if err != nil {
				t.Fatal(err)
			}
			check(t, a, cmd, f.name, env)
		})
	}
}

func TestEveryFlagHasATwinInTheEnvironment(t *testing.T) {
	t.Parallel()
	eachFlag(t, func(t *testing.T, a *app, cmd *cobra.Command, name string, env map[string]string) {
		if err := cmd.ParseFlags(nil); err != nil {
			t.Fatal(err)
		}
		f := cmd.Flags().Lookup(name)
		values, ok := testValues[f.Value.Type()]
		if !ok {
			t.Fatalf("no test value for type %s", f.Value.Type())
		}
		env[twin(f)] = values[0]
		if list, ok := f.Value.(pflag.SliceValue); ok {
			env[twin(f)] = values[0] + "\n" + values[1] + "\n"
			if err := a.fromEnvironment(cmd); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(values[:], list.GetSlice()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", twin(f), diff)
			}
			return
		}
		if err := a.fromEnvironment(cmd); err != nil {
			t.Fatal(err)
		}
		if got := f.Value.String(); got != values[0] {
			t.Errorf("%s=%s gives %q", twin(f), values[0], got)
		}
	})
}

func TestFlagBeatsEnvironment(t *testing.T) {
	t.Parallel()
	eachFlag(t, func(t *testing.T, a *app, cmd *cobra.Command, name string, env map[string]string) {
		typ := flagOf(t, cmd, name).Value.Type()
		if err := cmd.ParseFlags([]string{"--" + name + "=" + testValues[typ][1]}); err != nil {
			t.Fatal(err)
		}
		f := cmd.Flags().Lookup(name)
		want := f.Value.String()
		env[twin(f)] = testValues[typ][0]
		if err := a.fromEnvironment(cmd); err != nil {
			t.Fatal(err)
		}
		if got := f.Value.String(); got != want {
			t.Errorf("--%s=%s with %s=%s gives %q", name, want, twin(f), testValues[typ][0], got)
		}
	})
}

func TestBadEnvironmentIsAUsageError(t *testing.T) {
	t.Parallel()
	eachFlag(t, func(t *testing.T, a *app, cmd *cobra.Command, name string, env map[string]string) {
		if err := cmd.ParseFlags(nil); err != nil {
			t.Fatal(err)
		}
		f := flagOf(t, cmd, name)
		switch f.Value.Type() {
		case "string", "stringArray", "stringSlice":
			return // any text is one
		}
		env[twin(f)] = "no value of any type"
		err := a.fromEnvironment(cmd)
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), twin(f)) {
			t.Errorf("got %v, want a usage error that names %s", err, twin(f))
		}
	})
}

func flagOf(t *testing.T, cmd *cobra.Command, name string) *pflag.Flag {
	t.Helper()
	f := cmd.Flags().Lookup(name)
	if f == nil {
		f = cmd.InheritedFlags().Lookup(name)
	}
	if f == nil {
		t.Fatalf("%s has no flag --%s", cmd.CommandPath(), name)
	}
	return f
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ in, want string }{
		{".migrate/runs/20261124-0342-accounts", ".migrate/runs/20261124-0342-accounts"},
		{"my state", "'my state'"},
		{"O'Hara", `'O'\''Hara'`},
		{"a;b", "'a;b'"},
		{"$HOME", "'$HOME'"},
		{"~x", "'~x'"},
		{"", "''"},
		{"Köln", "Köln"},
	} {
		if got := shellWord(tc.in); got != tc.want {
			t.Errorf("shellWord(%q) = %s, want %s", tc.in, got, tc.want)
		}
	}
}
