package kernelfs

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/afero"
)

// TestReadAs reads a file that tells the reader's own personality, and then again to see it restored.
func TestReadAs(t *testing.T) {
	k := New(afero.NewOsFs())
	const file = "/proc/thread-self/personality"
	before, err := k.readFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := readAs(perLinux32, file, k)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(text)); got != "00000008" {
		t.Errorf("personality while reading = %s, want 00000008", got)
	}
	if after, err := k.readFile(file); err != nil || string(after) != string(before) {
		t.Errorf("personality afterwards = %q, %v, want %q", after, err, before)
	}
}

func TestCompat(t *testing.T) {
	for _, tt := range []struct {
		reason, text string
		want         bool
	}{
		{"64 bits", "00000000\n", false},
		{"32 bits", "00000008\n", true},
		{"32 bits with a flag (ADDR_NO_RANDOMIZE)", "00040008\n", true},
		{"another world", "00000006\n", false},
		{"not a number", "xxxxxxxx\n", false},
		{"short", "8\n", false},
		{"no end of line", "00000008", true},
	} {
		fs := afero.NewMemMapFs()
		if err := afero.WriteFile(fs, "/proc/42/personality", []byte(tt.text), 0o400); err != nil {
			t.Fatal(err)
		}
		if got := New(fs).Snapshot().compat(42); got != tt.want {
			t.Errorf("%s: compat(%q) = %v, want %v", tt.reason, tt.text, got, tt.want)
		}
	}
	if New(afero.NewMemMapFs()).Snapshot().compat(42) {
		t.Error("a process that has gone has PER_LINUX32")
	}
}

// TestCPUInfoFor: who reads is asked for where it matters alone.
func TestCPUInfoFor(t *testing.T) {
	k, err := Host(64)
	if err != nil {
		t.Fatal(err)
	}
	s := k.Snapshot()
	if text, err := s.CPUInfoFor(os.Getpid()); err != nil || !strings.Contains(string(text), "processor") {
		t.Errorf("CPUInfoFor = %q, %v", text, err)
	}
	if same := slices.ContainsFunc(s.Readings(), func(r Reading) bool { return r.Path == "/proc/cpuinfo" }); !same {
		t.Error("a reader of this world was not shown the text that all share")
	}
	asked := slices.ContainsFunc(s.Readings(), func(r Reading) bool { return strings.HasSuffix(r.Path, "/personality") })
	if want := runtime.GOARCH == "arm64"; asked != want {
		t.Errorf("the reader's personality was read: %v, want %v", asked, want)
	}
}
