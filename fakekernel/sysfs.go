package fakekernel

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// sysNode is /sys as far as a container's view of CPUs and cgroups needs it.
func (m *machine) sysNode() *node {
	return dirNode("sys", func(name string) *node {
		switch name {
		case "devices":
			return tree("devices", tree("system", dirNode("cpu", m.cpuEntry, m.cpuNames)))
		case "fs":
			return tree("fs", m.cgroupMount())
		}
		return nil
	}, func() []string { return []string{"devices", "fs"} })
}

// cgroupMount is /sys/fs/cgroup: the v2 tree, or a tmpfs with a directory per hierarchy and links for joined ones.
func (m *machine) cgroupMount() *node {
	if m.Layout == "unified" {
		n := m.cgroupNode(m.hierarchies[0].root)
		n.name = "cgroup"
		return n
	}
	var nodes []*node
	for _, h := range m.hierarchies {
		nodes = append(nodes, m.cgroupNode(h.root))
		if len(h.controllers) > 1 {
			for _, c := range h.controllers {
				nodes = append(nodes, linkNode(c, h.dir))
			}
		}
	}
	n := tree("cgroup", nodes...)
	n.mode = fs.ModeDir | 0o755
	return n
}

func (m *machine) cpuNames() []string {
	names := []string{"isolated", "kernel_max", "modalias", "offline", "online", "possible", "present", "smt", "uevent", "vulnerabilities"}
	for i := range m.cpus {
		names = append(names, "cpu"+strconv.Itoa(i))
	}
	return names
}

const cpuModalias = "cpu:type:x86,ven0002fam0019mod0011:feature:,0000,0001,0002"

// cpuEntry is a name below /sys/devices/system/cpu.
func (m *machine) cpuEntry(name string) *node {
	list := func(mask cpumask) *node { return constNode(name, mask.String()+"\n") }
	switch name {
	case "online":
		return list(m.onlineMask())
	case "present", "possible":
		return list(fullMask(m.CPUs))
	case "offline":
		off := newMask(m.CPUs)
		for i := range m.cpus {
			if !m.cpus[i].online {
				off.set(i)
			}
		}
		return list(off)
	case "isolated":
		return constNode(name, "\n")
	case "kernel_max":
		return constNode(name, strconv.Itoa(max(8192, m.CPUs)-1)+"\n")
	case "modalias":
		return constNode(name, cpuModalias+"\n")
	case "uevent":
		n := constNode(name, "")
		n.mode = 0o644
		return n
	case "smt":
		active := m.ThreadsPerCore > 1
		control := "notsupported\n"
		if active {
			control = "on\n"
		}
		return tree(name, constNode("active", strconv.FormatInt(bit(active), 10)+"\n"), constNode("control", control))
	case "vulnerabilities":
		return tree(name, constNode("meltdown", "Not affected\n"), constNode("spectre_v1", "Mitigation: usercopy/swapgs barriers and __user pointer sanitization\n"))
	}
	digits, ok := strings.CutPrefix(name, "cpu")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < 0 || i >= m.CPUs || strconv.Itoa(i) != digits {
		return nil
	}
	return m.oneCPU(name, i)
}

// oneCPU is cpuN/. An offline CPU has no topology and no cache.
func (m *machine) oneCPU(name string, i int) *node {
	notes := constNode("crash_notes", fmt.Sprintf("%x\n", 0x13f000000+i*0x1000))
	notes.mode = 0o400
	uevent := constNode("uevent", "DRIVER=processor\nMODALIAS="+cpuModalias+"\n")
	uevent.mode = 0o644
	nodes := []*node{notes, constNode("crash_notes_size", "376\n"), uevent, linkNode("node0", "../../node/node0"), linkNode("subsystem", "../../../../bus/cpu")}
	if i > 0 {
		online := constNode("online", strconv.FormatInt(bit(m.cpus[i].online), 10)+"\n")
		online.mode = 0o644
		nodes = append(nodes, online)
	}
	if m.cpus[i].online {
		nodes = append(nodes, m.topologyNode(i), m.cacheNode(i))
	}
	return tree(name, nodes...)
}

func (m *machine) maskNodes(name string, mask cpumask, listName string) []*node {
	return []*node{constNode(name, mask.hex(m.CPUs)+"\n"), constNode(listName, mask.String()+"\n")}
}

// topologyNode is cpuN/topology (Documentation/ABI/stable/sysfs-devices-system-cpu).
func (m *machine) topologyNode(i int) *node {
	pkg, core := m.topology(i)
	one, threads, pack := m.span(i, 1), m.span(i, m.ThreadsPerCore), m.span(i, m.CPUsPerPackage)
	num := func(name string, n int) *node { return constNode(name, strconv.Itoa(n)+"\n") }
	nodes := []*node{num("physical_package_id", pkg), num("die_id", 0), num("core_id", core), num("cluster_id", 65535)}
	for _, s := range []struct {
		name string
		mask cpumask
	}{
		{"thread_siblings", threads}, {"core_cpus", threads}, {"cluster_cpus", one},
		{"core_siblings", pack}, {"package_cpus", pack}, {"die_cpus", pack},
	} {
		nodes = append(nodes, m.maskNodes(s.name, s.mask, s.name+"_list")...)
	}
	return tree("topology", nodes...)
}

// cacheNode is cpuN/cache: two first-level caches and a second level per core, a third per package.
func (m *machine) cacheNode(i int) *node {
	_, core := m.topology(i)
	pkg, _ := m.topology(i)
	var nodes []*node
	for k, c := range []struct {
		level, id  int
		kind, size string
		sets, ways int
		mask       cpumask
	}{
		{1, core, "Data", "32K", 64, 8, m.span(i, m.ThreadsPerCore)},
		{1, core, "Instruction", "32K", 64, 8, m.span(i, m.ThreadsPerCore)},
		{2, core, "Unified", "1024K", 2048, 8, m.span(i, m.ThreadsPerCore)},
		{3, pkg, "Unified", "32768K", 32768, 16, m.span(i, m.CPUsPerPackage)},
	} {
		num := func(name string, n int) *node { return constNode(name, strconv.Itoa(n)+"\n") }
		entries := append(m.maskNodes("shared_cpu_map", c.mask, "shared_cpu_list"),
			num("level", c.level), num("id", c.id), constNode("type", c.kind+"\n"), constNode("size", c.size+"\n"),
			num("coherency_line_size", 64), num("number_of_sets", c.sets), num("ways_of_associativity", c.ways), num("physical_line_partition", 1))
		nodes = append(nodes, tree("index"+strconv.Itoa(k), entries...))
	}
	return tree("cache", nodes...)
}
