// Package fakekernel is a kernel you can script: a tree of files that Linux could have produced, and verbs that change it as
// Linux would. Scenarios, simulations and bug reports run the code under test against it, on any machine, without root.
//
// A [Kernel] is an [afero.Fs]. Its files are generated from a model when they are read, so none can contradict another: charge
// memory to a cgroup and memory.current, its memory.stat, those of its ancestors and the host's /proc/meminfo all say so. The
// package imports neither the code under test nor its parsers: it is an independent witness, held against real kernels.
//
// # A complete scenario
//
// A scenario is a testscript: verbs below, testscript's own commands (stdout, stderr, cmp, env, skip, ...), and files for cmp
// after the script. One that says $layout runs under legacy, hybrid and unified cgroups. This one is a test of lxcfsctl replay:
//
//	# A container with half a gigabyte and one and a half CPUs.
//	boot $layout kernel=6.1 cpus=4 memory=8G swap=2G
//	cgroup create /lxc/web
//	limit memory /lxc/web 512M
//	limit cpu /lxc/web 1.5
//	spawn web in /lxc/web pidns=new
//	charge /lxc/web anon=100M file=50M
//
//	# It sees its limit.
//	read /proc/meminfo as web
//	stdout '^MemTotal: +524288 kB$'
//
//	# It wants four CPUs and gets its quota: 15 s in 10 s, in ticks of USER_HZ.
//	run web user=4
//	tick 10s
//	read /proc/stat as web
//	stdout '^cpu  1500 0 0 '
//
//	# Page cache makes room before anything else; then there is swap; then there is nothing.
//	limit swap /lxc/web 0
//	charge /lxc/web anon=400M
//	! charge /lxc/web anon=100M
//	stderr ENOMEM
//
//	# Its first process ends, and with it the container. Nobody is left to be told anything but the host's numbers.
//	kill web
//	cgroup remove /lxc/web
//	read /proc/meminfo as web
//	stdout '^MemTotal: +8388608 kB$'
//
// # Verbs
//
// Each is a command of a script and, but for boot, a method of [Kernel]; [Kernel.Do] takes one as words. "!" before a verb says
// that it must fail, its error with the errno's name goes to stderr. PATH is a cgroup, the same in every layout; "memory:/x" means the
// hierarchy of one controller alone. FILE is a path of the kernel's tree. Sizes are 4096, 64M, 1.5G; times are 5s, 200ms.
//
//	boot LAYOUT [OPTION=...]                 fakekernel.Boot  a machine: legacy, hybrid or unified; options there
//	boot HOST                                fakekernel.Load  a host archive from beside the script, ../hosts or the script itself
//	daemon FLAG...                           -           start the code under test anew with these flags
//	cgroup create PATH [controllers=A,B]     CgroupCreate  make a cgroup and its parents
//	cgroup remove PATH                       CgroupRemove  rmdir; open files answer ENODEV
//	limit WHAT PATH VALUE                    Limit       memory high low min soft swap memsw swappiness zswap cpu weight cpuset io hugetlb pids
//	charge PATH|NAME KEY=SIZE... [oom=kill]  Charge      account memory, by memory.stat's names; reclaims, then ENOMEM or kills
//	swap PATH|NAME out=SIZE|in=SIZE          Swap        move pages to swap and back
//	spawn NAME in PATH [pidns=new|host|of:NAME] [parent=NAME] [threads=N] [comm=TEXT] [uid=N] [personality=HEX]
//	                                         Spawn       start a process; NAME is its handle
//	run NAME [user=CPUS] [system=CPUS] [nice=N] [state=R|S|D]
//	                                         Run         the CPUs it wants from now on, or that it is blocked
//	move NAME to PATH                        Move        write it to cgroup.procs; makes PATH, as spawn does
//	kill NAME                                Kill        end it, and its pid namespace if it was the first there
//	reuse NAME|PID as NAME in PATH [...]     Reuse       its pid goes to a new process
//	tick DURATION                            Tick        time passes; the subject is ticked every 5 s of it
//	io NAME|PATH DISK [read=SIZE] [write=SIZE] [discard=SIZE] [reads=N] [writes=N] [discards=N]
//	                                         IO          requests to a disk
//	hotplug CPU on|off                       Hotplug     take a CPU offline or online
//	freeze PATH, thaw PATH                   Freeze, Thaw  stop and continue the processes of a cgroup
//	stall PATH cpu|memory|io [some=DURATION] [full=DURATION]
//	                                         Stall       pressure; fires triggers
//	write FILE TEXT                          Write       raw edit, or a new file; \n for a new line
//	fail FILE ERRNO                          Fail        a path that is there answers with an error; 0 ends that
//	remove FILE                              RemoveFile  a path that is there is so no longer
//	read FILE as NAME [uid=N]                -           ask the code under test; the answer is stdout
//	list DIR as NAME                         -           its names, one a line
//
// FILE in read is one that the code under test serves: "lxcfsctl files" lists them. NAME in read and list is a spawned process,
// a pid, or init for the host's pid 1; 0 is a caller the daemon cannot see. Who is dead, or was never there, gets the host's
// files. The conditions [legacy], [hybrid] and [unified] say how the booted host mounts cgroups.
//
// # What the machine is like
//
// Legacy mounts every v1 controller on its own, as cgroupfs-mount does; hybrid is systemd's, with cpu,cpuacct joined, links
// for the single names and a v2 tree without controllers at unified; unified is v2 alone. The host itself is pid 1 (systemd),
// pid 2 and the daemon (/proc/self), all in the root cgroups; the first spawned process is pid 1000. Releases 4.19, 5.10, 6.1,
// 6.12, 6.18 and 7.3 differ in the files and keys they have; any MAJOR.MINOR in between works.
//
// CPU time is a fluid: everybody runs at once at a constant rate from verb to verb. Quotas cut first, hierarchically, each
// thread then takes the least busy CPU of its effective cpuset, and what is wanted of one CPU beyond one CPU is shared by
// weight. What is granted is added to the process, the CPU it ran on, and its cgroups up to the root, in nanoseconds, so
// the sums agree; files in USER_HZ cut off as the kernel does. Of what a quota cuts, cpuacct.usage_all and the other files
// made of ticks find a fifth; cpuacct.usage, usage_percpu and stat are exact.
//
// Load averages of a container start with its first read of loadavg: read it once before the tick.
//
// Memory is charged where [Kernel.Charge] says and counts in all ancestors. New pages are inactive; active_anon=,
// active_file= and unevictable= say which of them are not. A full level reclaims below itself: page cache, slab, then swap.
// "limit swap" adds the memory limit on v1, whose file is the sum of both (memsw): all of it may be swapped, and so SwapTotal
// there is memsw, at most the host's swap.
//
// # Host archives
//
// [Load] reads a txtar of host files and [Kernel.Archive] writes one. An archive with an entry named boot is a machine with
// files laid over it; one without is the files of a captured host, which has no processes to spawn and no memory to charge:
// write, fail, remove and tick (/proc/uptime moves) are what it can do. Entries under want/ are goldens.
//
// # Decisions
//
// 2026-11-23: state, not files. Scripts that edit files are short to build and soon show what no kernel would. Files are
// rendered from state at read time (as gVisor's kernfs does); raw edits lie over them and are called raw. Price: a new file
// needs a row here before a scenario can use it.
//
// 2026-11-23: a cgroup on v2 has no processes of its own once it hands controllers down, and verbs answer EBUSY as Linux does.
// Spawn first and create below afterwards, which gives the lower cgroup no controllers, or create with controllers=none.
//
// 2026-11-23: reclaim never fails to find what is there, compaction, watermarks and swap-in on access do not exist, and zswap
// compresses three to one. Numbers are exact where Linux is noisy, so that scenarios can say them.
//
// 2026-11-23: a script runs as a copy in which kill is spelt kill_, because testscript has a command kill that cannot be
// replaced. Error messages name the copy.
package fakekernel
