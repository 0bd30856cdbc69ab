package demo

import (
	"fmt"
	"strconv"
	"strings"
)

// What procps prints, from the files it reads: a fake kernel runs no programs.

// size returns a field of /proc/meminfo in MiB.
func size(meminfo, label string) float64 {
	for line := range strings.Lines(meminfo) {
		if rest, ok := strings.CutPrefix(line, label+":"); ok {
			kB, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				return 0
			}
			return kB / 1024
		}
	}
	return 0
}

// cached is free(1)'s buff/cache.
func cached(meminfo string) float64 {
	return size(meminfo, "Buffers") + size(meminfo, "Cached") + size(meminfo, "SReclaimable")
}

func free(meminfo string) string {
	total, unused, available := size(meminfo, "MemTotal"), size(meminfo, "MemFree"), size(meminfo, "MemAvailable")
	swap, swapFree := size(meminfo, "SwapTotal"), size(meminfo, "SwapFree")
	return fmt.Sprintf("%16s%12s%12s%12s%12s%12s\n", "total", "used", "free", "shared", "buff/cache", "available") +
		fmt.Sprintf("%-5s%11d%12d%12d%12d%12d%12d\n", "Mem:", int(total), int(total-available), int(unused), int(size(meminfo, "Shmem")),
			int(cached(meminfo)), int(available)) +
		fmt.Sprintf("%-5s%11d%12d%12d\n", "Swap:", int(swap), int(swap-swapFree), int(swapFree))
}

func uptime(uptime, loadavg string) string {
	up, _, _ := strings.Cut(uptime, ".")
	seconds, err := strconv.Atoi(up)
	if err != nil {
		return err.Error()
	}
	averages := strings.Join(strings.Fields(loadavg)[:3], ", ")
	return fmt.Sprintf("up %d min, load average: %s\n", seconds/60, averages)
}

// cpuTimes is top(1)'s line of shares since boot, from the sum in /proc/stat.
func cpuTimes(stat string) string {
	first, _, _ := strings.Cut(stat, "\n")
	var ticks [8]float64 // user nice system idle iowait irq softirq steal
	var sum float64
	for i, field := range strings.Fields(first)[1:] {
		if i == len(ticks) {
			break // guest time is part of user's
		}
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return err.Error()
		}
		ticks[i] = n
		sum += n
	}
	share := func(i int) float64 { return 100 * ticks[i] / max(sum, 1) }
	return fmt.Sprintf("%%Cpu(s): %4.1f us, %4.1f sy, %4.1f ni, %4.1f id, %4.1f wa\n", share(0), share(2), share(1), share(3), share(4))
}

// memory is top(1)'s two lines.
func memory(meminfo string) string {
	total, available := size(meminfo, "MemTotal"), size(meminfo, "MemAvailable")
	swap, swapFree := size(meminfo, "SwapTotal"), size(meminfo, "SwapFree")
	return fmt.Sprintf("MiB Mem : %8.1f total, %8.1f free, %8.1f used, %8.1f buff/cache\n", total, size(meminfo, "MemFree"), total-available, cached(meminfo)) +
		fmt.Sprintf("MiB Swap: %8.1f total, %8.1f free, %8.1f used. %8.1f avail Mem\n", swap, swapFree, swap-swapFree, available)
}

func countLines(text, prefix string) int {
	n := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}
