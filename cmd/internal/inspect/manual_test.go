package inspect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestManualExample replays the example of fakekernel's package comment as a reader does who copies it.
func TestManualExample(t *testing.T) {
	doc, err := os.ReadFile("../../../fakekernel/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(doc), "\n// # A complete scenario\n")
	if !ok {
		t.Fatal("fakekernel's package comment has no complete scenario")
	}
	text, _, _ = strings.Cut(text, "\n// # ")
	var script strings.Builder
	for line := range strings.Lines(text) {
		if verb, ok := strings.CutPrefix(line, "//\t"); ok {
			script.WriteString(verb)
		}
	}
	name := filepath.Join(t.TempDir(), "example.txtar")
	if err := os.WriteFile(name, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, Replay(), name)
	if err != nil {
		t.Errorf("replay: %v\n%s", err, out)
	}
	for _, layout := range []string{"legacy", "hybrid", "unified"} {
		if !strings.Contains(out, "ok   example.txtar ("+layout+")\n") {
			t.Errorf("the example does not pass under %s:\n%s", layout, out)
		}
	}
}
