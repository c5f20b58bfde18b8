package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"migrate/internal/localorg"
	"migrate/internal/testdb"
)

const examplesDir = "../../examples"

// TestExampleNightly: the plan of the examples does what it says, in an org and a PostgreSQL.
func TestExampleNightly(t *testing.T) {
	dir := t.TempDir()
	org, err := localorg.Open(localorg.Config{AccessToken: scriptToken})
	if err != nil {
		t.Fatal(err)
	}
	defer org.Close()
	server := httptest.NewServer(org)
	defer server.Close()
	dsn := testdb.Postgres(t)
	t.Setenv("LAKE", filepath.Join(dir, "lake"))
	t.Setenv("DWH_DSN", dsn)
	t.Setenv("MIGRATE_INSTANCE_URL", server.URL)
	t.Setenv("MIGRATE_ACCESS_TOKEN", scriptToken)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	defer db.Exec("DROP TABLE sf_contact")
	migrate := func(args ...string) string {
		t.Helper()
		var out, log strings.Builder
		args = append(args, "--state-dir", filepath.Join(dir, "state"))
		if code := run(t.Context(), args, os.LookupEnv, strings.NewReader("Name,LastName\nOne,Ng\nTwo,Ito\n"), &out, &log); code != codeOK {
			t.Fatalf("migrate %s: exit code %d\n%s%s", strings.Join(args, " "), code, &out, &log)
		}
		return out.String()
	}
	nightly := filepath.Join(examplesDir, "nightly.yaml")
	migrate("load", "-", "--object", "Account", "--unmapped", "ignore", "--map", "LastName=")
	migrate("load", "-", "--object", "Contact", "--unmapped", "ignore", "--map", "Name=")
	migrate("plan", nightly)
	migrate("run", nightly, "--resume")
	lake, err := filepath.Glob(filepath.Join(dir, "lake", "*", "dt=*", "*", "part-00000.parquet"))
	if err != nil || len(lake) != 2 {
		t.Errorf("the lake has %v (%v), want a part of accounts and one of opportunities", lake, err)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM sf_contact WHERE "LastName" IN ('Ng', 'Ito')`).Scan(&n); err != nil || n != 2 {
		t.Errorf("the table has %d contacts (%v), want 2", n, err)
	}
}

// examples gives the text of the files of a folder of examples, by name; without a folder those of all.
func examples(t *testing.T, under string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(filepath.Join(examplesDir, under), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		texts[filepath.ToSlash(strings.TrimPrefix(path, examplesDir+"/"))] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// commandsOf are the command lines of migrate in a text: words behind the name of the program, in a list of YAML, too.
func commandsOf(text string) (lines [][]string) {
	for _, m := range regexp.MustCompile("(?m)(?:^|[\\s\\[/`])migrate,? +([a-z]+\\b[^\\n>&;|`\\]]*)").FindAllStringSubmatch(text, -1) {
		words := strings.FieldsFunc(m[1], func(r rune) bool { return r == ' ' || r == ',' })
		if _, _, err := (&app{}).command().Find(words[:1]); err == nil { // else it is the user or the folder of that name
			lines = append(lines, words)
		}
	}
	return lines
}

// TestExampleCommands: each command line and each variable of the examples is one that the program understands.
func TestExampleCommands(t *testing.T) {
	t.Parallel()
	found := map[string]int{}
	for name, text := range examples(t, "") {
		for _, words := range commandsOf(text) {
			found[filepath.Dir(name)]++
			cmd, rest, err := (&app{}).command().Find(words)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: migrate %s: %v", name, strings.Join(words, " "), err)
			}
		}
		for _, variable := range regexp.MustCompile(`\bMIGRATE_[A-Z_]+`).FindAllString(text, -1) {
			secret := strings.TrimSuffix(strings.TrimSuffix(variable, "_FILE"), "_COMMAND")
			known := slices.Contains(secretVariables, secret)
			cmd, _, err := (&app{}).command().Find([]string{"run"})
			if err != nil {
				t.Fatal(err)
			}
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = known || twin(f) == variable })
			if !known {
				t.Errorf("%s: nothing reads %s", name, variable)
			}
		}
	}
	for _, dir := range []string{".", "cron", "systemd", "kubernetes"} {
		if found[dir] == 0 {
			t.Errorf("no command line is found in %s: %v", dir, found)
		}
	}
}

// exitCodes are the codes of exit.go.
func exitCodes(t *testing.T) (codes []int) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if ok && len(v.Names) == 1 && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "code") {
			lit, isLit := v.Values[0].(*ast.BasicLit)
			if n, err := strconv.Atoi(lit.Value); isLit && err == nil {
				codes = append(codes, n)
			}
		}
		return true
	})
	if len(codes) < 10 {
		t.Fatalf("only %v found", codes)
	}
	return codes
}

// told are the codes that a table in comments names, each once.
func told(text string) (codes []int) {
	for _, m := range regexp.MustCompile(`(?m)^#   (\d+(?:, \d+)*)  `).FindAllStringSubmatch(text, -1) {
		for _, word := range strings.Split(m[1], ", ") {
			n, _ := strconv.Atoi(word)
			codes = append(codes, n)
		}
	}
	slices.Sort(codes)
	return codes
}

// TestExampleExitCodes: what becomes of each exit code is told, and what the files say to systemd and Kubernetes is what they tell.
func TestExampleExitCodes(t *testing.T) {
	t.Parallel()
	all := exitCodes(t)
	service := examples(t, "systemd")["systemd/migrate-nightly.service"]
	job := examples(t, "kubernetes")["kubernetes/cronjob.yaml"]
	for name, text := range map[string]string{"systemd": service, "kubernetes": job} {
		if diff := cmp.Diff(all, told(text)); diff != "" {
			t.Errorf("%s (-exit.go +comments)\n%s", name, diff)
		}
	}
	for setting, want := range map[string]string{"RestartForceExitStatus": strconv.Itoa(codeTemporary), "SuccessExitStatus": fmt.Sprint(codeFailedRows, codeInterrupted)} {
		if !strings.Contains(service, "\n"+setting+"="+want+"\n") {
			t.Errorf("systemd: %s is not %s", setting, want)
		}
	}

	var cron struct {
		Spec struct {
			JobTemplate struct {
				Spec struct {
					PodFailurePolicy struct {
						Rules []struct {
							Action      string
							OnExitCodes struct{ Values []int } `yaml:"onExitCodes"`
						}
					} `yaml:"podFailurePolicy"`
				}
			} `yaml:"jobTemplate"`
		}
	}
	if err := yaml.Unmarshal([]byte(job), &cron); err != nil {
		t.Fatal(err)
	}
	got := map[string][]int{}
	for _, r := range cron.Spec.JobTemplate.Spec.PodFailurePolicy.Rules {
		got[r.Action] = append(got[r.Action], r.OnExitCodes.Values...)
	}
	again := []int{codeTemporary, codeInterrupted}
	want := map[string][]int{"Ignore": nil, "Count": append(again[:2:2], 137), // SIGKILL
		"FailJob": slices.DeleteFunc(slices.Clone(all), func(n int) bool { return n == codeOK || slices.Contains(again, n) })}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("podFailurePolicy (-want +got)\n%s", diff)
	}
}

// TestExampleCron: the script tries again what is temporary, passes every code on, and prints something only when somebody should look.
func TestExampleCron(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs(filepath.Join(examplesDir, "cron", "nightly.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range append(exitCodes(t), 137) {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{
				"migrate": "#!/bin/sh\necho \"$LAKE $*\" >>" + dir + "/calls\necho working\nexit " + strconv.Itoa(code) + "\n",
				"sleep":   "#!/bin/sh\n",
				"env":     "LAKE=/srv/lake\n",
			} {
				// Written by another process: a program that this one has open for writing, or a child that it forks meanwhile, cannot be started.
				write := exec.CommandContext(t.Context(), "sh", "-c", `cat >"$0" && chmod 700 "$0"`, filepath.Join(dir, name))
				write.Stdin = strings.NewReader(text)
				if out, err := write.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			cmd := exec.CommandContext(t.Context(), "sh", script)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "LOG="+dir+"/log", "ENV_FILE="+dir+"/env")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != code {
				t.Errorf("the script ends with %d", got)
			}
			if quiet := slices.Contains([]int{codeOK, codeLocked, codeInterrupted}, code); quiet != (len(out) == 0) {
				t.Errorf("it prints %q", out)
			}
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			if err != nil {
				t.Fatal(err)
			}
			tries := 1
			if code == codeTemporary {
				tries = 3
			}
			if n := strings.Count(string(calls), "/srv/lake run "); n != tries {
				t.Errorf("migrate was started %d times with the environment, want %d: %s", n, tries, calls)
			}
		})
	}
}

// TestExampleYAML: what is to be YAML is.
func TestExampleYAML(t *testing.T) {
	t.Parallel()
	n := 0
	for name, text := range examples(t, "") {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		n++
		d := yaml.NewDecoder(strings.NewReader(text))
		for {
			var v map[string]any
			err := d.DecodeContext(context.Background(), &v)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || len(v) == 0 {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
	if n < 2 {
		t.Errorf("only %d files", n)
	}
}
