package inspect

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func section(t *testing.T, heading string) string {
	t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(readme), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

func TestReadmeFiles(t *testing.T) {
	if !strings.Contains(section(t, "Served files"), markdown()) {
		t.Errorf("README.md's table of served files is not what lxcfsctl files --markdown prints:\n%s", markdown())
	}
}

// TestReadmeReproduce does what the README tells a reader who has a captured host.
func TestReadmeReproduce(t *testing.T) {
	host, err := os.ReadFile(hosts + "synthetic-kubepods-systemd.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := section(t, "Reproduce a bug in five minutes")
	if kept, overwritten := strings.Index(text, "git add testdata/hosts/bug.txtar"), strings.LastIndex(text, "`make golden`"); kept < 0 || overwritten < kept {
		t.Error("the archive is not added to git before make golden: what its reporter expects would be lost, and git diff shows no untracked file")
	}
	commands := map[string]func() *cobra.Command{"render": Render, "explain": Explain}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("bug.txtar", host, 0o600); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if !strings.HasPrefix(line, "    ") || len(words) < 2 || words[0] != "bin/lxcfsctl" {
			continue
		}
		command := commands[words[1]]
		if command == nil {
			t.Errorf("%s: no test of this command", strings.TrimSpace(line))
			continue
		}
		out, err := run(t, command(), words[2:]...)
		if err != nil || out == "" {
			t.Errorf("%s: %q, %v", strings.TrimSpace(line), out, err)
		}
		tried++
	}
	if tried < 2 {
		t.Errorf("%d commands tried, want render and explain", tried)
	}
}
