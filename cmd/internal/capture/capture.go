// Package capture is "lxcfsctl capture": a real host, as one process sees it, in one file.
package capture

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"

	"lxcfs/cmd/internal/archive"
	"lxcfs/cmd/internal/flags"
	"lxcfs/core"
	"lxcfs/kernelfs"
)

// Options say what to capture.
type Options struct {
	PID     int      // the process that asks
	Flags   []string // the daemon's
	Comment string   // what the host is, and why it is kept
	Keep    bool     // names as they are
}

// Host returns everything that rendering for a process reads of host, nothing else, with the answers.
// Rendering from the archive has then been tried: it gives what rendering from the host gave, but for
// what was scrubbed.
func Host(host afero.Fs, o Options) (*archive.Archive, error) {
	given, err := flags.Parse(o.Flags)
	if err != nil {
		return nil, err
	}
	rec := newRecorder(host)
	quota := given
	quota.CFS = !given.CFS // whoever has the archive may want to try both
	if _, err := ask(rec, o.PID, quota, archive.Files); err != nil {
		return nil, err
	}
	live, err := ask(rec, o.PID, given, archive.Answers)
	if err != nil {
		return nil, err
	}
	entries, err := rec.entries()
	if err != nil {
		return nil, err
	}
	a := &archive.Archive{Comment: o.Comment, Caller: o.PID, Flags: o.Flags, Host: relevant(entries, o.PID)}
	if !o.Keep {
		s := scrubber{}
		for i, e := range a.Host {
			a.Host[i] = s.entry(e)
		}
		s.answers(live)
	}
	if a.Want, err = a.Ask(given); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if d := archive.Diff(a.Want, live); d != "" {
		return nil, fmt.Errorf("the archive does not answer as the host did: %s", d)
	}
	return a, nil
}

func ask(rec *recorder, pid int, o core.Options, what func(*core.Core, core.Caller) ([]archive.Entry, error)) ([]archive.Entry, error) {
	c, err := archive.New(kernelfs.New(rec), o)
	if err != nil {
		return nil, err
	}
	return what(c, core.Caller{PID: pid})
}

// relevant leaves out the processes that were only looked at in search of the caller's init, which is
// the only one whose start is asked for. Threads that were counted stay.
func relevant(list []archive.Entry, caller int) []archive.Entry {
	used := map[string]bool{"self": true, strconv.Itoa(caller): true}
	for _, e := range list {
		if pid, rest, ok := process(e.Path); ok && (rest == "stat" || strings.HasPrefix(rest, "task/")) {
			used[pid] = true
		}
	}
	var kept []archive.Entry
	for _, e := range list {
		if pid, _, ok := process(e.Path); !ok || used[pid] {
			kept = append(kept, e)
		}
	}
	return kept
}

// process splits the path of a process' file.
func process(p string) (pid, rest string, ok bool) {
	p, ok = strings.CutPrefix(p, "proc/")
	if !ok {
		return "", "", false
	}
	pid, rest, ok = strings.Cut(p, "/")
	_, err := strconv.Atoi(pid)
	return pid, rest, ok && err == nil
}

// about says of the running kernel what a maintainer asks first.
func about(pid int) string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return fmt.Sprintf("Linux %s %s, as process %d sees it.\n", unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]), pid)
}

// procPath is where a process' file is.
func procPath(pid int, file string) string { return path.Join("/proc", strconv.Itoa(pid), file) }
