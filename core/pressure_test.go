package core

import (
	"strings"
	"testing"

	"lxcfs/kernelfs"
)

// A trigger is armed on the resource of the file that it was written to.
func TestPressureResource(t *testing.T) {
	for path, want := range map[string]kernelfs.Controller{
		"proc/pressure/cpu": kernelfs.CPU, "proc/pressure/io": kernelfs.IO, "proc/pressure/memory": kernelfs.Memory,
	} {
		if got := rows[path].pressure - 1; got != want {
			t.Errorf("%s: resource %v, want %v", path, got, want)
		}
	}
}

func TestParseTrigger(t *testing.T) {
	for _, tt := range []struct{ reason, text, want string }{
		{"as documented", "some 150000 1000000", "some 150000 1000000"},
		{"full, ends in NUL", "full 150000 4000000\x00", "full 150000 4000000"},
		{"window not a multiple of 2 s is kept (LXCFS rounded it)", "some 20000 500000\x00", "some 20000 500000"},
		{"ends in a newline", "some 20000 3000000\n", "some 20000 3000000"},
		{"last digit is kept without terminator (LXCFS lost it)", "some 20000 2000000", "some 20000 2000000"},
		{"threshold above the window", "some 3500000 3000000", ""},
		{"threshold of the whole window", "some 3000000 3000000", "some 3000000 3000000"},
		{"window of 10 s", "some 1 10000000", "some 1 10000000"},
		{"window a little above 10 s", "some 1 10000001", ""},
		{"a window that is no number", "some 150000 1000000x", ""},
		{"as long as the kernel takes", "some 20000 2000000" + strings.Repeat(" ", 32-18), "some 20000 2000000"},
		{"threshold 0", "some 0 2000000", ""},
		{"window 0", "some 1 0", ""},
		{"window above 10 s", "some 20000 20000000", ""},
		{"no trigger", "bogus", ""},
		{"another word", "most 20000 2000000", ""},
		{"a word too many", "some 1 2 3", ""},
		{"not a number", "some 1x 20000", ""},
		{"longer than the kernel takes", "some 20000 2000000              .", ""},
		{"nothing", "", ""},
	} {
		got, ok := parseTrigger([]byte(tt.text))
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: parseTrigger(%q) = %q, %v, want %q", tt.reason, tt.text, got, ok, tt.want)
		}
	}
}

// FuzzTrigger: the text is a container's. What is passed on to the kernel is one short line, and stays what it is.
func FuzzTrigger(f *testing.F) {
	for _, seed := range []string{"some 150000 1000000", "full 1 10000000\x00", "some 18446744073709551616 1", "some\u00851\u00a02"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := parseTrigger(text)
		if !ok {
			if got != "" {
				t.Errorf("parseTrigger(%q) = %q without ok", text, got)
			}
			return
		}
		if again, ok := parseTrigger([]byte(got)); again != got || !ok || len(got) > maxTrigger {
			t.Errorf("parseTrigger(%q) = %q, of which it makes %q, %v", text, got, again, ok)
		}
	})
}
