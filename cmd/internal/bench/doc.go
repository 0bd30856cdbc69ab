// Package bench measures what a container pays for reading its /proc and /sys
// through a FUSE file system, and what the daemon behind it pays.
//
// # What is compared
//
// A [Server] is a directory that holds a proc and a sys tree and the processes
// that serve it: LXCFS, this program, a server that answers everything with the
// same bytes (the floor of any FUSE file system), or the host's own files. The
// command starts the daemons itself, on directories of its own.
//
// # How
//
// A [Row] is one way of reading: which files, in which form, by how many readers
// at once, from how many containers. Servers take turns in rounds, A B B A, so
// that a busy machine is as unfair to the one as to the other. A figure is the
// median of its rounds; a ratio is made of two such figures of one row.
//
// A container is a pid namespace and a cgroup under every controller, made here
// with a prefix of its own and removed at the end. Its readers are forked, never
// exec'ed, and use raw system calls on memory shared with the coordinator: a Go
// runtime in every reader would bring its own threads, and those cost more than
// the daemon that is to be measured (see client.go).
//
// # Lanes
//
// A lane is one request in flight. With fewer lanes than containers a lane walks
// from container to container, one operation in each; with more, a container
// has several readers.
//
// # CPU time
//
// The daemon's CPU time per operation is read from the CPU clocks of its process
// tree, in nanoseconds and with the threads that ended. Its split in user and
// system time and the share of reaped children come from /proc/PID/stat, in
// ticks of 10 ms: they need rounds of some length.
//
// # Decisions
//
// 2026-11: readers are processes, not threads. The kernel hands a FUSE daemon
// the id of the calling task; which of the two it is makes no difference there,
// and forked processes need no runtime. 5,000 containers with their cgroups took
// 0.6 MB each, and a minute to make on two CPUs.
//
// 2026-11: forks are counted for the whole machine ("processes" in /proc/stat), and
// taken for the daemon's only when it reaped a child with page faults: the kernel
// counts no forks per process.
package bench
