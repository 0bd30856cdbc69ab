// Package archive reads and writes a host in a file: the kernel's files that one process' view is made
// from, and the view that is wanted. It is what "lxcfsctl capture" writes, what testdata/hosts keeps and
// what --host names.
//
// An archive is a txtar (golang.org/x/tools/txtar). Its comment says what the host is and why it is
// kept, and may have these lines:
//
//	caller: 4242         the process that asks, by the host's number
//	flags: --enable-cfs  the daemon's flags
//
// Entries are what fakekernel.Load reads: proc/meminfo is a file, "proc/42/ns/pid -> pid:[4026532201]" a
// symbolic link, "sys/fs/cgroup/lxc/" a directory and "sys/fs/cgroup/lxc/io.stat ! EACCES" a path that
// answers with an error. Those below want/ are the answers to the caller, in the same forms, but that a
// directory's text is its listing; those below want-lxcfs/ are what another LXCFS answered.
package archive

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"lxcfs/fakekernel"
)

// Archive is a host in a file.
type Archive struct {
	Comment string   // what it is and why it is kept, without the lines below
	Caller  int      // the process that asks; 0 if the archive names none
	Flags   []string // the daemon's
	Host    []Entry
	Want    []Entry // our answers
	Oracle  []Entry // another LXCFS's answers
}

// Entry is a path: of a host, or among the answers.
type Entry struct {
	Path  string // without a leading slash
	Link  string // a symbolic link's target
	Errno string // the error it answers with, by name
	Dir   bool
	Text  []byte // of a file; of a directory among the answers, its listing
}

const (
	callerLine = "caller: "
	flagsLine  = "flags: "
	wantDir    = "want/"
	oracleDir  = "want-lxcfs/"
)

// Parse reads an archive.
func Parse(data []byte) (*Archive, error) {
	t := txtar.Parse(data)
	a := new(Archive)
	for line := range strings.Lines(string(t.Comment)) {
		var err error
		word, isCaller := strings.CutPrefix(strings.TrimSuffix(line, "\n"), callerLine)
		words, isFlags := strings.CutPrefix(line, flagsLine)
		switch {
		case isCaller:
			if a.Caller, err = strconv.Atoi(word); err != nil || a.Caller < 1 {
				return nil, fmt.Errorf("archive: %q: want the number of a process", strings.TrimSpace(line))
			}
		case isFlags:
			a.Flags = strings.Fields(words)
		default:
			a.Comment += line
		}
	}
	for _, f := range t.Files {
		name := f.Name
		list := &a.Host
		if rest, ok := strings.CutPrefix(name, wantDir); ok {
			list, name = &a.Want, rest
		} else if rest, ok := strings.CutPrefix(name, oracleDir); ok {
			list, name = &a.Oracle, rest
		}
		*list = append(*list, parseEntry(name, f.Data))
	}
	return a, nil
}

func parseEntry(name string, data []byte) Entry {
	if p, target, ok := strings.Cut(name, " -> "); ok {
		return Entry{Path: p, Link: target}
	}
	if p, errno, ok := strings.Cut(name, " ! "); ok {
		return Entry{Path: p, Errno: errno}
	}
	p, dir := strings.CutSuffix(name, "/")
	return Entry{Path: p, Dir: dir, Text: data}
}

// Name spells the entry's path and form as txtar names it.
func (e Entry) Name() string {
	switch {
	case e.Link != "":
		return e.Path + " -> " + e.Link
	case e.Errno != "":
		return e.Path + " ! " + e.Errno
	case e.Dir:
		return e.Path + "/"
	}
	return e.Path
}

// Bytes prints the archive in the form that [Parse] reads.
func (a *Archive) Bytes() []byte {
	var head strings.Builder
	head.WriteString(a.Comment)
	if a.Comment != "" && !strings.HasSuffix(a.Comment, "\n") {
		head.WriteString("\n")
	}
	if a.Caller != 0 {
		fmt.Fprintf(&head, "%s%d\n", callerLine, a.Caller)
	}
	if len(a.Flags) > 0 {
		fmt.Fprintf(&head, "%s%s\n", flagsLine, strings.Join(a.Flags, " "))
	}
	t := &txtar.Archive{Comment: []byte(head.String())}
	for _, part := range []struct {
		dir  string
		list []Entry
	}{{"", a.Host}, {wantDir, a.Want}, {oracleDir, a.Oracle}} {
		for _, e := range part.list {
			t.Files = append(t.Files, txtar.File{Name: part.dir + e.Name(), Data: e.Text})
		}
	}
	return txtar.Format(t)
}

// Kernel returns the host as a kernel. It has no machine behind its files, unless an entry named boot
// makes one.
func (a *Archive) Kernel() (*fakekernel.Kernel, error) {
	host := Archive{Host: a.Host}
	return fakekernel.Load(host.Bytes())
}

// firstLine names the first line in which two texts differ.
func firstLine(p, got, want string) string {
	a, b := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	i := 0
	for i < min(len(a), len(b))-1 && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("%s:%d: got %q, want %q", p, i+1, a[i], b[i])
}

// Diff names the first entry that got and want do not share, and how, in one line; "" if they are equal.
func Diff(got, want []Entry) string {
	have := map[string]Entry{}
	for _, e := range got {
		have[e.Path] = e
	}
	for _, w := range want {
		g, ok := have[w.Path]
		switch {
		case !ok:
			return fmt.Sprintf("%s: no answer", w.Path)
		case g.Name() != w.Name():
			return fmt.Sprintf("%s: got %s, want %s", w.Path, g.Name(), w.Name())
		case !bytes.Equal(g.Text, w.Text):
			return firstLine(w.Path, string(g.Text), string(w.Text))
		}
		delete(have, w.Path)
	}
	for _, e := range got {
		if _, ok := have[e.Path]; ok {
			return fmt.Sprintf("%s: an answer that is not wanted", e.Path)
		}
	}
	return ""
}
