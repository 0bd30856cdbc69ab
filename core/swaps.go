package core

import "strings"

// renderSwaps renders /proc/swaps (proc_swaps(5)): one device of the size of /proc/meminfo's SwapTotal,
// or none. The host's devices are not shown.
func renderSwaps(v *View) error {
	host, err := v.hostMemory()
	if err != nil {
		return err
	}
	m, err := v.memoryModel(host)
	if err != nil {
		return err
	}
	v.write("Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n")
	if m.swapTotal.KB() > 0 {
		v.write(swapDevice)
		v.number(m.swapTotal.KB())
		v.write("\t")
		v.number(m.swapUsed.KB())
		v.write("\t0\n")
	}
	if v.why == nil {
		return nil
	}
	v.because("Size", "%d kB, %s", m.swapTotal.KB(), m.swapWhy)
	if m.swap.Accounted {
		v.because("Used", "%d kB (%s)", m.swapUsed.KB(), place(m.swap.UsageAt))
	}
	return nil
}

var swapDevice = "none" + strings.Repeat(" ", 36) + "virtual\t\t"
