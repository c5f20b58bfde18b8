package datagen_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"migrate/internal/datagen"
)

var update = flag.Bool("update", false, "rewrite the sample data in testdata")

// sampleSeed is the seed of the files in testdata.
const sampleSeed = 1912

// TestSamples holds the committed sample data to what the generator writes.
func TestSamples(t *testing.T) {
	t.Parallel()
	for folder, generate := range map[string]func(uint64) ([]datagen.File, error){
		"crm":        datagen.CRM,
		"crm-broken": datagen.BrokenCRM,
	} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			files, err := generate(sampleSeed)
			if err != nil {
				t.Fatal(err)
			}
			known := map[string]bool{"migrate.yaml": true, "README.md": true}
			for _, f := range files {
				known[f.Name] = true
				path := filepath.Join("../../testdata", folder, f.Name)
				if *update {
					if err := os.WriteFile(path, f.Data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				got, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, f.Data) {
					t.Errorf("%s is not what the generator writes; if the generator is right, run go test ./internal/datagen -run TestSamples -update", path)
				}
			}
			entries, err := os.ReadDir(filepath.Join("../../testdata", folder))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if !known[e.Name()] {
					t.Errorf("testdata/%s/%s: nothing writes this file", folder, e.Name())
				}
			}
		})
	}
}
