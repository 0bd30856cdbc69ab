package fakekernel

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// processNode is /proc/PID, reachable by the number of any thread but listed for leaders only.
func (m *machine) processNode(t *thread) *node {
	p := t.p
	gone := func() syscall.Errno {
		if p.dead {
			return syscall.ESRCH
		}
		return 0
	}
	file := func(name string, text func([]byte) []byte) *node {
		n := textNode(name, text)
		n.gone, n.uid = gone, p.uid
		return n
	}
	index := slices.Index(p.threads, t)
	n := dirNode(strconv.Itoa(t.tid), func(name string) *node {
		switch name {
		case "cgroup":
			return file(name, func(b []byte) []byte { return m.processCgroup(p, b) })
		case "stat":
			return file(name, func(b []byte) []byte { return m.processStat(t, index, true, b) })
		case "status":
			return file(name, func(b []byte) []byte { return m.processStatus(t, index, b) })
		case "comm":
			return file(name, func(b []byte) []byte { return append(append(b, p.comm...), '\n') })
		case "personality":
			n := file(name, func(b []byte) []byte { return fmt.Appendf(b, "%08x\n", p.personality) })
			n.mode = 0o400
			return n
		case "mountinfo":
			return file(name, m.mountinfo)
		case "ns":
			link := fmt.Sprintf("pid:[%d]", p.ns.ino)
			return tree("ns", linkNode("pid", link), linkNode("pid_for_children", link))
		case "task":
			return m.taskNode(p, file)
		}
		return nil
	}, func() []string {
		return []string{"cgroup", "comm", "mountinfo", "ns", "personality", "stat", "status", "task"}
	})
	n.uid, n.gone = p.uid, gone
	return n
}

func (m *machine) taskNode(p *process, file func(string, func([]byte) []byte) *node) *node {
	return dirNode("task", func(name string) *node {
		tid, _ := strconv.Atoi(name)
		for i, t := range p.threads {
			if t.tid == tid {
				n := tree(name,
					file("stat", func(b []byte) []byte { return m.processStat(t, i, false, b) }),
					file("status", func(b []byte) []byte { return m.processStatus(t, i, b) }),
					file("comm", func(b []byte) []byte { return append(append(b, p.comm...), '\n') }),
					file("cgroup", func(b []byte) []byte { return m.processCgroup(p, b) }))
				n.mode = fs.ModeDir | 0o555
				return n
			}
		}
		return nil
	}, func() []string {
		names := make([]string, len(p.threads))
		for i, t := range p.threads {
			names[i] = strconv.Itoa(t.tid)
		}
		return names
	})
}

// processCgroup writes /proc/PID/cgroup, the newest hierarchy first and v2 last.
func (m *machine) processCgroup(p *process, b []byte) []byte {
	hs := slices.Clone(m.hierarchies)
	slices.SortFunc(hs, func(a, b *hierarchy) int { return b.id - a.id })
	for _, h := range hs {
		b = fmt.Appendf(b, "%d:%s:%s\n", h.id, h.label(), p.cgroups[h].path())
	}
	return b
}

// processStat writes /proc/PID/stat (proc_pid_stat(5)); the leader's file has the time of the whole group.
func (m *machine) processStat(t *thread, index int, group bool, b []byte) []byte {
	p := t.p
	state, _ := m.stateOf(p, index)
	utime, stime := p.utime, p.stime
	if !group {
		utime, stime = utime/int64(len(p.threads)), stime/int64(len(p.threads))
	}
	rss := p.rss / pageSize
	return fmt.Appendf(b, "%d (%s) %c %d %d %d 0 -1 4194560 126 0 0 0 %d %d 0 0 %d %d %d 0 %d %d %d 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		t.tid, p.comm, state, p.ppid, p.pid, p.pid, utime/nsPerTick, stime/nsPerTick, 20+p.nice, p.nice, len(p.threads), p.started, 4136960+p.rss, rss+510)
}

func (m *machine) processStatus(t *thread, index int, b []byte) []byte {
	p := t.p
	state, word := m.stateOf(p, index)
	numbers := func(ids []int) string {
		s := make([]string, len(ids))
		for i, id := range ids {
			s[i] = strconv.Itoa(id)
		}
		return strings.Join(s, "\t")
	}
	b = fmt.Appendf(b, "Name:\t%s\nUmask:\t0022\nState:\t%c (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		escapeComm(p.comm), state, word, p.pid, t.tid, p.ppid)
	b = fmt.Appendf(b, "Uid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nFDSize:\t64\nGroups:\t \n", p.uid, p.uid, p.uid, p.uid, p.uid, p.uid, p.uid, p.uid)
	b = fmt.Appendf(b, "NStgid:\t%s\nNSpid:\t%s\nNSpgid:\t%s\nNSsid:\t%s\n", numbers(p.nspid), numbers(t.nstid), numbers(p.nspid), numbers(p.nspid))
	if m.version >= v6_12 {
		b = fmt.Appendf(b, "Kthread:\t%d\n", bit(p.pid == 2))
	}
	b = fmt.Appendf(b, "VmRSS:\t%8d kB\nThreads:\t%d\n", p.rss>>10+2040, len(p.threads))
	mask := m.effective(p.cgroups[m.with("cpuset")])
	return fmt.Appendf(b, "Cpus_allowed:\t%s\nCpus_allowed_list:\t%s\nvoluntary_ctxt_switches:\t67\nnonvoluntary_ctxt_switches:\t1\n", mask.hex(m.CPUs), mask)
}

// escapeComm is how the Name line shows a newline or backslash in a comm.
func escapeComm(s string) string {
	return strings.NewReplacer("\n", `\n`, `\`, `\\`).Replace(s)
}
