package fakekernel

import (
	"fmt"
	"time"
)

// Fixed point of include/linux/sched/loadavg.h and kernel/sched/psi.c.
const (
	fixedShift = 11
	fixedOne   = 1 << fixedShift
)

var (
	loadExp = [3]uint64{1884, 2014, 2037} // 1, 5, 15 minutes at 5 s
	psiExp  = [3]uint64{1677, 1981, 2034} // 10, 60, 300 seconds at 2 s
)

func calcLoad(load, exp, active uint64) uint64 {
	n := load*exp + active*(fixedOne-exp)
	if active >= load {
		n += fixedOne - 1
	}
	return n / fixedOne
}

func appendFixed(b []byte, v uint64) []byte {
	return fmt.Appendf(b, "%d.%02d", v>>fixedShift, (v&(fixedOne-1))*100>>fixedShift)
}

// sampleLoad is calc_global_load: runnable and uninterruptible threads. A throttled process is off the runqueues most of
// the time, so it counts with what it got.
func (m *machine) sampleLoad() {
	active := uint64(0)
	for _, p := range m.pids {
		if m.frozen(p) {
			continue
		}
		running := p.runningThreads()
		if p.throttled {
			running = int(max(1, (p.granted+500)/1000))
		}
		active += uint64(running + p.blocked)
	}
	for i, exp := range loadExp {
		m.load[i] = calcLoad(m.load[i], exp, active*fixedOne)
	}
}

// running counts threads in state R, the reader's own included, and in state D.
func (m *machine) running() (r, d int) {
	r = 1
	for _, p := range m.pids {
		if m.frozen(p) {
			continue
		}
		r += p.runningThreads()
		d += p.blocked
	}
	return r, d
}

func (m *machine) loadavg(b []byte) []byte {
	for _, l := range m.load {
		b = append(appendFixed(b, l+fixedOne/200), ' ')
	}
	r, _ := m.running()
	return fmt.Appendf(b, "%d/%d %d\n", r, len(m.tasks), m.nextPID-1)
}

// stateOf is the letter of thread number i of p.
func (m *machine) stateOf(p *process, i int) (byte, string) {
	if m.frozen(p) {
		if m.freezerHierarchy().v2 {
			return 'S', "sleeping"
		}
		return 'D', "disk sleep"
	}
	switch {
	case p == m.self || i < p.runningThreads():
		return 'R', "running"
	case i < p.blocked:
		return 'D', "disk sleep"
	}
	return 'S', "sleeping"
}

// tick moves a captured host's clock: both fields of /proc/uptime, the second by every online CPU's idle time.
func (r raw) tick(d time.Duration) error {
	f := r["/proc/uptime"]
	if f == nil || f.kind != rawText {
		return fmt.Errorf("tick: the archive has no proc/uptime")
	}
	var up, idle float64
	if _, err := fmt.Sscan(string(f.text), &up, &idle); err != nil {
		return fmt.Errorf("tick: proc/uptime: %w", err)
	}
	cpus := 0
	if stat := r["/proc/stat"]; stat != nil {
		cpus = countCPULines(stat.text)
	}
	text := fmt.Sprintf("%.2f %.2f\n", up+d.Seconds(), idle+d.Seconds()*float64(max(1, cpus)))
	r.put("/proc/uptime", &rawFile{kind: rawText, text: []byte(text)})
	return nil
}

func countCPULines(stat []byte) (n int) {
	for line := range lines(stat) {
		if len(line) > 3 && line[:3] == "cpu" && line[3] != ' ' {
			n++
		}
	}
	return n
}
