// Mutate asks whether the tests would notice a mistake. It makes small ones on purpose, one at a time
// (a limit off by one, a unit, a flipped condition, two fields swapped), runs the tests that should
// fail, and prints which mistakes nobody noticed.
//
//	go run ./scripts/mutate -n 80 -min 85
//	go run ./scripts/mutate -only 'kernelfs/v2\.go' -n 1000
//
// The checkout is not touched: the compiler is handed the changed file with -overlay. A mistake in kernelfs is
// looked for by the tests of kernelfs and then by those of core, which run the scenarios; one in core
// by those of core. A mistake that does not compile is left out; tests that hang have noticed.
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
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// watchers are the packages whose tests look for mistakes in a package, in the order they run.
var watchers = []struct {
	dir   string
	tests []string
}{
	{"kernelfs", []string{"./kernelfs", "./core"}},
	{"core", []string{"./core"}},
}

func main() {
	n := flag.Int("n", 80, "how many mistakes to make")
	seed := flag.Uint64("seed", 1, "which ones: the same seed makes the same ones of the same source")
	only := flag.String("only", "", "regular `expression` of FILE:LINE to stay with")
	limit := flag.Duration("limit", time.Minute, "how long the tests may run for one mistake")
	least := flag.Float64("min", 0, "fail when fewer `per cent` are noticed")
	list := flag.Bool("list", false, "print the mistakes and make none")
	flag.Parse()
	if err := run(os.Stdout, *n, *seed, *only, *limit, *least, *list); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, n int, seed uint64, only string, limit time.Duration, least float64, list bool) error {
	within, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	all, err := find(within)
	if err != nil {
		return err
	}
	chosen := choose(all, n, rand.New(rand.NewPCG(seed, seed)))
	if list {
		for _, m := range chosen {
			fmt.Fprintln(out, m)
		}
		return nil
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, w := range watchers {
		if r, text := test(dir, nil, w.tests, limit); r != survived {
			return fmt.Errorf("tests of %s fail without a mistake:\n%s", w.dir, text)
		}
	}
	count := map[result]int{}
	for _, m := range chosen {
		r, _ := test(dir, &m, m.tests, limit)
		count[r]++
		fmt.Fprintf(out, "%-9s %v\n", r, m)
	}
	made := count[killed] + count[survived]
	share := 100 * float64(count[killed]) / float64(max(1, made))
	fmt.Fprintf(out, "%d of %d noticed (%.0f %%), %d did not compile; %d mistakes known\n", count[killed], made, share, count[invalid], len(all))
	if share < least {
		return fmt.Errorf("%.0f %% noticed, want %.0f %%", share, least)
	}
	return nil
}

// find returns the mistakes that can be made in the watched packages.
func find(within *regexp.Regexp) ([]mutation, error) {
	var all []mutation
	for _, w := range watchers {
		names, err := filepath.Glob(filepath.Join(w.dir, "*.go"))
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%s: no Go files: run it at the top of the checkout", w.dir)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
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
				m.tests = w.tests
				if within.MatchString(fmt.Sprintf("%s:%d", m.file, m.line)) {
					all = append(all, m)
				}
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
	args := []string{"test", "-count=1", "-failfast", "-vet=off", "-p=1", "-timeout=" + limit.String()}
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
