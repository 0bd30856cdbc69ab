package fakekernel

import (
	"fmt"
	"path"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Load reads a host archive: a txtar of four entry forms,
//
//	proc/meminfo                             a file
//	proc/42/ns/pid -> pid:[4026532201]       a symbolic link
//	sys/fs/cgroup/lxc/                       an empty directory
//	sys/fs/cgroup/lxc/io.stat ! EACCES       a path that answers with an error
//
// and want/... entries, which are goldens and no part of the host. An entry named boot makes it a machine: its text is the
// words of [Boot], and the other entries lie over what the machine shows, but for proc/cpuinfo, which is what the machine's
// CPUs look like while they are online. Without it the host is the files alone.
func Load(archive []byte) (*Kernel, error) {
	a := txtar.Parse(archive)
	k := &Kernel{raw: newRaw(), comment: a.Comment}
	for _, f := range a.Files {
		if f.Name == "boot" {
			c, err := parseConfig(strings.Fields(string(f.Data)))
			if err != nil {
				return nil, fmt.Errorf("boot: %w", err)
			}
			for _, o := range a.Files {
				if o.Name == "proc/cpuinfo" {
					c.CPUInfo = o.Data
				}
			}
			machine, err := New(c)
			if err != nil {
				return nil, fmt.Errorf("boot: %w", err)
			}
			k.m = machine.m
		}
	}
	for _, f := range a.Files {
		if f.Name == "boot" || strings.HasPrefix(f.Name, "want/") || f.Name == "proc/cpuinfo" && k.m != nil {
			continue
		}
		name, r, err := parseEntry(f)
		if err != nil {
			return nil, err
		}
		k.raw.put(name, r)
	}
	return k, nil
}

func parseEntry(f txtar.File) (string, *rawFile, error) {
	name := f.Name
	r := &rawFile{kind: rawText, text: f.Data}
	if before, target, ok := strings.Cut(name, " -> "); ok {
		name, r = before, &rawFile{kind: rawLink, to: target}
	} else if before, errno, ok := strings.Cut(name, " ! "); ok {
		e, err := parseErrno(errno)
		if err != nil {
			return "", nil, fmt.Errorf("entry %q: %w", f.Name, err)
		}
		name, r = before, &rawFile{kind: rawError, errno: e}
	} else if strings.HasSuffix(name, "/") {
		r = &rawFile{kind: rawDir}
	}
	if r.kind != rawText && len(f.Data) > 0 {
		return "", nil, fmt.Errorf("entry %q: has text, and is no file", f.Name)
	}
	clean := path.Clean("/" + name)
	if strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../") || clean == "/" {
		return "", nil, fmt.Errorf("entry %q: want a path below the root", f.Name)
	}
	return clean, r, nil
}

// Archive writes the tree as it stands now, in the form [Load] reads. Files nobody may read are left out.
func (k *Kernel) Archive() []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	a := &txtar.Archive{Comment: k.comment}
	k.snapshot(k.root(), "/", func(name string, f txtar.File) { a.Files = append(a.Files, f) })
	return txtar.Format(a)
}

// snapshot walks the tree in order. The caller holds the lock.
func (k *Kernel) snapshot(n *node, at string, emit func(string, txtar.File)) {
	names := k.list(n, at)
	if len(names) == 0 && at != "/" {
		emit(at, txtar.File{Name: at[1:] + "/"})
	}
	for _, name := range names {
		p := path.Join(at, name)
		c, err := k.step(n, p, name)
		switch {
		case err != nil:
		case c.errno != 0:
			emit(p, txtar.File{Name: fmt.Sprintf("%s ! %s", p[1:], errnoName(c.errno))})
		case c.target != "":
			emit(p, txtar.File{Name: p[1:] + " -> " + c.target})
		case c.mode.IsDir():
			k.snapshot(c, p, emit)
		case c.text != nil:
			emit(p, txtar.File{Name: p[1:], Data: c.text(nil)})
		}
	}
}
