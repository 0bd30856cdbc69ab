package fakekernel

import (
	"fmt"
	"strconv"
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

// run changes what a process does from now on.
func (m *machine) run(p *process, options []string) error {
	opts, err := parseOptions(options)
	if err != nil {
		return err
	}
	p.user, p.system, p.nice, p.blocked, p.looksRunning = 0, 0, 0, 0, false
	for _, o := range opts {
		var f float64
		switch o.name {
		case "user", "system":
			if f, err = strconv.ParseFloat(o.value, 64); err != nil || f < 0 || f > 8192 {
				return fmt.Errorf("run %s=%s: want a number of CPUs such as 0.5", o.name, o.value)
			}
			if o.name == "user" {
				p.user = int64(f*1000 + 0.5)
			} else {
				p.system = int64(f*1000 + 0.5)
			}
		case "nice":
			if p.nice, err = strconv.Atoi(o.value); err != nil || p.nice < -20 || p.nice > 19 {
				return fmt.Errorf("run nice=%s: want -20 to 19", o.value)
			}
		case "state":
			switch o.value {
			case "D":
				p.blocked = len(p.threads)
			case "R":
				p.looksRunning = true
			case "S":
			default:
				return fmt.Errorf("run state=%s: want R, S or D", o.value)
			}
		default:
			return fmt.Errorf("option %s: want user, system, nice or state", o.name)
		}
	}
	if p.blocked > 0 && p.user+p.system > 0 {
		return fmt.Errorf("run: a process in state D burns no CPU")
	}
	if p.looksRunning && p.user+p.system == 0 {
		return fmt.Errorf("run: a process in state R wants CPU: user= or system=")
	}
	want := p.busyThreads()
	if missing := want - len(p.threads); missing > 0 {
		for range missing {
			m.addThread(p, m.allocPID())
		}
		for _, cg := range p.cgroups {
			cg.countTasks(missing)
		}
	}
	return nil
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
