package fakekernel

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// pressures is the stall information of one group of tasks: a v2 cgroup, or the whole host (kernel/sched/psi.c).
type pressures [3]pressure

const (
	psiCPU = iota
	psiMemory
	psiIO
)

var psiNames = [3]string{"cpu", "memory", "io"}

type pressure struct {
	some, full stall
	triggers   []*trigger
}

type stall struct {
	total   time.Duration
	counted time.Duration // part of total that the averages know of
	avg     [3]uint64
}

func (s *stall) average() {
	grown := min(s.total-s.counted, psiEvery)
	s.counted = s.total
	pct := uint64(grown*100/psiEvery) * fixedOne
	for i, exp := range psiExp {
		s.avg[i] = calcLoad(s.avg[i], exp, pct)
	}
}

func (s *stall) append(b []byte, word string) []byte {
	b = append(b, word...)
	for i, name := range []string{" avg10=", " avg60=", " avg300="} {
		b = appendFixed(append(b, name...), s.avg[i])
	}
	return fmt.Appendf(b, " total=%d\n", s.total.Microseconds())
}

// groups yields the pressures of a process's v2 cgroup and all above it, and the host's.
func (m *machine) pressureGroups(cg *cgroup) []*pressures {
	var out []*pressures
	if cg != nil {
		for c := range cg.up {
			if c.psi != nil && !c.isRoot() {
				out = append(out, c.psi)
			}
		}
	}
	return append(out, &m.psiHost)
}

// stallCPU adds what the scheduler's decision made processes wait during d. Of a cgroup "some" is the share of wanted time
// its most delayed process did not get; "full", time nobody ran, comes from quotas alone. The host as a whole never counts
// full CPU stalls.
func (m *machine) stallCPU(d time.Duration) {
	if !m.psi {
		return
	}
	type pair struct{ some, full int64 } // thousandths
	worst := map[*pressures]pair{}
	blocked := map[*pressures]bool{}
	runs := map[*pressures]bool{}
	v2 := m.v2()
	for _, p := range m.pids {
		want := p.user + p.system
		if want == 0 && p.blocked == 0 || m.frozen(p) {
			continue
		}
		var cg *cgroup
		if v2 != nil {
			cg = p.cgroups[v2]
		}
		delay := int64(0)
		if want > 0 {
			delay = 1000 - p.granted*1000/want
		}
		for _, g := range m.pressureGroups(cg) {
			w, seen := worst[g]
			w.some = max(w.some, delay)
			full := int64(0)
			if p.throttled && g != &m.psiHost {
				full = delay
			}
			if want > 0 {
				if !runs[g] || !seen {
					w.full = full
				}
				w.full = min(w.full, full)
				runs[g] = true
			}
			worst[g] = w
			blocked[g] = blocked[g] || p.blocked > 0
		}
	}
	for g, w := range worst {
		m.stall(&g[psiCPU], d/1000*time.Duration(w.some), d/1000*time.Duration(w.full))
		if blocked[g] {
			full := d
			if runs[g] {
				full = 0
			}
			m.stall(&g[psiIO], d, full)
		}
	}
}

func (m *machine) averagePressure() {
	if !m.psi {
		return
	}
	all := []*pressures{&m.psiHost}
	if v2 := m.v2(); v2 != nil {
		for cg := range v2.root.down {
			all = append(all, cg.psi)
		}
	}
	for _, g := range all {
		for i := range g {
			g[i].some.average()
			g[i].full.average()
		}
	}
}

// stall adds stall time and lets triggers see it.
func (m *machine) stall(p *pressure, some, full time.Duration) {
	p.some.total += some
	p.full.total += full
	for _, t := range p.triggers {
		t.update(m.now)
	}
}

// Stall is the verb stall: tasks of a cgroup waited for cpu, memory or io: some=200ms full=100ms. It moves the totals of the
// cgroup, its ancestors and the host, and fires the triggers that watch them. PATH / is the host alone.
func (k *Kernel) Stall(p, resource string, options ...string) error {
	return k.change(func(m *machine) error {
		i := slices.Index(psiNames[:], resource)
		if i < 0 {
			return fmt.Errorf("stall %s: want cpu, memory or io", resource)
		}
		if !m.psi {
			return fmt.Errorf("stall: this kernel has no PSI")
		}
		opts, err := parseOptions(options)
		if err != nil {
			return err
		}
		var some, full time.Duration
		for _, o := range opts {
			d, err := time.ParseDuration(o.value)
			if err != nil || d < 0 {
				return fmt.Errorf("stall %s=%s: want a duration such as 200ms", o.name, o.value)
			}
			switch o.name {
			case "some":
				some = d
			case "full":
				full = d
			default:
				return fmt.Errorf("option %s: want some or full", o.name)
			}
		}
		if some = max(some, full); some == 0 {
			return fmt.Errorf("stall: want some= or full=")
		}
		_, rest, err := m.split(p)
		if err != nil {
			return err
		}
		var cg *cgroup
		if v2 := m.v2(); v2 != nil {
			if cg = v2.find(rest); cg == nil {
				return fmt.Errorf("cgroup %s: %w", p, syscall.ENOENT)
			}
		}
		for _, g := range m.pressureGroups(cg) {
			m.stall(&g[i], some, full)
		}
		return nil
	})
}

// trigger is an armed pressure trigger: it fires when a window of time holds more stall than threshold, once per window.
type trigger struct {
	p                 *pressure
	full              bool
	threshold, window time.Duration
	start             time.Duration // of the window
	base              time.Duration // total then
	last              time.Duration // when it fired
	hasFired          bool
	fired             chan struct{}
}

const (
	minPSIWindow = 500 * time.Millisecond
	maxPSIWindow = 10 * time.Second
)

// arm is psi_trigger_create: "some|full THRESHOLD_US WINDOW_US", EINVAL otherwise, EBUSY for a second one on a file.
func (m *machine) arm(f *file, p *pressure, text string) error {
	if f.trigger != nil {
		return syscall.EBUSY
	}
	text = strings.TrimRight(text, "\x00\n")
	var word string
	var threshold, window uint32
	if n, err := fmt.Sscanf(text, "%s %d %d", &word, &threshold, &window); n != 3 || err != nil {
		return syscall.EINVAL
	}
	w, th := time.Duration(window)*time.Microsecond, time.Duration(threshold)*time.Microsecond
	if word != "some" && word != "full" || w < minPSIWindow || w > maxPSIWindow || th == 0 || th > w {
		return syscall.EINVAL
	}
	t := &trigger{p: p, full: word == "full", threshold: th, window: w, start: m.now, fired: make(chan struct{}, 1)}
	t.base = t.total()
	p.triggers = append(p.triggers, t)
	f.trigger = t
	return nil
}

func (t *trigger) total() time.Duration {
	if t.full {
		return t.p.full.total
	}
	return t.p.some.total
}

func (t *trigger) update(now time.Duration) {
	grown := t.total() - t.base
	if grown >= t.threshold && (!t.hasFired || now >= t.last+t.window) {
		t.hasFired, t.last = true, now
		select {
		case t.fired <- struct{}{}:
		default:
		}
		t.start, t.base = now, t.total()
	}
	if now-t.start >= t.window {
		t.start, t.base = now, t.total()
	}
}

func (t *trigger) disarm() {
	t.p.triggers = slices.DeleteFunc(t.p.triggers, func(o *trigger) bool { return o == t })
}

// node is a pressure file: of the host, or of a cgroup. Before 5.13 cpu has no full line.
func (m *machine) pressureNode(name string, i int, g *pressures) *node {
	n := textNode(name, func(b []byte) []byte {
		b = g[i].some.append(b, "some")
		if i == psiCPU && m.version < v5_13 {
			return b
		}
		return g[i].full.append(b, "full")
	})
	n.mode = 0o644
	n.write = func(f *file, text string) error { return m.arm(f, &g[i], text) }
	return n
}
