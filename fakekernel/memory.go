package fakekernel

// memField is an amount the kernel accounts per cgroup, in bytes, or an event it counts.
type memField int

const (
	anon      memField = iota // resident anonymous pages
	fileCache                 // page cache, tmpfs included
	shmem                     // the part of fileCache that is tmpfs
	kernelStack
	pagetables
	secPagetables
	percpu
	sock
	vmalloc
	slabReclaimable
	slabUnreclaimable
	zswap // compressed pool
	// Parts of the above: they say what those pages are, and change no usage.
	zswapped
	fileMapped
	fileDirty
	fileWriteback
	swapcached
	anonTHP
	fileTHP
	shmemTHP
	activeAnon
	activeFile
	unevictable
	swap // swapped out, in bytes
	// Events.
	pgfault
	pgmajfault
	pgscan
	pgsteal
	pswpin
	pswpout
	pgpgin
	pgpgout
	memFields
)

// usageFields are what memory.current counts, one page once.
var usageFields = []memField{anon, fileCache, kernelStack, pagetables, secPagetables, percpu, sock, vmalloc, slabReclaimable, slabUnreclaimable, zswap}

type amounts [memFields]int64

func (a *amounts) usage() (n int64) {
	for _, f := range usageFields {
		n += a[f]
	}
	return n
}

func (a *amounts) slab() int64 { return a[slabReclaimable] + a[slabUnreclaimable] }

// kernel is MEMCG_KMEM: what the kernel allocated on the cgroup's account.
func (a *amounts) kernel() int64 {
	return a[kernelStack] + a[pagetables] + a[secPagetables] + a[percpu] + a[vmalloc] + a.slab() + a[zswap]
}

// The LRU lists: every anon, tmpfs and file page is on one of five.
func (a *amounts) inactiveAnon() int64 { return a[anon] + a[shmem] - a[activeAnon] - a[unevictable] }
func (a *amounts) inactiveFile() int64 { return a[fileCache] - a[shmem] - a[activeFile] }

// memory is the memory controller's state of one cgroup.
type memory struct {
	local amounts // charged to it
	total amounts // and to everything below
	rss   int64   // the part of local[anon] that belongs to known processes

	max, high, low, min                 int64
	swapMax                             int64 // v2
	memswMax                            int64 // v1
	soft                                int64
	swappiness                          int64
	zswapMax                            int64
	peak, swapPeak, memswPeak, kmemPeak int64
	events                              memEvents // of the subtree
	localEvents                         memEvents
	swapMaxEvents                       int64
	swapFailEvents                      int64
	failcnt, memswFailcnt               int64
}

type memEvents struct{ low, high, max, oom, oomKill int64 }

func newMemory() *memory {
	return &memory{max: noLimit, high: noLimit, swapMax: noLimit, memswMax: noLimit, soft: noLimit, zswapMax: noLimit, swappiness: 60}
}

// add changes one field of cg and of all its ancestors, and keeps their peaks.
func (cg *cgroup) add(f memField, n int64) {
	cg.mem.local[f] += n
	for c := range cg.up {
		t := c.mem
		t.total[f] += n
		t.peak = max(t.peak, t.total.usage())
		t.swapPeak = max(t.swapPeak, t.total[swap])
		t.memswPeak = max(t.memswPeak, t.total.usage()+t.total[swap])
		t.kmemPeak = max(t.kmemPeak, t.total.kernel())
	}
}

// reparent gives what a dying cgroup holds to its parent, as memcg_reparent_objcgs and the LRU reparenting do.
func (cg *cgroup) reparent() {
	if cg.mem == nil {
		return
	}
	for f, n := range cg.mem.local {
		cg.parent.mem.local[f] += n
	}
}

// event counts one happening at cg: in its memory.events.local, and in memory.events of it and its ancestors.
func (cg *cgroup) event(count func(*memEvents)) {
	count(&cg.mem.localEvents)
	for c := range cg.up {
		count(&c.mem.events)
	}
}
