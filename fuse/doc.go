// Package fuse carries files: it turns FUSE requests into questions to [lxcfs/core.Core], and its answers into replies. It is
// the only package, with the two below it, that knows go-fuse and /dev/fuse.
//
//	fuse/conn     the connection: mount, readers, the state that outlives a process, taking over
//	fuse/keeper   the process that holds the connection while others serve it
//
// # Two ways to serve
//
// In one process, whose end is the mount's end:
//
//	s, err := fuse.Mount("/var/lib/lxcfs", c, fuse.Options{})
//	err = s.Serve() // until s.Unmount or umount(8)
//
// With a keeper, which is the same program started again as worker. The worker's half:
//
//	if w, err := keeper.Inherited(); w != nil {
//		cause, err := w.Hello(version, fuse.SelfTest(trial)) // a core without the shared history
//		cn, err := w.Conn(conn.Options{})
//		c, err := core.New(files, core.Options{State: cn.State.History()})
//		err = fuse.New(cn, c, fuse.Options{}).ServeAfter(cause)
//	}
//
// and the keeper's:
//
//	k, err := keeper.New(keeper.Options{Dir: dir, Program: program, Args: os.Args, Minimal: fuse.Minimal})
//	err = k.Run(ctx) // and k.Upgrade on a signal
//
// # Names
//
// Node ids are made of paths (see names.go), so a successor knows what the kernel means by them. What is in a cpuN directory
// is asked for in the caller's name each time: ENOENT where the caller does not have that CPU.
//
// # Content
//
// A read at offset 0 renders; reads at other offsets go on in that rendering, which is kept only while its reader has not got
// all of it, in bounded memory: 8 MiB for all, least recently used first. An open file costs 16 bytes. Beyond the
// end is end of file. The size is 0, as in procfs. Content belongs to who reads, not to who opened, and is never cached by
// the kernel.
//
// # Errors
//
// Errors become numbers in [errno], and nowhere else. A panic while answering costs that request (EIO), is counted
// ([Server.Panics]) and logged at most once a second. A request that kills its worker is begun again once; when it does
// so again, it is answered EIO.
//
// # Decisions
//
//   - 2026-11-23: our own handler answers the twenty requests that are sent all day, and go-fuse's ProtocolServer the rest.
//     Both pass one table of tests. Ours does not allocate; go-fuse's costs 2 to 4 allocations and 1 KB for each request,
//     which is garbage collection in a daemon that has none otherwise. The price is 200 lines.
//   - 2026-11-23: node ids are hashes of paths instead of a table. Nothing here knows a served file's name, and the host's
//     CPU directory, which has any number of names, needs no second way. A collision (48 bits) is refused, not served.
//   - 2026-11-28: GOGC is 50 while serving: 2 MiB less with 100 containers. Only a container's first read allocates.
//   - 2026-11-23: GOMAXPROCS is 1 while serving. A reader woken on another processor costs 20 us for each request, on the same
//     nothing: null file system pinned to one CPU, open, read and close, the place handed on before each READ: 16.6 us
//     of CPU and p50 32 us; with 2 processors 27 and 52; go-fuse's Server 36 and 58. Readers that block in the kernel give
//     the processor up, so slow ones did not raise the 99th percentile of others. The price: one CPU's worth of
//     rendering. (Package conn no longer hands the place on each time, see there.)
//   - 2026-11-23: which files were read to their end is in the shared state, so that the read(2) that finds the end after a
//     crash does not get the last bytes of a rendering that became longer.
//   - 2026-11-23: the kernel is not told about CPUs that come and go. Nothing about a cpuN but its name is cached, and what
//     else the host's directory holds is kept for a second.
//   - 2026-11-23: READDIRPLUS is not negotiated. It would have the kernel cache what one container may see for another.
package fuse
