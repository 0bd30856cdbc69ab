package fakekernel

// v2Files are the files of a cgroup v2 tree (Documentation/admin-guide/cgroup-v2.rst), hugetlb's left out: they depend on the
// machine's page sizes. Pressure files come from the group's pressures.
var v2Files = []cgroupFile{
	{name: "cgroup.controllers", text: words(func(cg *cgroup) []string { return cg.enabled })},
	{name: "cgroup.subtree_control", mode: 0o644, text: words(func(cg *cgroup) []string { return cg.subtree })},
	{name: "cgroup.procs", mode: 0o644, text: procsText},
	{name: "cgroup.threads", mode: 0o644, text: threadsText},
	{name: "cgroup.stat", text: cgroupStat},
	{name: "cgroup.max.depth", mode: 0o644, text: text("max\n")},
	{name: "cgroup.max.descendants", mode: 0o644, text: text("max\n")},
	{name: "cgroup.pressure", since: v6_1, mode: 0o644, text: text("1\n")},
	{name: "cgroup.type", where: notRoot, mode: 0o644, text: text("domain\n")},
	{name: "cgroup.events", where: notRoot, text: func(_ *machine, cg *cgroup, b []byte) []byte {
		return appendKV(appendKV(b, "populated", bit(cg.populated())), "frozen", bit(cg.isFrozen()))
	}},
	{name: "cgroup.freeze", where: notRoot, mode: 0o644, text: number(func(cg *cgroup) int64 { return bit(cg.frozen) })},
	{name: "cgroup.kill", since: v5_14, where: notRoot, mode: 0o200},
	{name: "cgroup.stat.local", since: v6_18, where: notRoot, text: text("frozen_usec 0\n")},

	{name: "cpu.stat", text: cpuStatV2},
	{name: "cpu.stat.local", since: v6_6, text: cpuStatLocal},
	{name: "cpu.max", ctl: "cpu", where: notRoot, mode: 0o644, text: cpuMax},
	{name: "cpu.max.burst", ctl: "cpu", since: v5_14, where: notRoot, mode: 0o644, text: text("0\n")},
	{name: "cpu.weight", ctl: "cpu", where: notRoot, mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.cpu.weight })},
	{name: "cpu.weight.nice", ctl: "cpu", where: notRoot, mode: 0o644, text: text("0\n")},
	{name: "cpu.idle", ctl: "cpu", since: v5_15, where: notRoot, mode: 0o644, text: text("0\n")},
	{name: "cpu.uclamp.max", ctl: "cpu", since: v6_18, where: notRoot, mode: 0o644, text: text("max\n")},
	{name: "cpu.uclamp.min", ctl: "cpu", since: v6_18, where: notRoot, mode: 0o644, text: text("0.00\n")},

	{name: "cpuset.cpus", ctl: "cpuset", where: notRoot, mode: 0o644, text: mask(ownCPUs)},
	{name: "cpuset.cpus.effective", ctl: "cpuset", text: mask((*machine).effective)},
	{name: "cpuset.cpus.exclusive", ctl: "cpuset", since: v6_6, where: notRoot, mode: 0o644, text: text("\n")},
	{name: "cpuset.cpus.exclusive.effective", ctl: "cpuset", since: v6_6, where: notRoot, text: text("\n")},
	{name: "cpuset.cpus.isolated", ctl: "cpuset", since: v6_6, where: onlyRoot, text: text("\n")},
	{name: "cpuset.cpus.partition", ctl: "cpuset", where: notRoot, mode: 0o644, text: text("member\n")},
	{name: "cpuset.mems", ctl: "cpuset", where: notRoot, mode: 0o644, text: text("\n")},
	{name: "cpuset.mems.effective", ctl: "cpuset", text: text("0\n")},

	{name: "io.stat", ctl: "io", text: ioStat},
	{name: "io.max", ctl: "io", where: notRoot, mode: 0o644, text: ioMax},
	{name: "io.weight", ctl: "io", where: notRoot, mode: 0o644, text: text("default 100\n")},
	{name: "io.cost.model", ctl: "io", where: onlyRoot, mode: 0o644, text: text("")},
	{name: "io.cost.qos", ctl: "io", where: onlyRoot, mode: 0o644, text: text("")},

	{name: "memory.stat", ctl: "memory", text: statV2},
	{name: "memory.numa_stat", ctl: "memory", text: numaStatV2},
	{name: "memory.reclaim", ctl: "memory", since: v5_19, mode: 0o200},
	{name: "memory.current", ctl: "memory", where: notRoot, text: number(func(cg *cgroup) int64 { return cg.mem.total.usage() })},
	{name: "memory.peak", ctl: "memory", since: v5_19, where: notRoot, text: number(func(cg *cgroup) int64 { return cg.mem.peak })},
	{name: "memory.min", ctl: "memory", where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.mem.min })},
	{name: "memory.low", ctl: "memory", where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.mem.low })},
	{name: "memory.high", ctl: "memory", where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.mem.high })},
	{name: "memory.max", ctl: "memory", where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.mem.max })},
	{name: "memory.events", ctl: "memory", where: notRoot, text: eventsText(false)},
	{name: "memory.events.local", ctl: "memory", where: notRoot, text: eventsText(true)},
	{name: "memory.oom.group", ctl: "memory", where: notRoot, mode: 0o644, text: text("0\n")},
	{name: "memory.swap.current", ctl: "memory", where: notRoot, text: number(func(cg *cgroup) int64 { return cg.mem.total[swap] })},
	{name: "memory.swap.peak", ctl: "memory", since: v6_9, where: notRoot, text: number(func(cg *cgroup) int64 { return cg.mem.swapPeak })},
	{name: "memory.swap.high", ctl: "memory", where: notRoot, mode: 0o644, text: text("max\n")},
	{name: "memory.swap.max", ctl: "memory", where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.mem.swapMax })},
	{name: "memory.swap.events", ctl: "memory", where: notRoot, text: func(_ *machine, cg *cgroup, b []byte) []byte {
		return appendKV(appendKV(appendKV(b, "high", 0), "max", cg.mem.swapMaxEvents), "fail", cg.mem.swapFailEvents)
	}},
	{name: "memory.zswap.current", ctl: "memory", since: v5_19, where: notRoot, text: number(func(cg *cgroup) int64 { return cg.mem.total[zswap] })},
	{name: "memory.zswap.max", ctl: "memory", since: v5_19, where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.mem.zswapMax })},
	{name: "memory.zswap.writeback", ctl: "memory", since: v7_3, where: onlyRoot, mode: 0o644, text: text("1\n")},
	{name: "memory.zswap.writeback", ctl: "memory", since: v6_9, where: notRoot, mode: 0o644, text: text("1\n")},

	{name: "pids.current", ctl: "pids", where: notRoot, text: number(func(cg *cgroup) int64 { return int64(cg.ntasks) })},
	{name: "pids.peak", ctl: "pids", since: v6_1, where: notRoot, text: number(func(cg *cgroup) int64 { return int64(cg.pidsPeak) })},
	{name: "pids.max", ctl: "pids", where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.pidsMax })},
	{name: "pids.events", ctl: "pids", where: notRoot, text: func(_ *machine, cg *cgroup, b []byte) []byte { return appendKV(b, "max", cg.pidsEvents) }},
	{name: "pids.events.local", ctl: "pids", since: v6_12, where: notRoot, text: func(_ *machine, cg *cgroup, b []byte) []byte { return appendKV(b, "max", cg.pidsEvents) }},

	{name: "rdma.current", ctl: "rdma", where: notRoot, text: text("")},
	{name: "rdma.max", ctl: "rdma", where: notRoot, mode: 0o644, text: text("")},

	{name: "misc.capacity", ctl: "misc", where: onlyRoot, text: text("")},
	{name: "misc.current", ctl: "misc", until: v6_6, where: notRoot, text: text("")},
	{name: "misc.current", ctl: "misc", since: v6_6, text: text("")},
	{name: "misc.peak", ctl: "misc", since: v6_12, text: text("")},
	{name: "misc.max", ctl: "misc", where: notRoot, mode: 0o644, text: text("")},
	{name: "misc.events", ctl: "misc", where: notRoot, text: text("")},
	{name: "misc.events.local", ctl: "misc", since: v6_12, where: notRoot, text: text("")},
}
