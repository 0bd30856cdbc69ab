//go:build integration

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What is on disk is replaced by something that does not work, in all the ways there are. "lxcfsctl upgrade" says why, and the
// old worker goes on; then the right program is put back, and taken.
func TestBadPrograms(t *testing.T) {
	build(t)
	ctl := filepath.Join(t.TempDir(), "lxcfsctl")
	if out, err := exec.Command("go", "build", "-o", ctl, "lxcfs/cmd/lxcfsctl").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	d := startCopy(t)
	before := d.workers(t)
	upgrade := func() (string, error) {
		out, err := exec.Command(ctl, "upgrade", "--pidfile", d.pid).CombinedOutput()
		return string(out), err
	}
	for _, tt := range []struct{ name, program, want string }{
		{"no program", "not a program", "exec format error"},
		{"exits at once", "#!/bin/sh\nexit 3\n", "died at once: exit status 3"},
		{"another program", "#!/bin/sh\nexec sleep 1000\n", "said nothing in 10s"},
		{"fails its self-test", "#!/bin/sh\n# no /proc that tells of this process\nexec unshare -m sh -c 'mount -t tmpfs none /proc && exec " + copied(t) + " \"$@\"' \"$0\" \"$@\"\n", "refuses: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			put(t, d.cmd.Path, []byte(tt.program))
			out, err := upgrade()
			if err == nil || !strings.Contains(out, "upgrade refused, the old worker goes on") || !strings.Contains(out, tt.want) {
				t.Errorf("upgrade: %v, %q, want a refusal with %q", err, out, tt.want)
			}
			if now := d.workers(t); !slices.Equal(now, before) {
				t.Errorf("workers are %v, want %v still", now, before)
			}
			if _, err := os.ReadFile(d.dir + "/proc/meminfo"); err != nil {
				t.Error(err)
			}
		})
	}
	good, err := os.ReadFile(build(t))
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.cmd.Path, good)
	if out, err := upgrade(); err != nil || !strings.HasSuffix(out, " serves\n") {
		t.Errorf("upgrade to a good program: %v, %q", err, out)
	}
	if now := d.workers(t); len(now) != 1 || slices.Equal(now, before) {
		t.Errorf("workers are %v after the upgrade, were %v", now, before)
	}
	d.cmd.Process.Signal(unix.SIGTERM)
	if err := d.end(t); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(d.pid + "*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// copied returns the path of a copy of the daemon.
func copied(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(build(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lxcfs")
	put(t, path, text)
	return path
}

// put replaces a program as package managers do: a running one cannot be written to.
func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
