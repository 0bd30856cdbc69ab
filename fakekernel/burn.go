package fakekernel

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Run is the verb run: the CPUs a process burns from now on, user=0.5 system=0.1, until the next run or its end. It gets
// them as far as cpusets, quotas and the others let it. A process that wants more CPUs than it has threads starts the
// missing ones. nice=N books user time as nice. state=D blocks its threads in I/O instead, state=S sends it to sleep; a thread
// that wants less than half a CPU is found asleep by whoever looks, unless state=R.
func (k *Kernel) Run(name string, options ...string) error {
	return k.change(func(m *machine) error {
		p, err := m.process(name)
		if err != nil {
			return err
		}
		if err := m.run(p, options); err != nil {
			return fmt.Errorf("run %s: %w", name, err)
		}
		return nil
	})
}

// runOptions are the words of run; each sets a part of what a process does.
var runOptions = map[string]func(p *process, v string) error{
	"user":   func(p *process, v string) (err error) { p.user, err = parseCPUs(v); return err },
	"system": func(p *process, v string) (err error) { p.system, err = parseCPUs(v); return err },
	"nice": func(p *process, v string) (err error) {
		if p.nice, err = strconv.Atoi(v); err != nil || p.nice < -20 || p.nice > 19 {
			return fmt.Errorf("want -20 to 19")
		}
		return nil
	},
	"state": func(p *process, v string) error {
		switch v {
		case "D":
			p.blocked = len(p.threads)
		case "R":
			p.looksRunning = true
		case "S":
		default:
			return fmt.Errorf("want R, S or D")
		}
		return nil
	},
}

// parseCPUs reads a number of CPUs, in thousandths.
func parseCPUs(s string) (int64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > 8192 {
		return 0, fmt.Errorf("want a number of CPUs such as 0.5")
	}
	return int64(f*1000 + 0.5), nil
}

// blink books the moment that a thread needs to go to wait, and to come back.
func (m *machine) blink(p *process) {
	const moment = int64(time.Microsecond)
	for c := range m.effective(p.cgroups[m.with("cpuset")]).all() {
		m.spend(p, c, 0, moment)
		m.cpus[c].idle -= moment
		return
	}
}

// run changes what a process does from now on.
func (m *machine) run(p *process, options []string) error {
	opts, err := parseOptions(options)
	if err != nil {
		return err
	}
	next := process{threads: p.threads}
	for _, o := range opts {
		set := runOptions[o.name]
		if set == nil {
			return fmt.Errorf("option %s: want one of %s", o.name, strings.Join(sortedKeys(runOptions), ", "))
		}
		if err := set(&next, o.value); err != nil {
			return fmt.Errorf("%s=%s: %w", o.name, o.value, err)
		}
	}
	switch wants := next.user+next.system > 0; {
	case next.blocked > 0 && wants:
		return fmt.Errorf("a process in state D burns no CPU")
	case next.looksRunning && !wants:
		return fmt.Errorf("a process in state R wants CPU: user= or system=")
	}
	if next.blocked != p.blocked {
		m.blink(p)
	}
	p.user, p.system, p.nice, p.blocked, p.looksRunning = next.user, next.system, next.nice, next.blocked, next.looksRunning
	if missing := p.busyThreads() - len(p.threads); missing > 0 {
		for range missing {
			m.addThread(p, m.allocPID())
		}
		for _, cg := range p.cgroups {
			cg.countTasks(missing)
		}
	}
	return nil
}
