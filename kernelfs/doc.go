// Package kernelfs turns kernel files into values: what a container's cgroups may use and use, which
// pid namespace a process is in, what the host shows. It is the only package that reads /proc and
// /sys, and the only one that knows afero.
//
// # A pass
//
// [Host] returns the files of the machine, [New] those of any [afero.Fs], a fake kernel's say.
// [FS.Detect] finds the cgroup hierarchies. A reader starts a pass with [FS.Snapshot], asks, and
// resets it:
//
//	k, err := kernelfs.Host(4096)
//	...
//	err = k.Detect()
//	...
//	s := k.Snapshot()
//	ns, err := s.Namespace(pid)
//	init, err := s.Init(pid, ns)
//	text, err := init.Cgroups(s)
//	h := k.Hierarchy(kernelfs.Memory)
//	path, ok := h.Find(text)
//	cg := h.Cgroup(path)
//	limit, err := cg.MemoryLimit(s)
//
// Within a pass a path is read once: whatever is made from it agrees with itself, and
// [Snapshot.Readings] is the list of what it was made from. [Sources] names every path there is.
//
// # Values
//
// Values have the words of cgroup v2 and Go's units, whichever version they come from: [MemoryLimit],
// [MemoryStat], [Swap], [HugePages], [Quota], [CPUTime], [CPUList], [DeviceIO]. Sizes are [Bytes],
// whose arithmetic stops at zero and at [NoLimit]; times are [time.Duration]. A value that has several
// possible places says where it was found ([At]), so that an explanation need not guess.
//
// Limits are the smallest from the cgroup up to the root of its hierarchy, and usage is taken from the
// level that limits, since it counts there: a pod's limit is reached by all of its containers
// together. Counters include child cgroups.
//
// # Errors
//
// There are three kinds, and each is told apart in one way. [Missing] reports that the kernel has no
// such file now: it never had it (ENOENT), the cgroup was removed (ENODEV), the process ended
// (ESRCH), pressure is not accounted (EOPNOTSUPP). A [ParseError] is a file that did not look as the
// kernel documents it, with path and line. Anything else (EACCES, EIO, EMFILE) is the [fs.PathError] it
// was. No error is turned into a value here: what to show instead is the caller's decision.
//
// # What is not a file
//
// Some things the kernel tells only through a descriptor: who is number 1 of a pid namespace
// (ioctl_nsfs(2), since Linux 6.11; before, NSpid is searched), whether a process still lives (a pidfd),
// when pressure passes a threshold ([Trigger]). A fake kernel answers the first two by files and never
// the third.
//
// # Decisions
//
// 2026-11-23, the seam is where files are read, not where inodes are looked up. The kernel is a tree of
// files, so a fake one is an [afero.Fs] and a captured host is an archive of files; both go through the
// same parsers as the machine. Price: a descriptor kept open has no word in afero. The machine's own
// files are therefore read by a faster way beside it, which the tests hold against the same values.
//
// 2026-11-23, a version belongs to a hierarchy. A hybrid host has some controllers on v1 and some on
// v2; [FS.Hierarchy] answers for each controller, and v1 and v2 each implement one small interface.
// There is no third implementation for hybrid, and no question to the host "which version are you".
// Price: a caller finds a container's cgroup once for each controller.
//
// 2026-11-23, files are kept open. A cgroup file costs 6.4 us by open, read and close, and 0.6 us by
// pread on a kept descriptor, at whose offset 0 the kernel renders it anew. Price: descriptors, bounded
// by [Host]'s argument, the least recently used given back first; and a cgroup that is removed and made
// again under its name answers ENODEV on the old descriptor, upon which the name is opened once more.
//
// 2026-11-23, a namespace is known by a descriptor on it, not by its inode number alone. Numbers are
// handed out again as soon as the last reference is gone, and a container that came into being in the
// meantime would be shown its predecessor's limits. A pidfd on the namespace's init says when it died.
// Price: two descriptors for each container that is remembered. Where the kernel cannot say who the
// init is, its start time and namespace are compared at every use instead.
//
// 2026-11-23, the host's own text is shared between containers: for 100 ms where it changes with every
// read (/proc/stat, /proc/meminfo, /proc/diskstats), for 1 s where it hardly does (/proc/cpuinfo). Rendering
// one costs the kernel 6 to 22 us for two CPUs and grows with them, for every reader in every container.
// Price: lines passed through from the host may be that old; the container's own values never are, and
// neither is the time. A fake kernel's text is never shared: its clock is a file.
//
// 2026-11-23, names from requests go through [os.Root]. The tree of CPU devices is served as the host
// has it, so a container chooses names in it. They are checked ([fs.ValidPath], no NUL) and then resolved
// by the kernel below the tree's descriptor, whatever links it holds. Price: a file there is opened for
// each read, which few make.
package kernelfs
