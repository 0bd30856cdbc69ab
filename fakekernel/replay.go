package fakekernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

// Replay runs one script file outside of go test and writes its log to w. A script that says $layout runs under all three
// layouts. With trace, each verb is followed by its answer and the files it changed, before and after.
func Replay(w io.Writer, file string, trace bool, newSubject NewSubject) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	matrix := []string{""}
	if strings.Contains(string(text), "$layout") {
		matrix = layouts
	}
	var errs []error
	for _, layout := range matrix {
		t := &replayT{w: w, name: path.Base(file)}
		if layout != "" {
			t.name += " (" + layout + ")"
		}
		var tracer io.Writer
		if trace {
			tracer = w
		}
		t.Run("", func(t testscript.T) {
			runOne(t, testscript.Params{}, file, text, layout, newSubject, tracer)
		})
		switch {
		case t.failed:
			errs = append(errs, fmt.Errorf("%s: failed", t.name))
		case t.skipped:
			fmt.Fprintf(w, "skip %s\n", t.name)
		default:
			fmt.Fprintf(w, "ok   %s\n", t.name)
		}
	}
	return errors.Join(errs...)
}

// replayT is a test run without package testing's runner.
type replayT struct {
	w               io.Writer
	name            string
	failed, skipped bool
}

func (t *replayT) Skip(args ...any) {
	t.skipped = true
	fmt.Fprintln(t.w, args...)
	runtime.Goexit()
}

func (t *replayT) Fatal(args ...any) {
	fmt.Fprintln(t.w, args...)
	t.FailNow()
}

func (t *replayT) Log(args ...any) { fmt.Fprintln(t.w, args...) }

func (t *replayT) FailNow() {
	t.failed = true
	runtime.Goexit()
}

func (t *replayT) Parallel()     {}
func (t *replayT) Verbose() bool { return false }

// Run runs f to its end in a goroutine of its own, which FailNow and Skip may end.
func (t *replayT) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(t)
	}()
	<-done
}

// traced is every file's text before a verb, when tracing.
func (s *script) traced() map[string]string {
	if s.trace == nil || s.k == nil {
		return nil
	}
	s.k.mu.RLock()
	defer s.k.mu.RUnlock()
	all := map[string]string{}
	s.k.snapshot(s.k.root(), "/", func(name string, f txtar.File) { all[name] = strings.TrimPrefix(f.Name, name[1:]) + string(f.Data) })
	return all
}

func (s *script) showTrace(before map[string]string, name string, args []string) {
	if s.trace == nil {
		return
	}
	fmt.Fprintf(s.trace, "> %s %s\n", strings.TrimSuffix(name, "_"), strings.Join(args, " "))
	for line := range strings.Lines(s.answer) {
		fmt.Fprintf(s.trace, "    | %s\n", strings.TrimSuffix(line, "\n"))
	}
	s.answer = ""
	after := s.traced()
	if before == nil {
		return
	}
	created, removed := map[string]int{}, map[string]int{}
	for _, p := range sortedKeys(after) {
		old, had := before[p]
		switch {
		case !had:
			created[path.Dir(p)]++
		case p == "/proc/cgroups": // counts every cgroup that comes or goes, once for each controller
		case old != after[p]:
			showChange(s.trace, p, old, after[p])
		}
	}
	for _, p := range sortedKeys(before) {
		if _, has := after[p]; !has {
			removed[path.Dir(p)]++
		}
	}
	for _, d := range sortedKeys(created) {
		fmt.Fprintf(s.trace, "    + %s/ (%d files)\n", d, created[d])
	}
	for _, d := range sortedKeys(removed) {
		fmt.Fprintf(s.trace, "    - %s/ (%d files)\n", d, removed[d])
	}
}

// showChange prints the lines of a file that differ.
func showChange(w io.Writer, p, old, now string) {
	a, b := strings.Split(old, "\n"), strings.Split(now, "\n")
	if len(a) != len(b) {
		fmt.Fprintf(w, "    %s: %d -> %d lines\n", p, len(a)-1, len(b)-1)
		return
	}
	for i := range a {
		if a[i] != b[i] {
			fmt.Fprintf(w, "    %s: %s -> %s\n", p, a[i], b[i])
		}
	}
}
