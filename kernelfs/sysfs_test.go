package kernelfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// escapes are names that must not lead out of the tree of CPU devices.
var escapes = []struct{ reason, rel string }{
	{"the parent", ".."},
	{"a parent further in", "cpu0/../../x"},
	{"a parent at the end", "cpu0/.."},
	{"absolute", "/etc/passwd"},
	{"nothing", ""},
	{"an empty element", "cpu0//online"},
	{"the directory itself inside", "cpu0/./online"},
	{"a slash at the end", "cpu0/"},
	{"a NUL at once", "\x00"},
	{"a NUL ends a C string", "cpu0\x00/../../../etc/passwd"},
}

func TestSysfsNames(t *testing.T) {
	for name, k := range map[string]*FS{"host": machine(t), "fake": New(plant(t, "-- sys/devices/system/cpu/cpu0/online --\n1\n"))} {
		for _, tc := range escapes {
			s := k.Snapshot()
			_, e1 := s.CPUStat(tc.rel)
			_, e2 := s.CPURead(tc.rel)
			_, e3 := s.CPULink(tc.rel)
			_, e4 := s.CPUDir(tc.rel)
			for i, err := range []error{e1, e2, e3, e4} {
				if want := "read " + tc.rel + ": file does not exist"; !Missing(err) || errText(err) != want {
					t.Errorf("%s, %s: call %d of %q: %v, want %s", name, tc.reason, i, tc.rel, err, want)
				}
			}
			if n := len(s.Readings()); n != 0 {
				t.Errorf("%s, %s: %q was read", name, tc.reason, tc.rel)
			}
		}
	}
}

func TestSysfsLinksLeadNowhereElse(t *testing.T) {
	secret, dir := t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(secret, "f"), []byte("secret"), 0o644),
		os.Mkdir(filepath.Join(dir, "cpu0"), 0o755),
		os.WriteFile(filepath.Join(dir, "cpu0/online"), []byte("1\n"), 0o644),
		os.Symlink(secret, filepath.Join(dir, "absolute")),
		os.Symlink("../../../../../../../../"+secret, filepath.Join(dir, "relative")),
		os.Symlink("cpu0", filepath.Join(dir, "inside")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	k := machine(t)
	k.host.cpus.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	k.host.cpus = root
	s := k.Snapshot()
	for _, rel := range []string{"absolute/f", "relative/f"} {
		if got, err := s.CPURead(rel); err == nil {
			t.Errorf("CPURead(%s) = %q, want an error", rel, got)
		}
		if fi, err := s.CPUStat(rel); err == nil {
			t.Errorf("CPUStat(%s) = %v, want an error", rel, fi.Size())
		}
	}
	for _, rel := range []string{"absolute", "relative"} {
		if list, err := s.CPUDir(rel); err == nil {
			t.Errorf("CPUDir(%s) = %v, want an error", rel, list)
		}
		if fi, err := s.CPUStat(rel); err != nil || fi.Mode()&os.ModeSymlink == 0 {
			t.Errorf("CPUStat(%s): %v, want the link itself", rel, err)
		}
	}
	if got, err := s.CPULink("absolute"); got != secret || err != nil {
		t.Errorf("CPULink(absolute) = %q, %v, want %q: the reader resolves it in its own tree", got, err, secret)
	}
	if got, err := s.CPURead("inside/online"); string(got) != "1\n" || err != nil {
		t.Errorf("CPURead(inside/online) = %q, %v, want 1", got, err)
	}
	if _, err := s.CPURead("cpu0"); err == nil {
		t.Error("a directory can be read as a file")
	}
	if _, err := s.CPUDir("cpu0/online"); err == nil {
		t.Error("a file can be listed")
	}
	if _, err := s.CPULink("cpu0/online"); err == nil {
		t.Error("a file can be read as a link")
	}
}

func TestSysfsFake(t *testing.T) {
	k := New(plant(t, `
-- sys/devices/system/cpu/online --
0-1
-- sys/devices/system/cpu/cpu0/subsystem -> ../../../../bus/cpu --
-- sys/devices/system/cpu/cpu0/topology/core_id --
7
-- sys/devices/system/cpu/cpu1/ --
`))
	s := k.Snapshot()
	list, err := s.CPUDir(".")
	var got []string
	for _, fi := range list {
		got = append(got, fi.Name())
	}
	if diff := cmp.Diff([]string{"cpu0", "cpu1", "online"}, got); diff != "" || err != nil {
		t.Errorf("CPUDir(.): %v (-want +got)\n%s", err, diff)
	}
	if text, err := s.CPURead("cpu0/topology/core_id"); string(text) != "7\n" || err != nil {
		t.Errorf("CPURead = %q, %v, want 7", text, err)
	}
	if target, err := s.CPULink("cpu0/subsystem"); target != "../../../../bus/cpu" || err != nil {
		t.Errorf("CPULink = %q, %v, want ../../../../bus/cpu", target, err)
	}
	if fi, err := s.CPUStat("cpu0/subsystem"); err != nil || fi.Mode()&os.ModeSymlink == 0 {
		t.Errorf("CPUStat: %v, want a link", err)
	}
	if fi, err := s.CPUStat("cpu1"); err != nil || !fi.IsDir() {
		t.Errorf("CPUStat(cpu1): %v, want a directory", err)
	}
	if _, err := s.CPUStat("cpu9"); !Missing(err) {
		t.Errorf("CPUStat(cpu9): %v, want it missing", err)
	}
}

func TestSysfsHost(t *testing.T) {
	s := machine(t).Snapshot()
	list, err := s.CPUDir(".")
	if err != nil || !slices.ContainsFunc(list, func(fi os.FileInfo) bool { return fi.Name() == "online" && !fi.IsDir() }) {
		t.Errorf("CPUDir(.): %v, want the file online among %d entries", err, len(list))
	}
	want, err := os.ReadFile(cpuDir + "/possible")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.CPURead("possible"); string(got) != string(want) || err != nil {
		t.Errorf("CPURead(possible) = %q, %v, want %q", got, err, want)
	}
	if target, err := s.CPULink("cpu0/subsystem"); !strings.HasSuffix(target, "/bus/cpu") || err != nil {
		t.Errorf("CPULink(cpu0/subsystem) = %q, %v, want .../bus/cpu", target, err)
	}
	if got, err := s.CPURead("cpu0/subsystem/uevent"); err == nil {
		t.Errorf("CPURead through a link out of the tree = %q, want an error", got)
	}
	if fi, err := s.CPUStat("cpu0"); err != nil || !fi.IsDir() {
		t.Errorf("CPUStat(cpu0): %v, want a directory", err)
	}
}
