package sinks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ExistsError says that something stands where an export should go. errors.Is finds fs.ErrExist in it.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("%s is there already; move it away, export to another place, or say that it may be overwritten", e.Path)
}

func (e *ExistsError) Unwrap() error { return fs.ErrExist }

// target is the place of an export on the disk, held against other processes.
type target struct {
	path   string // of the file or the folder
	named  func(part int) string
	dir    string // the folder that the files are in
	folder bool
	made   bool // the folder was made by this process
	lock   *os.File
}

// partName matches the names of the files in a folder, of whatever format.
var partName = regexp.MustCompile(`^part-[0-9]{5,}\.(` + strings.Join(extensions, "|") + `)$`)

func newTarget(path, ext string) *target {
	t := &target{path: path, folder: isFolder(path), named: func(int) string { return path }}
	if t.folder {
		t.named = func(part int) string { return path + fmt.Sprintf("part-%05d.%s", part, ext) }
	}
	return t
}

// openTarget locks the place of an export and clears it of what dead processes have left. Fresh says that nothing may stand there.
func openTarget(path, ext string, fresh bool) (*target, error) {
	if path == "" {
		return nil, errors.New("no path is given")
	}
	t := newTarget(path, ext)
	find := t.findFile
	if t.folder {
		find = t.makeFolder
	}
	err := find()
	if err != nil {
		return nil, err
	}
	if t.lock, err = lockTarget(t.lockPath()); err == nil {
		err = t.clear(fresh)
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *target) clear(fresh bool) error {
	standing, drafts, err := t.look()
	if err != nil {
		return err
	}
	if fresh && len(standing) > 0 {
		return &ExistsError{Path: t.beside(standing[0])}
	}
	for _, name := range drafts {
		if err := os.Remove(filepath.Join(t.dir, name)); err != nil {
			return fmt.Errorf("remove what an export that was killed has left: %w", err)
		}
	}
	return nil
}

// beside is the path of another file of the target, as the user has it.
func (t *target) beside(name string) string { return filepath.Join(filepath.Dir(t.named(0)), name) }

func (t *target) makeFolder() error {
	t.dir = filepath.Clean(t.path)
	_, err := os.Lstat(t.dir)
	t.made = errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return fmt.Errorf("the folder cannot be made: %w", err)
	}
	return nil
}

// findFile follows the path of a single file to its folder. A link is followed: what it leads to is what is written.
func (t *target) findFile() error {
	info, err := os.Lstat(t.path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if t.path, err = filepath.EvalSymlinks(t.path); err != nil {
			return fmt.Errorf("it is a link that leads nowhere: %w", err)
		}
		info, err = os.Lstat(t.path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("it is a folder; write a slash behind it to have files made in it")
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is no ordinary file; an export needs one that can be put in place whole")
	}
	t.dir = filepath.Dir(t.path)
	if _, err := os.Stat(t.dir); err != nil {
		return fmt.Errorf("its folder cannot be used: %w", err)
	}
	return nil
}

// draft is the final path of a file.
func (t *target) draft(part int) string {
	if !t.folder {
		return t.path
	}
	return filepath.Join(t.dir, filepath.Base(t.named(part)))
}

func (t *target) lockPath() string {
	name := "part"
	if !t.folder {
		name = filepath.Base(t.path)
	}
	return filepath.Join(t.dir, "."+name+draftSuffix+".lock")
}

// look lists what stands there of earlier exports: files and manifests by their names, the manifest last, and drafts.
func (t *target) look() (standing, drafts []string, err error) {
	if !t.folder {
		for _, path := range []string{t.path, manifestOf(t.path)} {
			if _, err := os.Lstat(path); err == nil {
				standing = append(standing, filepath.Base(path))
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, nil, err
			}
			if _, err := os.Lstat(draftOf(path)); err == nil {
				drafts = append(drafts, filepath.Base(draftOf(path)))
			}
		}
		return standing, drafts, nil
	}
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return nil, nil, err
	}
	manifest := false
	for _, e := range entries {
		name := e.Name()
		final, hidden := strings.CutSuffix(strings.TrimPrefix(name, "."), draftSuffix)
		switch {
		case name == manifestName:
			manifest = true
		case partName.MatchString(name):
			standing = append(standing, name)
		case hidden && name[0] == '.' && (final == manifestName || partName.MatchString(final)):
			drafts = append(drafts, name)
		}
	}
	if manifest {
		standing = append(standing, manifestName)
	}
	return standing, drafts, nil
}

// publish puts the files in place: first everything is looked at, so that what is in the way is found before anything is moved.
func (t *target) publish(parts []*draft, overwrite bool) error {
	standing, _, err := t.look()
	if err != nil {
		return err
	}
	own := map[string]*draft{}
	missing := 0
	for _, d := range parts {
		own[filepath.Base(d.path)] = d
		if !d.placed {
			missing++
		}
	}
	var gone []string // what belongs to an earlier export and not to this
	manifest := ""
	for _, name := range standing {
		d := own[name]
		switch {
		case name == filepath.Base(manifestOf(t.path)):
			manifest = name
		case d == nil && overwrite:
			gone = append(gone, name)
		case d == nil:
			return &ExistsError{Path: t.beside(name)}
		case d.placed:
		default:
			if d.placed, err = d.there(); err != nil {
				return err
			}
			if d.placed {
				missing--
			} else if !overwrite {
				return &ExistsError{Path: d.named}
			}
		}
	}
	if manifest != "" && (missing > 0 || len(gone) > 0) {
		// It tells of other files than those that will be here.
		if !overwrite {
			return &ExistsError{Path: t.beside(manifest)}
		}
		if err := os.Remove(filepath.Join(t.dir, manifest)); err != nil {
			return err
		}
		if err := syncFolder(t.dir); err != nil {
			return err
		}
	}
	for _, d := range parts {
		if err := d.place(overwrite); err != nil {
			return err
		}
	}
	for _, name := range gone {
		if err := os.Remove(filepath.Join(t.dir, name)); err != nil {
			return err
		}
	}
	if t.made {
		if err := syncFolder(filepath.Dir(t.dir)); err != nil {
			return err
		}
	}
	return syncFolder(t.dir)
}

// close lets others have the place. A folder that was made and stayed empty goes.
func (t *target) close() error {
	err := unlockTarget(t.lock)
	if t.made {
		os.Remove(t.dir) // which it refuses unless it is empty
	}
	return err
}
