package fakekernel

import "strconv"

// statKey is a line of memory.stat, in the kernel's order (mm/memcontrol.c, memory_stats and memcg_vm_event_stat).
type statKey struct {
	name  string
	since version
	until version // 0: still there
	zswap bool    // only with CONFIG_ZSWAP
	event bool    // of the second half, not in memory.numa_stat
	value func(*amounts) int64
}

func field(f memField) func(*amounts) int64 { return func(a *amounts) int64 { return a[f] } }
func zero(*amounts) int64                   { return 0 }

var statKeys = []statKey{
	{name: "anon", value: field(anon)},
	{name: "file", value: field(fileCache)},
	{name: "kernel", since: v5_18, value: (*amounts).kernel},
	{name: "kernel_stack", value: field(kernelStack)},
	{name: "pagetables", since: v5_11, value: field(pagetables)},
	{name: "sec_pagetables", since: v6_1, value: field(secPagetables)},
	{name: "percpu", value: field(percpu)},
	{name: "sock", value: field(sock)},
	{name: "vmalloc", since: v6_0, value: field(vmalloc)},
	{name: "shmem", value: field(shmem)},
	{name: "zswap", since: v5_19, zswap: true, value: field(zswap)},
	{name: "zswapped", since: v5_19, zswap: true, value: field(zswapped)},
	{name: "zswap_incomp", since: v7_3, zswap: true, value: zero},
	{name: "file_mapped", value: field(fileMapped)},
	{name: "file_dirty", value: field(fileDirty)},
	{name: "file_writeback", value: field(fileWriteback)},
	{name: "swapcached", since: v5_12, value: field(swapcached)},
	{name: "anon_thp", value: field(anonTHP)},
	{name: "file_thp", since: v5_11, value: field(fileTHP)},
	{name: "shmem_thp", since: v5_11, value: field(shmemTHP)},
	{name: "inactive_anon", value: (*amounts).inactiveAnon},
	{name: "active_anon", value: field(activeAnon)},
	{name: "inactive_file", value: (*amounts).inactiveFile},
	{name: "active_file", value: field(activeFile)},
	{name: "unevictable", value: field(unevictable)},
	{name: "slab_reclaimable", value: field(slabReclaimable)},
	{name: "slab_unreclaimable", value: field(slabUnreclaimable)},
	{name: "slab", value: (*amounts).slab},
	{name: "workingset_refault_anon", value: zero},
	{name: "workingset_refault_file", value: zero},
	{name: "workingset_activate_anon", value: zero},
	{name: "workingset_activate_file", value: zero},
	{name: "workingset_restore_anon", value: zero},
	{name: "workingset_restore_file", value: zero},
	{name: "workingset_nodereclaim", value: zero},
	{name: "pgdemote_kswapd", since: v6_12, value: zero},
	{name: "pgdemote_direct", since: v6_12, value: zero},
	{name: "pgdemote_khugepaged", since: v6_12, value: zero},
	{name: "pgdemote_proactive", since: v6_18, value: zero},
	{name: "pgsteal_kswapd", since: v7_3, value: zero},
	{name: "pgsteal_direct", since: v7_3, value: field(pgsteal)},
	{name: "pgsteal_khugepaged", since: v7_3, value: zero},
	{name: "pgsteal_proactive", since: v7_3, value: zero},
	{name: "pgscan_kswapd", since: v7_3, value: zero},
	{name: "pgscan_direct", since: v7_3, value: field(pgscan)},
	{name: "pgscan_khugepaged", since: v7_3, value: zero},
	{name: "pgscan_proactive", since: v7_3, value: zero},
	{name: "pgrefill", since: v7_3, value: zero},
	{name: "pgpromote_success", since: v6_12, value: zero},
	{name: "pgscan", since: v5_18, event: true, value: field(pgscan)},
	{name: "pgsteal", since: v5_18, event: true, value: field(pgsteal)},
	{name: "pswpin", since: v6_18, event: true, value: field(pswpin)},
	{name: "pswpout", since: v6_18, event: true, value: field(pswpout)},
	{name: "pgscan_kswapd", since: v5_18, until: v7_3, event: true, value: zero},
	{name: "pgscan_direct", since: v5_18, until: v7_3, event: true, value: field(pgscan)},
	{name: "pgscan_khugepaged", since: v6_12, until: v7_3, event: true, value: zero},
	{name: "pgscan_proactive", since: v6_18, until: v7_3, event: true, value: zero},
	{name: "pgsteal_kswapd", since: v5_18, until: v7_3, event: true, value: zero},
	{name: "pgsteal_direct", since: v5_18, until: v7_3, event: true, value: field(pgsteal)},
	{name: "pgsteal_khugepaged", since: v6_12, until: v7_3, event: true, value: zero},
	{name: "pgsteal_proactive", since: v6_18, until: v7_3, event: true, value: zero},
	{name: "pgfault", event: true, value: field(pgfault)},
	{name: "pgmajfault", event: true, value: field(pgmajfault)},
	{name: "pgrefill", until: v7_3, event: true, value: zero},
}

// oldEvents stand where 5.10 has pgscan and pgsteal: behind pgrefill.
var oldEvents = []statKey{
	{name: "pgscan", value: field(pgscan)},
	{name: "pgsteal", value: field(pgsteal)},
}

var lastEvents = []statKey{
	{name: "pgactivate", value: zero},
	{name: "pgdeactivate", value: zero},
	{name: "pglazyfree", value: zero},
	{name: "pglazyfreed", value: zero},
	{name: "swpin_zero", since: v6_12, value: zero},
	{name: "swpout_zero", since: v6_12, value: zero},
	{name: "zswpin", since: v5_19, zswap: true, value: zero},
	{name: "zswpout", since: v5_19, zswap: true, value: func(a *amounts) int64 { return a[zswapped] / pageSize }},
	{name: "zswpwb", since: v6_6, zswap: true, value: zero},
	{name: "thp_fault_alloc", value: zero},
	{name: "thp_collapse_alloc", value: zero},
	{name: "thp_swpout", since: v6_12, value: zero},
	{name: "thp_swpout_fallback", since: v6_12, value: zero},
	{name: "numa_pages_migrated", since: v6_12, value: zero},
	{name: "numa_pte_updates", since: v6_12, value: zero},
	{name: "numa_hint_faults", since: v6_12, value: zero},
}

// has reports whether this release has the line.
func (m *machine) has(k *statKey) bool {
	return m.version >= k.since && (k.until == 0 || m.version < k.until)
}

// statV2 writes memory.stat of a v2 cgroup: the subtree's amounts.
func statV2(m *machine, cg *cgroup, b []byte) []byte {
	t := &cg.mem.total
	put := func(keys []statKey) {
		for i := range keys {
			if k := &keys[i]; m.has(k) && (m.zswap || !k.zswap) {
				b = appendKV(b, k.name, k.value(t))
			}
		}
	}
	put(statKeys)
	if m.version < v5_18 {
		put(oldEvents)
	}
	put(lastEvents)
	return b
}

// numaStatV2 writes memory.numa_stat: the amounts that live on a node, and this machine has one.
func numaStatV2(m *machine, cg *cgroup, b []byte) []byte {
	for i := range statKeys {
		k := &statKeys[i]
		switch k.name {
		case "kernel", "percpu", "sock", "zswap", "zswapped", "zswap_incomp", "slab":
			continue
		case "vmalloc":
			if m.version < v7_3 {
				continue
			}
		}
		if k.event || !m.has(k) {
			continue
		}
		if k.name == "workingset_refault_anon" && m.version >= v6_18 {
			b = append(b, "hugetlb N0=0\n"...)
		}
		b = append(b, k.name...)
		b = append(b, " N0="...)
		b = appendLine(b, k.value(&cg.mem.total))
	}
	return b
}

// v1Keys are the lines of a v1 memory.stat, then again with total_ before them for the subtree.
var v1Keys = []statKey{
	{name: "cache", value: field(fileCache)},
	{name: "rss", value: field(anon)},
	{name: "rss_huge", value: field(anonTHP)},
	{name: "shmem", value: field(shmem)},
	{name: "mapped_file", value: field(fileMapped)},
	{name: "dirty", value: field(fileDirty)},
	{name: "writeback", value: field(fileWriteback)},
	{name: "workingset_refault_anon", since: v6_1, value: zero},
	{name: "workingset_refault_file", since: v6_1, value: zero},
	{name: "swap", value: field(swap)},
	{name: "swapcached", since: v6_6, value: field(swapcached)},
	{name: "pgpgin", value: field(pgpgin)},
	{name: "pgpgout", value: field(pgpgout)},
	{name: "pgfault", value: field(pgfault)},
	{name: "pgmajfault", value: field(pgmajfault)},
	{name: "inactive_anon", value: (*amounts).inactiveAnon},
	{name: "active_anon", value: field(activeAnon)},
	{name: "inactive_file", value: (*amounts).inactiveFile},
	{name: "active_file", value: field(activeFile)},
	{name: "unevictable", value: field(unevictable)},
}

// statV1 writes memory.stat of a v1 cgroup. Its hierarchical limits are the least from here to the root.
func statV1(m *machine, cg *cgroup, b []byte) []byte {
	for i := range v1Keys {
		if k := &v1Keys[i]; m.version >= k.since {
			b = appendKV(b, k.name, k.value(&cg.mem.local))
		}
	}
	limit, memsw := int64(pageCounterMax), int64(pageCounterMax)
	for c := range cg.up {
		limit, memsw = min(limit, c.mem.max), min(memsw, c.mem.memswMax)
	}
	b = appendKV(b, "hierarchical_memory_limit", limit)
	b = appendKV(b, "hierarchical_memsw_limit", memsw)
	for i := range v1Keys {
		if k := &v1Keys[i]; m.version >= k.since {
			b = append(b, "total_"...)
			b = appendKV(b, k.name, k.value(&cg.mem.total))
		}
	}
	return b
}

// numaStatV1 writes memory.numa_stat in pages.
func numaStatV1(_ *machine, cg *cgroup, b []byte) []byte {
	for prefix, a := range map1(cg) {
		cache, an := a.inactiveFile()+a[activeFile], a.inactiveAnon()+a[activeAnon]
		for _, l := range []struct {
			key string
			n   int64
		}{{"total", cache + an + a[unevictable]}, {"file", cache}, {"anon", an}, {"unevictable", a[unevictable]}} {
			n := strconv.FormatInt(l.n/pageSize, 10)
			b = append(b, prefix+l.key+"="+n+" N0="+n+"\n"...)
		}
	}
	return b
}

func map1(cg *cgroup) func(yield func(string, *amounts) bool) {
	return func(yield func(string, *amounts) bool) {
		if yield("", &cg.mem.local) {
			yield("hierarchical_", &cg.mem.total)
		}
	}
}
