package conn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindMount(t *testing.T) {
	const table = `22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:25 / /var/lib/lxcfs rw,nosuid,nodev - fuse.lxcfs lxcfs rw,user_id=0
31 22 0:26 / /mnt/a\040b rw - tmpfs none rw
32 31 0:27 / /mnt/a\040b ro master:3 propagate_from:2 - fuse.lxcfs lxcfs ro
garbage
`
	for _, test := range []struct{ reason, dir, want string }{
		{"a plain mount", "/var/lib/lxcfs", "fuse.lxcfs"},
		{"the topmost of two, behind a blank and optional fields", "/mnt/a b", "fuse.lxcfs"},
		{"a directory in a mount", "/var/lib", ""},
		{"the root", "/", "ext4"},
	} {
		if got := findMount(table, test.dir); got != test.want {
			t.Errorf("%s: findMount(%s) = %q, want %q", test.reason, test.dir, got, test.want)
		}
	}
}

func TestPrepareSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ reason, dir, want string }{
		{"missing", dir + "/none", "mkdir -p " + dir + "/none"},
		{"missing parent", dir + "/none/x", "mkdir -p"},
		{"a file", file, "not a directory"},
		{"not empty", dir, "not empty (it holds file)"},
		{"something is mounted", "/proc", "already mounted"},
	} {
		if _, err := prepare(test.dir); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: prepare(%s) = %v, want an error with %q", test.reason, test.dir, err, test.want)
		}
	}
}

func TestPrepareResolvesLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/real", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if got, err := prepare(dir + "/link"); err != nil || got != dir+"/real" {
		t.Errorf("prepare(link) = %q, %v, want %q", got, err, dir+"/real")
	}
}
