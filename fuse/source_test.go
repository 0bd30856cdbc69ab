package fuse

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"lxcfs/core"
)

type testFile struct{ path, content string }

// files of the tree most tests use, in the order they are listed.
var testFiles = []testFile{
	{"proc/meminfo", "MemTotal: 1 kB\n"},
	{"proc/stat", "cpu 1 2\n"},
	{"proc/panic", ""},
	{"proc/slow", "slow\n"},
	{"proc/fatal", "fatal\n"},
	{"proc/pressure/cpu", "some avg10=0.00\n"},
	{"sys/devices/system/cpu/online", "0-1\n"},
	{"sys/devices/system/cpu/cpu0/cache/lvl", "0\n"},
	{"sys/devices/system/cpu/cpu1/cache/lvl", "1\n"},
}

// blindPID is a caller that does not see cpu1.
const blindPID = 77

// fatal is what reading proc/fatal does; the test worker exits.
var fatal = func() {}

// testSource is a small tree. proc/panic panics when read, proc/slow takes 3 ms.
func testSource() source {
	stat := func(who core.Caller, p string) (core.Entry, error) {
		e := core.Entry{Name: path.Base(p), Path: p, CPU: -1}
		if cpu, _ := cpuOf(p); cpu == 1 && who.PID == blindPID {
			return e, fs.ErrNotExist
		}
		for _, f := range testFiles {
			if f.path == p {
				e.Mode = 0o444
				return e, nil
			}
			if p == "" || strings.HasPrefix(f.path, p+"/") {
				e.Mode = fs.ModeDir | 0o555
			}
		}
		if e.Mode == 0 {
			return e, fs.ErrNotExist
		}
		return e, nil
	}
	return source{
		read: func(who core.Caller, p string, dst []byte) ([]byte, error) {
			switch p {
			case "proc/panic":
				panic("asked for")
			case "proc/slow":
				time.Sleep(3 * time.Millisecond)
			case "proc/fatal":
				fatal()
			}
			for _, f := range testFiles {
				if f.path == p {
					return append(dst, f.content...), nil
				}
			}
			return dst, fs.ErrNotExist
		},
		stat: stat,
		list: func(who core.Caller, dir string) ([]core.Entry, error) {
			var names []string
			for _, f := range testFiles {
				rest, ok := strings.CutPrefix("/"+f.path, "/"+strings.TrimPrefix(dir+"/", "/"))
				if name, _, _ := strings.Cut(rest, "/"); ok && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			var entries []core.Entry
			for _, name := range names {
				if e, err := stat(who, path.Join(dir, name)); err == nil {
					entries = append(entries, e)
				}
			}
			return entries, nil
		},
		readlink:    func(core.Caller, string) (string, error) { return "", fs.ErrInvalid },
		trigger:     func(core.Caller, string, []byte) (trigger, error) { return trigger{}, fs.ErrPermission },
		virtualized: func() bool { return true },
	}
}
