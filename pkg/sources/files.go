package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Expand turns patterns (* ? [a-z], as the shell has them; no **) into the names of files. The files of each pattern are
// sorted by name, the patterns stay in their order, and a file that several of them find stands once, where it came first.
// Folders are passed over. A pattern without a file is an error, since it is more likely a slip than meant. What is the name
// of a file is that file, whatever characters are in it.
func Expand(patterns []string) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	add := func(path string) {
		if key := filepath.Clean(path); !seen[key] {
			seen[key] = true
			files = append(files, path)
		}
	}
	for _, p := range patterns {
		if _, err := os.Lstat(p); err == nil {
			add(p)
			continue
		}
		found, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("%s is not a pattern: %w; a [ that is meant as such is written [[]", p, err)
		}
		slices.Sort(found)
		n := 0
		for _, path := range found {
			st, err := os.Stat(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s: it is a link to a file that is not there", path)
			}
			if err != nil {
				return nil, err
			}
			if !st.IsDir() {
				n++
				add(path)
			}
		}
		switch {
		case n > 0:
		case len(found) > 0:
			return nil, fmt.Errorf("%s: there are only folders of that name; name the files in them, as in %s", p, filepath.Join(p, "*"))
		case hasMeta(p):
			return nil, fmt.Errorf("%s: there is no file of that name; look at the pattern and the folder", p)
		default:
			return nil, fmt.Errorf("%s: %w", p, fs.ErrNotExist)
		}
	}
	return files, nil
}

func hasMeta(p string) bool {
	for _, c := range p {
		if c == '*' || c == '?' || c == '[' {
			return true
		}
	}
	return false
}

// distinctFiles refuses an empty list, and one in which a file is named twice.
func distinctFiles(paths []string) error {
	if len(paths) == 0 {
		return fmt.Errorf("no file was named")
	}
	var seen []os.FileInfo
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		if j := slices.IndexFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, st) }); j >= 0 {
			return fmt.Errorf("%s is the same file as %s; name it once", path, paths[j])
		}
		seen = append(seen, st)
	}
	return nil
}

// named gives a split of the file at path the name that it has in messages and reports.
func named(path string, names map[string]string) (name, file string) {
	if name := names[path]; name != "" {
		return name, path
	}
	return path, ""
}

// disk is where the file of the split lies.
func (s Split) disk() string {
	if s.File != "" {
		return s.File
	}
	return s.Path
}
