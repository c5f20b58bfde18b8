package sinks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// manifestName is the name of the manifest in a folder.
const manifestName = "manifest.json"

// manifestOf is the path of the manifest of a target: in a folder, or beside a single file.
func manifestOf(path string) string {
	if isFolder(path) {
		return filepath.Join(path, manifestName)
	}
	return path + "." + manifestName
}

// followed is a target as its sink has it: beside the file that a link leads to, not beside the link.
func followed(target string) string {
	if real, err := filepath.EvalSymlinks(target); err == nil && !isFolder(target) {
		return real
	}
	return target
}

// WriteManifest writes the manifest of what was published to a target, the path that its sink was opened with: manifest.json in a folder,
// NAME.manifest.json beside a file. It is called after Publish; the manifest appears whole, replaces one that stands there, and is durable
// when this returns.
func WriteManifest(target string, m Manifest) error {
	path := manifestOf(followed(target))
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("manifest of %s: %w", target, err)
	}
	if err := writeWhole(path, append(text, '\n')); err != nil {
		return fmt.Errorf("manifest of %s: %w; the files of the export are in place", target, err)
	}
	return nil
}

func writeWhole(path string, data []byte) (err error) {
	d, err := openDraft(path, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.discard()) }()
	if _, err := d.Write(data); err != nil {
		return err
	}
	if err := d.finish(); err != nil {
		return err
	}
	if err := d.place(true); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// ReadManifest reads the manifest of a target. Where none stands, the export is not complete: errors.Is finds fs.ErrNotExist then.
func ReadManifest(target string) (m Manifest, err error) {
	path := manifestOf(followed(target))
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s has no manifest, so it is not known to be complete: %w", target, err)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s is damaged: %w; export again", path, err)
	}
	if m.Version != 1 {
		return m, fmt.Errorf("%s is of version %d, and this program knows version 1; use the program that wrote it", path, m.Version)
	}
	return m, nil
}
