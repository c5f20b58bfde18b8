package sources

import (
	"fmt"
	"os"
	"slices"
)

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
