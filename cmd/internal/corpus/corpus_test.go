package main

import (
	"os"
	"path/filepath"
	"testing"

	"lxcfs/cmd/internal/archive"
)

// TestWrite makes every synthetic host; that rendering from it gives what rendering from the fake kernel
// gave is checked as it is captured. Each must be one of testdata/hosts, with the caller it was kept for.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		file := "synthetic-" + h.name + ".txtar"
		made, kept := parse(t, filepath.Join(dir, file)), parse(t, filepath.Join("../../../testdata/hosts", file))
		if made.Caller != kept.Caller || made.Comment != kept.Comment || len(made.Want) != len(kept.Want) {
			t.Errorf("%s: made for process %d with %d answers, kept for %d with %d: go run ./cmd/internal/corpus testdata/hosts", file,
				made.Caller, len(made.Want), kept.Caller, len(kept.Want))
		}
	}
}

func parse(t *testing.T, name string) *archive.Archive {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
