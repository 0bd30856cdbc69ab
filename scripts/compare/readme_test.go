package compare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// README's section holds the table, every row of which a comparison must have shown.
func TestReadmeListsDeviations(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n## Deviations from LXCFS\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	if _, table, found := strings.Cut(section, "\n| #"); !found {
		t.Error("README.md has no table of deviations")
	} else if diff := cmp.Diff(Table(), "| #"+table); diff != "" {
		t.Errorf("README.md's deviations (-deviations.go +README.md):\n%s", diff)
	}
}

// CI compares with LXCFS 5 on v1 and with LXCFS 7 on v2; a row of neither would never be seen there.
func TestDeviationsAreShownInCI(t *testing.T) {
	for _, d := range Deviations {
		if !strings.ContainsAny(d.Peers, "57") {
			t.Errorf("%s: shown by LXCFS %q only: .ci/run needs a guest with that one", d.ID, d.Peers)
		}
	}
}

// Each deviation of the command line is pinned by a test of the daemon.
func TestCommandLineIsTested(t *testing.T) {
	const dir = "../../cmd/lxcfs"
	tests, err := filepath.Glob(dir + "/*_test.go")
	if err != nil || len(tests) == 0 {
		t.Fatalf("tests of %s: %v", dir, err)
	}
	var source strings.Builder
	for _, name := range tests {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	for _, c := range CommandLine {
		_, err := os.Stat(filepath.Join(dir, c.Test))
		if err != nil && !strings.Contains(source.String(), "\nfunc "+c.Test+"(") {
			t.Errorf("%q: no test %s in %s", c.What, c.Test, dir)
		}
	}
}
