package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"migrate/pkg/checkpoint"
)

// defaultStateDir holds the run folders, beside the plan or in the working folder.
const defaultStateDir = ".migrate"

// runsDirName is the folder of the run folders in a state folder.
const runsDirName = "runs"

// stateDir is where the runs lie; plan is the path of a plan file, or empty.
func (a *app) stateDir(plan string) string {
	if a.global.stateDir != "" {
		return a.global.stateDir
	}
	if plan != "" {
		return filepath.Join(filepath.Dir(plan), defaultStateDir)
	}
	return defaultStateDir
}

// runTimeForm begins the names of run folders.
const runTimeForm = "20060102-1504"

// newRunFolder makes an empty run folder named by the time and what is loaded.
func newRunFolder(state, name string, now time.Time) (string, error) {
	runs := filepath.Join(state, runsDirName)
	err := os.MkdirAll(runs, 0o700)
	if errors.Is(err, syscall.ENOTDIR) || readOnly(err) {
		return "", usagef("%s cannot hold run folders: %w; name another folder with --state-dir", state, err)
	}
	if err != nil {
		return "", fmt.Errorf("make the state folder: %w", err)
	}
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	base := now.Format(runTimeForm) + "-" + name
	for n := 1; ; n++ {
		dir := filepath.Join(runs, base)
		if n > 1 {
			dir += fmt.Sprintf("-%d", n)
		}
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("make the run folder: %w", err)
		}
		return dir, nil
	}
}

// beginning is when the run of a new folder began: now, or right behind the newest run there is, where the clock has gone back since. So the
// newest run is the one that was begun last.
func beginning(ctx context.Context, dir string, now time.Time) time.Time {
	entries, _ := os.ReadDir(filepath.Dir(dir))
	recent := now.Add(-26 * time.Hour).Format(runTimeForm) // names bear the local time, of any zone
	for _, e := range entries {
		if e.Name() < recent || e.Name() == filepath.Base(dir) {
			continue
		}
		if other := readRunInfo(ctx, filepath.Join(filepath.Dir(dir), e.Name())); other.err == nil && !other.run.Created.Before(now) {
			now = other.run.Created.Add(1)
		}
	}
	return now
}

// runInfo is a run folder with what its checkpoint says.
type runInfo struct {
	dir string
	run checkpoint.Run
	err error // why the checkpoint cannot be read
}

// findRuns lists the runs of the state folders that are looked through, the newest first.
func (a *app) findRuns(ctx context.Context) ([]runInfo, error) {
	return runsIn(ctx, a.stateDirs()...)
}

// runsIn lists the runs of state folders, the newest first.
func runsIn(ctx context.Context, states ...string) ([]runInfo, error) {
	var list []runInfo
	for _, state := range states {
		entries, err := os.ReadDir(filepath.Join(state, runsDirName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() {
				list = append(list, readRunInfo(ctx, filepath.Join(state, runsDirName, e.Name())))
			}
		}
	}
	slices.SortFunc(list, func(x, y runInfo) int {
		if c := y.run.Created.Compare(x.run.Created); c != 0 {
			return c
		}
		return strings.Compare(y.dir, x.dir)
	})
	return list, nil
}

// stateDirs are the folders in which runs are looked for: the one that is named, else .migrate in the working folder and
// in the folders below testdata or beside a plan, one level of search being enough for the places that we put them.
func (a *app) stateDirs() []string {
	if a.global.stateDir != "" {
		return []string{a.global.stateDir}
	}
	dirs := []string{defaultStateDir}
	for _, pattern := range []string{filepath.Join("*", defaultStateDir), filepath.Join("*", "*", defaultStateDir)} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	return dirs
}

func readRunInfo(ctx context.Context, dir string) runInfo {
	info := runInfo{dir: dir}
	s, err := checkpoint.OpenReadOnly(ctx, dir)
	if err != nil {
		info.err = err
		return info
	}
	defer s.Close()
	info.run, info.err = s.Run(ctx)
	return info
}

// pickRun finds the run that the user means: a folder, a name, the beginning of a name; with no argument the newest that
// want accepts.
func (a *app) pickRun(ctx context.Context, args []string, want func(checkpoint.Run) bool, what string) (runInfo, error) {
	if len(args) > 0 {
		if _, err := os.Stat(filepath.Join(args[0], checkpoint.FileName)); err == nil {
			info := readRunInfo(ctx, filepath.Clean(args[0]))
			return info, info.err
		}
	}
	runs, err := a.findRuns(ctx)
	if err != nil {
		return runInfo{}, err
	}
	var found []runInfo
	for _, r := range runs {
		if len(args) == 0 && r.err != nil && !errors.Is(r.err, checkpoint.ErrNotFound) {
			return r, fmt.Errorf("which run is meant cannot be told, since %s cannot be read; name the run that you mean, or put that folder elsewhere: %w", r.dir, r.err)
		}
	}
	for _, r := range runs {
		switch {
		case len(args) == 0:
			if r.err == nil && want(r.run) {
				return r, nil
			}
		case filepath.Base(r.dir) == args[0]:
			return r, r.err
		case strings.HasPrefix(filepath.Base(r.dir), args[0]):
			found = append(found, r)
		}
	}
	switch {
	case len(args) == 0:
		return runInfo{}, usagef("there is no %s in %s", strings.TrimSpace(what+" run"), strings.Join(a.stateDirs(), ", "))
	case len(found) == 0:
		return runInfo{}, usagef("there is no run %q in %s; %s runs lists them", args[0], strings.Join(a.stateDirs(), ", "), invocation())
	case len(found) > 1:
		return runInfo{}, usagef("%q fits %d runs, %s and %s among them; give more of the name", args[0], len(found),
			filepath.Base(found[0].dir), filepath.Base(found[1].dir))
	}
	return found[0], found[0].err
}

// shellWord quotes a word of a printed command where a shell would take it apart.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 0x80 || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune(`_-+=.,:/\@%`, r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// writeWhole writes a file that is there whole or not at all, for its owner's eyes only.
func writeWhole(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // made with 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
