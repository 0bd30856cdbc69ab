package main

import (
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMutations(t *testing.T) {
	const src = `package p

import "fmt"

var table = map[string]int{"one": 1, "two": 2, "deux": 2}

func f(a, b int) (n int, err error) {
	if a < b && !ok(a) {
		return min(a, 7), fmt.Errorf("never %d < 5", a)
	}
	for range make([]int, 9) {
		if n < 3 {
			return 4, err
		}
		continue
	}
	switch s.User {
	case "user_usec":
		n += 1
	case "system_usec":
		n -= 1
	}
	return
}
`
	found, err := mutations("p.go", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range found {
		got = append(got, strings.TrimPrefix(m.String(), "p.go:"))
		changed := m.apply()
		if string(changed) == src {
			t.Errorf("%v changes nothing", m)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "p.go", changed, 0); err != nil {
			t.Errorf("%v does not parse: %v", m, err)
		}
	}
	want := []string{
		`5: swap: at "one": 1 -> 2, 2 -> 1`,
		`5: word: "one" -> "~ne"`,
		`5: number: 1 -> 2`,
		`5: word: "two" -> "~wo"`,
		`5: number: 2 -> 3`,
		`5: word: "deux" -> "~eux"`,
		`5: number: 2 -> 3`,
		`8: condition: a < b && !ok(a) -> !(a < b && !ok(a))`,
		`8: operator: && -> ||`,
		`8: operator: < -> <=`,
		`8: condition: !ok(a) -> ok(a)`,
		`9: name: min -> max`,
		`9: number: 7 -> 8`,
		`12: condition: n < 3 -> !(n < 3)`,
		`12: operator: < -> <=`,
		`12: number: 3 -> 4`,
		`15: branch: continue -> break`,
		`17: name: User -> System`,
		`18: word: "user_usec" -> "~ser_usec"`,
		`19: operator: += -> -=`,
		`19: number: 1 -> 2`,
		`18: swap: at "system_usec": "user_usec" -> "system_usec", "system_usec" -> "user_usec"`,
		`20: word: "system_usec" -> "~ystem_usec"`,
		`21: operator: -= -> +=`,
		`21: number: 1 -> 2`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mistakes (-want +got)\n%s", diff)
	}
}

func TestChooseFromEachFileAndKind(t *testing.T) {
	var all []mutation
	for i := range 50 {
		all = append(all, mutation{file: "table.go", kind: "word", edits: []edit{{pos: i}}})
	}
	all = append(all, mutation{file: "sum.go", kind: "operator", edits: []edit{{pos: 1}}}, mutation{file: "table.go", kind: "swap", edits: []edit{{pos: 1}}})
	kinds := map[string]bool{}
	for _, m := range choose(all, 3, rand.New(rand.NewPCG(1, 1))) {
		kinds[m.file+" "+m.kind] = true
	}
	if diff := cmp.Diff(map[string]bool{"sum.go operator": true, "table.go swap": true, "table.go word": true}, kinds); diff != "" {
		t.Errorf("three of them (-want +got)\n%s", diff)
	}
}

func TestFindInThisModule(t *testing.T) {
	t.Chdir("../..")
	found, err := find("kernelfs", regexp.MustCompile(`/v2\.go$`), regexp.MustCompile(`:1`))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Errorf("%d mistakes in kernelfs/v2.go, want more", len(found))
	}
}

// TestEquivalentAreThere: a row that no longer names a mistake says nothing.
func TestEquivalentAreThere(t *testing.T) {
	t.Chdir("../..")
	for _, e := range equivalent {
		files := []string{e.file}
		if e.file == "" {
			files = []string{"kernelfs/threads.go", "kernelfs/v1.go", "core/stat.go"}
		}
		found := false
		for _, name := range files {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all, err := mutations(name, src)
			if err != nil {
				t.Fatal(err)
			}
			found = found || slices.ContainsFunc(all, func(m mutation) bool { return e.names(m) })
		}
		if !found || e.why == "" {
			t.Errorf("%+v: no such mistake, or no reason", e)
		}
	}
}
