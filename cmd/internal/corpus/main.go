// Corpus writes the synthetic hosts of testdata/hosts: machines nobody has at hand, made by the fake
// kernel and captured as a real one would be.
//
//	go run ./cmd/internal/corpus testdata/hosts
//
// The captured ones come from scripts/corpus.sh.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "corpus: one directory wanted, such as testdata/hosts")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "corpus: %v\n", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	for _, h := range hosts {
		a, err := h.archive()
		if err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "synthetic-"+h.name+".txtar"), a.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
