package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// README's limits are the questions that a container was seen to answer wrongly.
func TestReadmeListsLimits(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n## Limits\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	_, table, found := strings.Cut(section, "\n| program")
	if !found {
		t.Fatal("README.md has no table of limits")
	}
	table, _, _ = strings.Cut("| program"+table, "\n\n")
	if diff := cmp.Diff(limits(), strings.TrimSuffix(table, "\n")+"\n"); diff != "" {
		t.Errorf("README.md's limits (-questions.go +README.md):\n%s", diff)
	}
}
