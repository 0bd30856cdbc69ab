package fakekernel

import "time"

// v1Files are the files of a cgroup v1 tree (Documentation/admin-guide/cgroup-v1/), hugetlb's left out. What is newer than
// 6.1 was seen on 6.18 only.
var v1Files = []cgroupFile{
	{name: "cgroup.procs", mode: 0o644, text: procsText},
	{name: "tasks", mode: 0o644, text: threadsText},
	{name: "cgroup.clone_children", mode: 0o644, text: func(_ *machine, cg *cgroup, b []byte) []byte { return appendLine(b, bit(cg.h.has("cpuset"))) }},
	{name: "notify_on_release", mode: 0o644, text: text("0\n")},
	{name: "cgroup.sane_behavior", where: onlyRoot, text: text("0\n")},
	{name: "release_agent", where: onlyRoot, mode: 0o644, text: text("\n")},

	{name: "cpu.shares", ctl: "cpu", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.cpu.weight * defaultShares / 100 })},
	{name: "cpu.cfs_quota_us", ctl: "cpu", mode: 0o644, text: number(func(cg *cgroup) int64 {
		if cg.cpu.quota < 0 {
			return -1
		}
		return int64(cg.cpu.quota / time.Microsecond)
	})},
	{name: "cpu.cfs_period_us", ctl: "cpu", mode: 0o644, text: number(func(cg *cgroup) int64 { return int64(cg.cpu.period / time.Microsecond) })},
	{name: "cpu.cfs_burst_us", ctl: "cpu", since: v5_14, mode: 0o644, text: text("0\n")},
	{name: "cpu.idle", ctl: "cpu", since: v5_15, mode: 0o644, text: text("0\n")},
	{name: "cpu.stat", ctl: "cpu", text: cpuStatV1},
	{name: "cpu.stat.local", ctl: "cpu", since: v6_6, text: func(_ *machine, cg *cgroup, b []byte) []byte {
		return appendKV(b, "throttled_time", cg.cpu.throttledNS)
	}},

	{name: "cpuacct.usage", ctl: "cpuacct", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.cpu.user + cg.cpu.system })},
	{name: "cpuacct.usage_user", ctl: "cpuacct", text: allCPUs(userOf)},
	{name: "cpuacct.usage_sys", ctl: "cpuacct", text: allCPUs(systemOf)},
	{name: "cpuacct.usage_all", ctl: "cpuacct", text: usageAll},
	{name: "cpuacct.usage_percpu", ctl: "cpuacct", text: eachCPU(totalOf)},
	{name: "cpuacct.usage_percpu_user", ctl: "cpuacct", text: eachCPU(userOf)},
	{name: "cpuacct.usage_percpu_sys", ctl: "cpuacct", text: eachCPU(systemOf)},
	{name: "cpuacct.stat", ctl: "cpuacct", text: func(_ *machine, cg *cgroup, b []byte) []byte {
		return appendKV(appendKV(b, "user", cg.cpu.user/nsPerTick), "system", cg.cpu.system/nsPerTick)
	}},

	{name: "cpuset.cpus", ctl: "cpuset", mode: 0o644, text: mask(ownCPUs)},
	{name: "cpuset.effective_cpus", ctl: "cpuset", text: mask((*machine).effective)},
	{name: "cpuset.mems", ctl: "cpuset", mode: 0o644, text: text("0\n")},
	{name: "cpuset.effective_mems", ctl: "cpuset", text: text("0\n")},
	{name: "cpuset.cpu_exclusive", ctl: "cpuset", mode: 0o644, text: number(func(cg *cgroup) int64 { return bit(cg.isRoot()) })},
	{name: "cpuset.mem_exclusive", ctl: "cpuset", mode: 0o644, text: number(func(cg *cgroup) int64 { return bit(cg.isRoot()) })},
	{name: "cpuset.mem_hardwall", ctl: "cpuset", mode: 0o644, text: text("0\n")},
	{name: "cpuset.memory_migrate", ctl: "cpuset", mode: 0o644, text: text("0\n")},
	{name: "cpuset.memory_pressure", ctl: "cpuset", text: text("0\n")},
	{name: "cpuset.memory_pressure_enabled", ctl: "cpuset", where: onlyRoot, mode: 0o644, text: text("0\n")},
	{name: "cpuset.memory_spread_page", ctl: "cpuset", mode: 0o644, text: text("0\n")},
	{name: "cpuset.memory_spread_slab", ctl: "cpuset", mode: 0o644, text: text("0\n")},
	{name: "cpuset.sched_load_balance", ctl: "cpuset", mode: 0o644, text: text("1\n")},
	{name: "cpuset.sched_relax_domain_level", ctl: "cpuset", mode: 0o644, text: text("-1\n")},

	{name: "blkio.reset_stats", ctl: "blkio", mode: 0o200},
	{name: "blkio.throttle.io_service_bytes", ctl: "blkio", text: blkioStat(false, true)},
	{name: "blkio.throttle.io_service_bytes_recursive", ctl: "blkio", text: blkioStat(true, true)},
	{name: "blkio.throttle.io_serviced", ctl: "blkio", text: blkioStat(false, false)},
	{name: "blkio.throttle.io_serviced_recursive", ctl: "blkio", text: blkioStat(true, false)},
	{name: "blkio.throttle.read_bps_device", ctl: "blkio", mode: 0o644, text: throttleLimit("rbps")},
	{name: "blkio.throttle.read_iops_device", ctl: "blkio", mode: 0o644, text: throttleLimit("riops")},
	{name: "blkio.throttle.write_bps_device", ctl: "blkio", mode: 0o644, text: throttleLimit("wbps")},
	{name: "blkio.throttle.write_iops_device", ctl: "blkio", mode: 0o644, text: throttleLimit("wiops")},
	{name: "blkio.weight", ctl: "blkio", until: v5_0, mode: 0o644, text: text("500\n")},
	{name: "blkio.io_service_bytes_recursive", ctl: "blkio", until: v5_0, text: blkioStat(true, true)},
	{name: "blkio.io_serviced_recursive", ctl: "blkio", until: v5_0, text: blkioStat(true, false)},
	{name: "blkio.io_merged_recursive", ctl: "blkio", until: v5_0, text: cfqStat(0, 1)},
	{name: "blkio.io_service_time_recursive", ctl: "blkio", until: v5_0, text: cfqStat(1_100_000, 2_300_000)},
	{name: "blkio.io_wait_time_recursive", ctl: "blkio", until: v5_0, text: cfqStat(700_000, 1_900_000)},
	{name: "blkio.io_queued_recursive", ctl: "blkio", until: v5_0, text: cfqStat(0, 0)},

	{name: "memory.usage_in_bytes", ctl: "memory", text: number(func(cg *cgroup) int64 { return cg.mem.total.usage() })},
	{name: "memory.max_usage_in_bytes", ctl: "memory", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.mem.peak })},
	{name: "memory.limit_in_bytes", ctl: "memory", mode: 0o644, text: v1Limit(func(cg *cgroup) int64 { return cg.mem.max })},
	{name: "memory.soft_limit_in_bytes", ctl: "memory", mode: 0o644, text: v1Limit(func(cg *cgroup) int64 { return cg.mem.soft })},
	{name: "memory.failcnt", ctl: "memory", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.mem.failcnt })},
	{name: "memory.memsw.usage_in_bytes", ctl: "memory", text: number(func(cg *cgroup) int64 { return cg.mem.total.usage() + cg.mem.total[swap] })},
	{name: "memory.memsw.max_usage_in_bytes", ctl: "memory", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.mem.memswPeak })},
	{name: "memory.memsw.limit_in_bytes", ctl: "memory", mode: 0o644, text: v1Limit(func(cg *cgroup) int64 { return cg.mem.memswMax })},
	{name: "memory.memsw.failcnt", ctl: "memory", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.mem.memswFailcnt })},
	{name: "memory.kmem.usage_in_bytes", ctl: "memory", text: number(func(cg *cgroup) int64 { return cg.mem.total.kernel() })},
	{name: "memory.kmem.max_usage_in_bytes", ctl: "memory", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.mem.kmemPeak })},
	{name: "memory.kmem.limit_in_bytes", ctl: "memory", mode: 0o644, text: number(func(*cgroup) int64 { return pageCounterMax })},
	{name: "memory.kmem.failcnt", ctl: "memory", mode: 0o644, text: text("0\n")},
	{name: "memory.kmem.slabinfo", ctl: "memory", text: kmemSlabinfo},
	{name: "memory.kmem.tcp.usage_in_bytes", ctl: "memory", text: number(func(cg *cgroup) int64 { return cg.mem.total[sock] })},
	{name: "memory.kmem.tcp.max_usage_in_bytes", ctl: "memory", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.mem.total[sock] })},
	{name: "memory.kmem.tcp.limit_in_bytes", ctl: "memory", mode: 0o644, text: number(func(*cgroup) int64 { return pageCounterMax })},
	{name: "memory.kmem.tcp.failcnt", ctl: "memory", mode: 0o644, text: text("0\n")},
	{name: "memory.stat", ctl: "memory", text: statV1},
	{name: "memory.numa_stat", ctl: "memory", text: numaStatV1},
	{name: "memory.swappiness", ctl: "memory", mode: 0o644, text: number(func(cg *cgroup) int64 { return cg.mem.swappiness })},
	{name: "memory.use_hierarchy", ctl: "memory", mode: 0o644, text: text("1\n")},
	{name: "memory.move_charge_at_immigrate", ctl: "memory", mode: 0o644, text: text("0\n")},
	{name: "memory.oom_control", ctl: "memory", mode: 0o644, text: func(_ *machine, cg *cgroup, b []byte) []byte {
		return appendKV(appendKV(appendKV(b, "oom_kill_disable", 0), "under_oom", 0), "oom_kill", cg.mem.events.oomKill)
	}},
	{name: "memory.pressure_level", ctl: "memory", mode: 0o000},
	{name: "memory.force_empty", ctl: "memory", mode: 0o200},
	{name: "cgroup.event_control", ctl: "memory", mode: 0o222},

	{name: "freezer.state", ctl: "freezer", where: notRoot, mode: 0o644, text: func(_ *machine, cg *cgroup, b []byte) []byte {
		if cg.isFrozen() {
			return append(b, "FROZEN\n"...)
		}
		return append(b, "THAWED\n"...)
	}},
	{name: "freezer.self_freezing", ctl: "freezer", where: notRoot, text: number(func(cg *cgroup) int64 { return bit(cg.frozen) })},
	{name: "freezer.parent_freezing", ctl: "freezer", where: notRoot, text: number(func(cg *cgroup) int64 { return bit(cg.parent.isFrozen()) })},

	{name: "pids.current", ctl: "pids", where: notRoot, text: number(func(cg *cgroup) int64 { return int64(cg.ntasks) })},
	{name: "pids.peak", ctl: "pids", since: v6_1, where: notRoot, text: number(func(cg *cgroup) int64 { return int64(cg.pidsPeak) })},
	{name: "pids.max", ctl: "pids", where: notRoot, mode: 0o644, text: maxNumber(func(cg *cgroup) int64 { return cg.pidsMax })},
	{name: "pids.events", ctl: "pids", where: notRoot, text: func(_ *machine, cg *cgroup, b []byte) []byte { return appendKV(b, "max", cg.pidsEvents) }},

	{name: "devices.allow", ctl: "devices", mode: 0o200},
	{name: "devices.deny", ctl: "devices", mode: 0o200},
	{name: "devices.list", ctl: "devices", text: text("a *:* rwm\n")},
	{name: "net_cls.classid", ctl: "net_cls", mode: 0o644, text: text("0\n")},
	{name: "net_prio.ifpriomap", ctl: "net_prio", mode: 0o644, text: text("lo 0\n")},
	{name: "net_prio.prioidx", ctl: "net_prio", text: number(func(cg *cgroup) int64 { return 1 + bit(!cg.isRoot()) })},
	{name: "rdma.current", ctl: "rdma", where: notRoot, text: text("")},
	{name: "rdma.max", ctl: "rdma", where: notRoot, mode: 0o644, text: text("")},
	{name: "misc.capacity", ctl: "misc", where: onlyRoot, text: text("")},
	{name: "misc.current", ctl: "misc", where: notRoot, text: text("")},
	{name: "misc.events", ctl: "misc", where: notRoot, text: text("")},
	{name: "misc.max", ctl: "misc", where: notRoot, mode: 0o644, text: text("")},
}
