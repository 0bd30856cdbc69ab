// Package core turns values of the kernel into the files a container sees. It is pure: a view of one
// container and its history go in, bytes come out.
//
// [Core.Read] answers one read: it finds out who asks, renders the file from what the kernel says of
// that container, and falls back to the host's own file where the kernel says nothing. [Core.List] and
// [Core.Stat] do the same for directories. [Files] is the table of served files; nothing else knows
// their names. [Core.Explain] renders a file and says where each of its numbers came from: it is the
// same renderer speaking, so it cannot drift.
//
// # Who asks
//
// A request carries the caller's thread id. The container is the init of the caller's pid namespace
// (the innermost one, if they nest), with its cgroup for each controller; a trailing /init.scope is
// pruned, because systemd in a container moves itself there below the limits. A caller in the daemon's
// own pid namespace, or whose init cannot be found, is judged by its own cgroup. A caller that is not
// visible to the daemon (thread id 0) is shown the host's files. A namespace is remembered while a
// descriptor pins it, so no reuse of a number can show one container another's.
//
// # CPUs
//
// One model per read, that of a virtual machine with room for more CPUs. The visible CPUs are those of
// the effective cpuset; with [Options].CFS only its first r, where r is the strictest quota/period up
// the tree, rounded up. They are present and online under the numbers the kernel knows them by. All
// others are absent: no line, no directory, no bit in a mask. "possible" reaches from 0 to the highest
// CPU of the effective cpuset, because programs size arrays by it and index them by sched_getcpu(2).
// There is always at least one CPU.
//
// # CPU time
//
// A container's CPU time is cpu.stat (v2) or cpuacct.usage_percpu (v1, per CPU, divided into user and system as in cpuacct.usage_all). Time that belongs to no
// visible CPU is spread over the visible ones. Idle time is elapsed x visible CPUs - used. The lines of
// /proc/stat, their sum, and the idle column of /proc/uptime come from the same [History] and never
// fall, also when CPUs come and go: the counts of a CPU that leaves go to those that come or stay. A
// CPU that returns starts anew, as one that is plugged in.
//
// # Memory
//
// MemTotal is the smallest limit up the tree, at most the host's memory; usage is judged at the level
// that limits, so siblings under the same limit count. All subtraction stops at 0. No size is more than
// MemTotal; swap is bounded by SwapTotal instead. Labels, order and columns are the host's.
//
// Each line of /proc/meminfo, its memory.stat keys on v2 and v1 ("-": not accounted, shown as 0):
//
//	line              v2                                   v1
//	MemTotal          memory.max                           hierarchical_memory_limit
//	MemFree           MemTotal - memory.current            MemTotal - memory.usage_in_bytes
//	MemAvailable      MemFree + active_file + inactive_file + slab_reclaimable
//	Buffers           0: block device pages are part of file pages
//	Cached            file                                 total_cache
//	SwapCached        swapcached                           total_swapcached
//	Active            active_anon + active_file            total_active_anon + total_active_file
//	Inactive          inactive_anon + inactive_file        total_inactive_anon + total_inactive_file
//	Active(anon)      active_anon                          total_active_anon
//	Inactive(anon)    inactive_anon                        total_inactive_anon
//	Active(file)      active_file                          total_active_file
//	Inactive(file)    inactive_file                        total_inactive_file
//	Unevictable       unevictable                          total_unevictable
//	Mlocked           the host's, at most unevictable      the host's, at most total_unevictable
//	SwapTotal         memory.swap.max                      hierarchical_memsw_limit (RAM+SWAP)
//	SwapFree          SwapTotal - memory.swap.current      SwapTotal - (memsw.usage - usage)
//	Zswap             zswap                                -
//	Zswapped          zswapped                             -
//	Dirty             file_dirty                           total_dirty
//	Writeback         file_writeback                       total_writeback
//	AnonPages         anon                                 total_rss
//	Mapped            file_mapped                          total_mapped_file
//	Shmem             shmem                                total_shmem
//	KReclaimable      slab_reclaimable                     -
//	Slab              slab_reclaimable + slab_unreclaimable -
//	SReclaimable      slab_reclaimable                     -
//	SUnreclaim        slab_unreclaimable                   -
//	KernelStack       kernel_stack                         -
//	PageTables        pagetables                           -
//	SecPageTables     sec_pagetables                       -
//	VmallocUsed       vmalloc                              -
//	Percpu            percpu                               -
//	AnonHugePages     anon_thp                             total_rss_huge
//	ShmemHugePages    shmem_thp                            -
//	ShmemPmdMapped    0: not accounted per cgroup
//	FileHugePages     file_thp                             -
//	FilePmdMapped     0: not accounted per cgroup
//	HugePages_Total   hugetlb.SIZE.max / size              hugetlb.SIZE.limit_in_bytes / size
//	HugePages_Free    Total - hugetlb.SIZE.current / size  Total - hugetlb.SIZE.usage_in_bytes / size
//	HugePages_Rsvd    (rsvd.current - current) / size      (rsvd.usage_in_bytes - usage) / size
//	HugePages_Surp    0: a cgroup does not know which pages are surplus
//	Hugetlb           HugePages_Total x Hugepagesize
//
// Every other line (NFS_Unstable, Bounce, WritebackTmp, CommitLimit, Committed_AS,
// VmallocTotal, VmallocChunk, HardwareCorrupted, Unaccepted, Balloon, Cma*, Hugepagesize, DirectMap*) is
// the host's, but never more than MemTotal: no cgroup accounts it.
//
// Swap follows what LXCFS's manual promises. Without swap accounting none is shown. On v1 a container
// may swap out more than its RAM+SWAP limit exceeds its RAM limit, so the size shown is the whole
// RAM+SWAP limit, or the host's swap where that is less; with a swappiness of 0 it is what is in use. On
// v2 swap has a limit of its own.
//
// # Load
//
// The load of a container is the number of its threads in state R or D, in the cgroup of its cpu
// controller and all below it, averaged with the kernel's fixed-point arithmetic every five seconds
// ([Core.Tick]). Only containers that asked in the last quarter of an hour are sampled; averages start
// at 0 with the first read.
//
// # Errors
//
// What the kernel does not have (no such controller, file or process) makes the host's file the answer,
// and is logged for debugging. A kernel file that does not look as documented does the same, with a
// warning once a minute for each cause. Anything else is returned. Half a file never is. A file that
// only root may read on the host is never handed to others.
//
// # Decisions
//
// 2026-11-23: CPU numbers are the kernel's everywhere, not renumbered from 0. LXCFS renumbers cpuinfo,
// and stat in one mode; then an id read there cannot be pinned to. Price: programs that take "processor"
// for a dense index see gaps, as on any machine with offline CPUs.
//
// 2026-11-23: the first column of /proc/stat's idle is computed, not measured: nobody accounts a
// cgroup's idle time per CPU. Price: iowait, irq, softirq and steal are 0.
//
// 2026-11-23: a renderer is data where its file is a list of fields, so that one evaluator serves both
// reading and explaining. Price: a small interpreter where straight code would do.
//
// 2026-11-23: procs_running and loadavg's counts are taken at most once a second per container, at the
// read. Price: up to a second old; gain: a loop over /proc/stat does not walk all threads each time.
package core
