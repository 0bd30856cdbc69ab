// Mutate asks whether the tests would notice a mistake. It makes small ones on purpose, one at a time
// (a limit off by one, a unit, a flipped condition, two fields swapped), runs the tests that should
// fail, and prints which mistakes nobody noticed.
//
//	go run ./scripts/mutate -n 40 -min 90
//	go run ./scripts/mutate -only 'kernelfs/v2\.go' -n 1000
//
// The checkout is not touched: the compiler is handed the changed file with -overlay. A mistake is looked
// for by the tests of its own package, then by those of core, which run the scenarios, then by the
// goldens of the captured hosts. A mistake that does not compile is left out; tests that hang have
// noticed. So are those of the table equivalent: they change nothing that could be noticed, each for a
// reason that is written down.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// watched are the packages that mistakes are made in, in which of their files, and those whose tests look for them, in
// the order they run. Of the fake kernel it is the verbs: what its files say at boot is compared with real kernels.
var watched = []struct {
	dir   string
	files *regexp.Regexp
	tests []string
}{
	{"kernelfs", regexp.MustCompile(``), []string{"./kernelfs", "./core", "./cmd/internal/archive"}},
	{"core", regexp.MustCompile(``), []string{"./core", "./cmd/internal/archive"}},
	{"fakekernel", verbs, []string{"./fakekernel", "./core"}},
}

var verbs = regexp.MustCompile(`/(burn|charge|cpuset|freezer|io|limit|load|pidns|pressure|process|raw|reclaim|sched|spawn|tick|verbs)\.go$`)

// settings are the flags.
type settings struct {
	n, jobs int
	seed    uint64
	only    *regexp.Regexp
	limit   time.Duration
	least   float64
	list    bool
}

func main() {
	var s settings
	flag.IntVar(&s.n, "n", 40, "how many mistakes to make in each package")
	flag.IntVar(&s.jobs, "j", runtime.NumCPU(), "how many to look for at once")
	flag.Uint64Var(&s.seed, "seed", 1, "which ones: the same seed makes the same ones of the same source")
	only := flag.String("only", "", "regular `expression` of FILE:LINE to stay with")
	flag.DurationVar(&s.limit, "limit", time.Minute, "how long the tests may run for one mistake")
	flag.Float64Var(&s.least, "min", 0, "fail when fewer `per cent` are noticed in a package")
	flag.BoolVar(&s.list, "list", false, "print the mistakes and make none")
	flag.Parse()
	var err error
	if s.only, err = regexp.Compile(*only); err == nil {
		err = s.run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func (s *settings) run(out io.Writer) error {
	if !s.list {
		if err := healthy(s.limit); err != nil {
			return err
		}
	}
	var errs []error
	for _, w := range watched {
		all, err := find(w.dir, w.files, s.only)
		if err != nil {
			return err
		}
		chosen := choose(all, s.n, rand.New(rand.NewPCG(s.seed, s.seed)))
		if s.list {
			for _, m := range chosen {
				fmt.Fprintln(out, m)
			}
			continue
		}
		count := map[result]int{}
		for i, r := range s.tryAll(chosen, w.tests) {
			count[r]++
			fmt.Fprintf(out, "%-9s %v\n", r, chosen[i])
		}
		made := count[killed] + count[survived]
		share := 100 * float64(count[killed]) / float64(max(1, made))
		fmt.Fprintf(out, "%s: %d of %d noticed (%.0f %%), %d did not compile; %d mistakes known\n\n", w.dir, count[killed], made, share, count[invalid], len(all))
		if made > 0 && share < s.least {
			errs = append(errs, fmt.Errorf("%s: %.0f %% noticed, want %.0f %%", w.dir, share, s.least))
		}
	}
	return errors.Join(errs...)
}

// healthy reports tests that fail without a mistake.
func healthy(limit time.Duration) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var tests []string
	for _, w := range watched {
		tests = append(tests, w.tests...)
	}
	slices.Sort(tests)
	if r, text := test(dir, nil, slices.Compact(tests), limit); r != survived {
		return fmt.Errorf("tests fail without a mistake:\n%s", text)
	}
	return nil
}

// tryAll makes the mistakes, jobs at a time, and yields what became of each in their order.
func (s *settings) tryAll(chosen []mutation, tests []string) iter.Seq2[int, result] {
	return func(yield func(int, result) bool) {
		next := make(chan int)
		go func() {
			defer close(next)
			for i := range chosen {
				next <- i
			}
		}()
		results := make([]chan result, len(chosen))
		for i := range results {
			results[i] = make(chan result, 1)
		}
		for range s.jobs {
			go func() {
				for i := range next {
					results[i] <- try(&chosen[i], tests, s.limit)
				}
			}()
		}
		for i, r := range results {
			if !yield(i, <-r) {
				return
			}
		}
	}
}

// try makes one mistake.
func try(m *mutation, tests []string, limit time.Duration) result {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return invalid
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r, _ := test(dir, m, tests, limit)
	return r
}

// find returns the mistakes that can be made in a package, but for those of the table equivalent.
func find(dir string, files, within *regexp.Regexp) ([]mutation, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no Go files: run it at the top of the checkout", dir)
	}
	var all []mutation
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || !files.MatchString(name) {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		found, err := mutations(name, src)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			if within.MatchString(fmt.Sprintf("%s:%d", m.file, m.line)) && !isEquivalent(m) {
				all = append(all, m)
			}
		}
	}
	return all, nil
}

// choose picks n mistakes, from each file and each kind in turn, so that a table of labels does not
// crowd out the arithmetic.
func choose(all []mutation, n int, random *rand.Rand) []mutation {
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	seen := map[[2]string]int{}
	round := make([]int, len(all))
	for i, m := range all {
		k := [2]string{m.file, m.kind}
		round[i] = seen[k]
		seen[k]++
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return round[a] - round[b] })
	var chosen []mutation
	for _, i := range order[:min(n, len(order))] {
		chosen = append(chosen, all[i])
	}
	slices.SortFunc(chosen, func(a, b mutation) int {
		if c := strings.Compare(a.file, b.file); c != 0 {
			return c
		}
		return a.edits[0].pos - b.edits[0].pos
	})
	return chosen
}

// result is what became of a mistake.
type result string

const (
	killed   result = "noticed"
	survived result = "SURVIVED"
	invalid  result = "invalid"
)

// test runs the packages' tests with m made, until one fails.
func test(dir string, m *mutation, packages []string, limit time.Duration) (result, string) {
	args := []string{"test", "-count=1", "-failfast", "-vet=off", "-p=1", "-ldflags=-s -w", "-timeout=" + limit.String()}
	if m != nil {
		overlay, err := m.overlay(dir)
		if err != nil {
			return invalid, err.Error()
		}
		args = append(args, "-overlay="+overlay)
	}
	for _, p := range packages {
		ctx, cancel := context.WithTimeout(context.Background(), 3*limit) // the build's too
		cmd := exec.CommandContext(ctx, "go", append(slices.Clone(args), p)...)
		cmd.WaitDelay = time.Second
		text, err := cmd.CombinedOutput()
		cancel()
		var exit *exec.ExitError
		switch {
		case err == nil:
		case strings.Contains(string(text), "[build failed]") || strings.Contains(string(text), "[setup failed]"):
			return invalid, string(text)
		case errors.As(err, &exit) || ctx.Err() != nil:
			return killed, string(text)
		default:
			return invalid, err.Error()
		}
	}
	return survived, ""
}

// overlay writes the changed file and what tells the compiler to take it.
func (m *mutation) overlay(dir string) (string, error) {
	full, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, m.apply(), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {full: changed}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}

// mutations returns the mistakes that can be made in a file.
func mutations(name string, src []byte) ([]mutation, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	v := visitor{set: set, src: src, file: name}
	v.walk(tree)
	return v.found, nil
}
