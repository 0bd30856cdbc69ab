//go:build integration

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"lxcfs/fakekernel"
)

// longest is how much time may pass in a scenario that a real kernel is to live through.
const longest = 8 * time.Second

// step is a line of a scenario.
type step struct {
	line int
	not  bool // must fail
	verb string
	args []string
}

func (s step) String() string { return strings.Join(append([]string{s.verb}, s.args...), " ") }

// scenario is a script file without what it says of the fake's answers: those are compared with a real kernel's instead.
type scenario struct {
	name   string
	steps  []step
	reason string // why a real kernel cannot do it
	absent bool   // this machine cannot; others could
}

// asserted are the commands of testscript that hold the fake's answers against known numbers.
var asserted = []string{"stdout", "stderr", "cmp", "cmpenv", "env"}

// load reads a scenario as this machine is to live through it.
func load(file string, m *machine) (*scenario, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &scenario{name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
	var passed time.Duration
	for i, line := range strings.Split(string(txtar.Parse(text).Comment), "\n") {
		line = strings.NewReplacer("$layout", m.layout, "$disk", m.disk).Replace(line)
		words := split(line)
		st := step{line: i + 1}
		skip := false
		for len(words) > 0 {
			if cond, ok := strings.CutPrefix(words[0], "["); ok {
				cond = strings.TrimSuffix(cond, "]")
				want, no := strings.CutPrefix(cond, "!")
				skip = skip || (want == m.layout) == no
			} else if words[0] == "!" {
				st.not = true
			} else {
				break
			}
			words = words[1:]
		}
		if len(words) == 0 || skip || slices.Contains(asserted, words[0]) {
			continue
		}
		if words[0] == "stop" || words[0] == "skip" {
			s.reason, s.absent = fmt.Sprintf("line %d: not under %s", i+1, m.layout), true
			return s, nil
		}
		st.verb, st.args = words[0], words[1:]
		if st.verb == "tick" {
			d, err := time.ParseDuration(st.args[0])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
			}
			passed += d
		}
		why, absent := impossible(st, m)
		if passed > longest && why == "" {
			why = fmt.Sprintf("%v pass", passed)
		}
		if why != "" && (s.reason == "" || s.absent && !absent) {
			s.reason, s.absent = fmt.Sprintf("line %d: %s: %s", i+1, st, why), absent
		}
		s.steps = append(s.steps, st)
	}
	return s, nil
}

// split cuts a line into words as testscript does: blanks, quotes, and a # begins a comment.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quoted, open := false, false
	for _, c := range line {
		switch {
		case c == '\'':
			quoted, open = !quoted, true
		case !quoted && c == '#' && !open:
			return words
		case !quoted && (c == ' ' || c == '\t'):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}

// answer is what a subject said of one file at one moment.
type answer struct {
	at   time.Duration // of the kernel's clock
	who  string
	file string // or a directory, with a slash at its end
	pid  int
	text string
	err  error
	cost time.Duration // CPU time that verbs took by themselves
}

// event is a step as it happened.
type event struct {
	step
	at      time.Duration
	failed  bool
	answers []answer
	ticked  bool // the subject was ticked
}

// both is the scenario's life under both kernels.
type both struct {
	m      *machine
	events []event
	daemon []string
	alive  []string // processes
}

// onReal lives through the scenario on the real kernel and remembers when everything happened.
func (b *both) onReal(s *scenario, r *real) error {
	v, err := newView(nil, nil)
	if err != nil {
		return err
	}
	before := r.arena.cost()
	ask := func(who, file string) answer {
		t := r.named[who]
		a := v.ask(uptime(), who, t.pid(), t.uid, file)
		a.cost = r.arena.cost() - before
		return a
	}
	for _, st := range s.steps {
		e := event{step: st}
		switch st.verb {
		case "boot":
			if v, err = newView(nil, b.daemon); err != nil {
				return err
			}
		case "daemon":
			b.daemon = st.args
			if v, err = newView(nil, b.daemon); err != nil {
				return err
			}
		case "read", "list":
			if t := r.named[st.args[2]]; t != nil && t.in != "/" {
				e.answers = []answer{ask(st.args[2], file(st))}
			}
		case "tick":
			if err := b.wait(st, v); err != nil {
				return err
			}
			continue
		default:
			do := verbs[st.verb]
			if do == nil {
				return fmt.Errorf("line %d: %s: no verb of a real kernel", st.line, st.verb)
			}
			err := do(r, st.args)
			if err != nil && !st.not {
				return fmt.Errorf("line %d: %s: %w", st.line, st, err)
			}
			if err == nil && st.not {
				return fmt.Errorf("line %d: %s: succeeded, and should have failed", st.line, st)
			}
			if e.failed = err != nil; !e.failed {
				b.follow(st)
			}
		}
		e.at = uptime()
		if st.verb == "spawn" {
			e.at = r.began
		}
		b.events = append(b.events, e)
	}
	final := event{step: step{verb: "end"}}
	for _, name := range b.alive {
		t := r.named[name]
		if t.in == "/" || t.actors[0].ended() {
			continue // it sees the host, or was killed for lack of memory
		}
		for _, f := range files() {
			final.answers = append(final.answers, ask(name, f))
		}
	}
	final.at = uptime()
	b.events = append(b.events, final)
	return nil
}

// file is the file of a read, the directory with a slash of a list.
func file(st step) string {
	name := strings.TrimPrefix(st.args[0], "/")
	if st.verb == "list" {
		name += "/"
	}
	return name
}

// follow keeps the list of processes.
func (b *both) follow(st step) {
	switch st.verb {
	case "spawn":
		b.alive = append(b.alive, st.args[0])
	case "kill":
		b.alive = slices.DeleteFunc(b.alive, func(n string) bool { return n == st.args[0] })
	}
}

// wait lets time pass, and ticks the subject at every multiple of 5 s since boot as the daemon would.
func (b *both) wait(st step, v *view) error {
	d, err := time.ParseDuration(st.args[0])
	if err != nil {
		return err
	}
	const every = 5 * time.Second
	for end := uptime() + d; ; {
		now := uptime()
		next := now.Truncate(every) + every
		time.Sleep(min(next, end) - now)
		if next > end {
			break
		}
		v.core.Tick()
		b.events = append(b.events, event{step: step{verb: "tick"}, at: uptime(), ticked: true})
	}
	b.events = append(b.events, event{step: st, at: uptime()})
	return nil
}

// onFake replays what happened, at the same moments, and asks the same questions.
func (b *both) onFake() (answers []answer, err error) {
	var k *fakekernel.Kernel
	var v *view
	var daemon []string
	var now time.Duration
	reach := func(at time.Duration) error {
		if at <= now {
			return nil
		}
		d := at - now
		now = at
		return k.Tick(d)
	}
	for _, e := range b.events {
		if e.verb == "daemon" {
			daemon = e.args
		}
		if e.verb == "boot" {
			now = e.at
			if k, err = fakekernel.Boot(b.m.boot(now)...); err != nil {
				return nil, err
			}
			if v, err = newView(k, daemon); err != nil {
				return nil, err
			}
			continue
		}
		if k == nil {
			continue
		}
		for _, a := range e.answers {
			if err := reach(a.at); err != nil {
				return nil, err
			}
			pid, err := k.PID(a.who)
			if err != nil {
				return nil, err
			}
			answers = append(answers, v.ask(a.at, a.who, pid, k.UID(a.who), a.file))
		}
		if err := reach(e.at); err != nil {
			return nil, err
		}
		switch {
		case e.ticked:
			v.core.Tick()
		case e.verb == "tick" || e.verb == "read" || e.verb == "list" || e.verb == "end" || e.verb == "daemon":
		default:
			err := k.Do(e.verb, e.args...)
			if (err != nil) != e.failed {
				return nil, fmt.Errorf("line %d: %s: on the fake: %s; on the real kernel it failed: %v", e.line, e.step, fmt.Sprint(err), e.failed)
			}
		}
	}
	return answers, nil
}
