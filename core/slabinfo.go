package core

import (
	"errors"

	"lxcfs/kernelfs"
)

// slabHeader is what slabinfo(5) starts with.
const slabHeader = "slabinfo - version: 2.1\n" +
	"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"

// renderSlabinfo renders /proc/slabinfo: memory.kmem.slabinfo where v1 still has it, else a header.
// A container never gets the host's caches, which only root may read there.
func renderSlabinfo(v *View) error {
	cg, err := v.below(kernelfs.Memory)
	if errors.Is(err, errHost) && v.container != nil && v.container.init != nil {
		v.write(slabHeader)
		return nil
	}
	if err != nil {
		return err
	}
	text, err := cg.Slabinfo(v.Snapshot)
	if err == nil && len(text) > 0 {
		v.out = append(v.out, text...)
		if v.why != nil {
			v.because("", "%s memory.kmem.slabinfo", cg.Path)
		}
		return nil
	}
	v.write(slabHeader)
	if v.why != nil {
		v.because("", "header only: the kernel does not list the caches of %s", cg.Path)
	}
	return nil
}
