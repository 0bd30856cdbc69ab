package fakekernel

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// procNode is /proc.
func (m *machine) procNode() *node {
	files := m.procFiles()
	return dirNode("proc", func(name string) *node {
		if f := files(name); f != nil {
			return f
		}
		if pid, err := strconv.Atoi(name); err == nil {
			if t := m.tasks[pid]; t != nil {
				return m.processNode(t)
			}
		}
		return nil
	}, func() []string {
		names := []string{"cgroups", "cpuinfo", "diskstats", "loadavg", "meminfo", "self", "slabinfo", "stat", "swaps", "sys", "uptime", "version"}
		if m.psi {
			names = append(names, "pressure")
		}
		for pid := range m.pids {
			names = append(names, strconv.Itoa(pid))
		}
		return names
	})
}

func (m *machine) procFiles() func(string) *node {
	return func(name string) *node {
		switch name {
		case "cgroups":
			return textNode(name, m.cgroupsFile)
		case "cpuinfo":
			return textNode(name, m.cpuinfo)
		case "diskstats":
			return textNode(name, m.diskstats)
		case "loadavg":
			return textNode(name, m.loadavg)
		case "meminfo":
			return textNode(name, m.meminfo)
		case "self":
			return linkNode(name, strconv.Itoa(m.self.pid))
		case "slabinfo":
			n := textNode(name, m.slabinfo)
			n.mode = 0o400
			return n
		case "stat":
			return textNode(name, m.stat)
		case "swaps":
			return textNode(name, m.swapsFile)
		case "uptime":
			return textNode(name, m.uptime)
		case "version":
			return constNode(name, "Linux version "+m.release()+" (builder@kernel) (gcc, GNU ld) #1 SMP PREEMPT_DYNAMIC\n")
		case "sys":
			return tree("sys", tree("kernel", constNode("osrelease", m.release()+"\n"), constNode("pid_max", "4194304\n"),
				constNode("ostype", "Linux\n")))
		case "pressure":
			if !m.psi {
				return nil
			}
			var nodes []*node
			for i, p := range psiNames {
				nodes = append(nodes, m.pressureNode(p, i, &m.psiHost))
			}
			return tree(name, nodes...)
		}
		return nil
	}
}

func (m *machine) release() string { return m.version.String() + ".0-fake" }

// uptime writes /proc/uptime: time since boot and the idle time of all CPUs, offline ones too.
func (m *machine) uptime(b []byte) []byte {
	var idle int64
	for i := range m.cpus {
		idle += m.cpus[i].idle
	}
	return append(appendSeconds(append(appendSeconds(b, int64(m.now)), ' '), idle), '\n')
}

func appendSeconds(b []byte, ns int64) []byte {
	return fmt.Appendf(b, "%d.%02d", ns/int64(time.Second), ns%int64(time.Second)/nsPerTick)
}

// stat writes /proc/stat (fs/proc/stat.c): the sum over all possible CPUs, then the online ones, in USER_HZ.
func (m *machine) stat(b []byte) []byte {
	var sum cpu
	for i := range m.cpus {
		c := &m.cpus[i]
		sum.user += c.user
		sum.nice += c.nice
		sum.system += c.system
		sum.idle += c.idle
		sum.iowait += c.iowait
		sum.irq += c.irq
		sum.softirq += c.softirq
		sum.steal += c.steal
	}
	b = sum.append(append(b, "cpu "...))
	for i := range m.cpus {
		if m.cpus[i].online {
			b = append(b, "cpu"...)
			b = m.cpus[i].append(strconv.AppendInt(b, int64(i), 10))
		}
	}
	intr := m.ctxt/3 + 12081
	b = fmt.Appendf(b, "intr %d 88 0 0 0 6 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 %d 0 181 1592 0 3 0 9\n", intr, intr/7)
	r, d := m.running()
	b = fmt.Appendf(b, "ctxt %d\nbtime %d\nprocesses %d\nprocs_running %d\nprocs_blocked %d\n", m.ctxt, bootTime-int64(m.Uptime/time.Second), m.forks, r, d)
	return fmt.Appendf(b, "softirq %d 0 %d 0 0 0 0 1 1382 0 1465\n", intr/2+2848, intr/2)
}

func (c *cpu) append(b []byte) []byte {
	for _, ns := range [...]int64{c.user, c.nice, c.system, c.idle, c.iowait, c.irq, c.softirq, c.steal, 0, 0} {
		b = strconv.AppendInt(append(b, ' '), ns/nsPerTick, 10)
	}
	return append(b, '\n')
}

// slabinfo writes /proc/slabinfo (mm/slab_common.c).
func (m *machine) slabinfo(b []byte) []byte {
	t := &m.memoryRoot().mem.total
	return appendSlabs(b, t[slabReclaimable], t[slabUnreclaimable])
}

func appendSlabs(b []byte, reclaimable, unreclaimable int64) []byte {
	b = append(b, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"...)
	for _, s := range []struct {
		name                   string
		bytes                  int64
		objsize, objs, perSlab int64
	}{{"dentry", reclaimable, 192, 21, 1}, {"kmalloc-1k", unreclaimable, 1024, 16, 4}} {
		slabs := s.bytes / (s.perSlab * pageSize)
		n := slabs * s.objs
		b = fmt.Appendf(b, "%-17s %6d %6d %6d %4d %4d : tunables %4d %4d %4d : slabdata %6d %6d %6d\n", s.name, n, n, s.objsize, s.objs, s.perSlab, 0, 0, 0, slabs, slabs, 0)
	}
	return b
}

// cgroupsFile writes /proc/cgroups.
func (m *machine) cgroupsFile(b []byte) []byte {
	b = append(b, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"...)
	for _, h := range m.hierarchies {
		n := 0
		for range h.root.down {
			n++
		}
		for _, c := range h.controllers {
			if c == "io" {
				c = "blkio"
			}
			b = fmt.Appendf(b, "%s\t%d\t%d\t1\n", c, h.id, n)
		}
	}
	return b
}

// mountinfo writes /proc/PID/mountinfo: the mounts a program finds cgroups and /proc by.
func (m *machine) mountinfo(b []byte) []byte {
	b = append(b, `24 31 0:22 / /proc rw,relatime - proc proc rw
25 31 0:23 / /sys rw,relatime - sysfs sysfs rw
26 31 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=488276k,nr_inodes=122069,mode=755,inode64
31 1 0:26 / / rw,relatime - ext4 /dev/sda1 rw
34 31 0:31 / /run rw,nosuid,nodev,relatime - tmpfs run rw,mode=755,inode64
`...)
	if m.Layout == "unified" {
		return append(b, "35 25 0:32 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"...)
	}
	b = append(b, "35 25 0:32 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755,inode64\n"...)
	for i, h := range m.hierarchies {
		options, source := strings.Join(h.controllers, ","), h.label()
		switch {
		case h.v2:
			b = fmt.Appendf(b, "%d 35 0:%d / %s rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n", 36+i, 33+i, h.mountPoint())
			continue
		case options == "":
			options, source = "name=systemd", "systemd"
		case h.has("cpuset"):
			options += ",clone_children"
		}
		if m.Layout == "hybrid" {
			source = "cgroup"
		}
		b = fmt.Appendf(b, "%d 35 0:%d / %s rw,relatime - cgroup %s rw,%s\n", 36+i, 33+i, h.mountPoint(), source, options)
	}
	return b
}

// capturedLayout judges a captured host by its mounts.
func capturedLayout(mountinfo []byte) string {
	v1, v2 := false, false
	for line := range lines(mountinfo) {
		_, after, _ := strings.Cut(line, " - ")
		switch kind, _, _ := strings.Cut(after, " "); kind {
		case "cgroup":
			v1 = true
		case "cgroup2":
			v2 = true
		}
	}
	switch {
	case v1 && v2:
		return "hybrid"
	case v1:
		return "legacy"
	case v2:
		return "unified"
	}
	return ""
}
