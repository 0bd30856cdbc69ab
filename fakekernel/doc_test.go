package fakekernel

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// manual is the package comment without its slashes.
func manual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		out.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "//"), " "))
	}
	return out.String()
}

func section(t *testing.T, name string) string {
	t.Helper()
	_, after, ok := strings.Cut(manual(t), "\n# "+name+"\n")
	if !ok {
		t.Fatalf("the package comment has no section %q", name)
	}
	text, _, _ := strings.Cut(after, "\n# ")
	return text
}

func TestManualNamesEveryVerb(t *testing.T) {
	table := section(t, "Verbs")
	methods := map[string]string{"cgroup": "CgroupCreate", "io": "IO", "remove": "RemoveFile"}
	for name := range verbs {
		if !strings.Contains(table, "\t"+name+" ") && !strings.Contains(table, ", "+name+" ") {
			t.Errorf("the table has no row for verb %s", name)
		}
		method := methods[name]
		if method == "" {
			method = strings.ToUpper(name[:1]) + name[1:]
		}
		if _, ok := reflect.TypeFor[*Kernel]().MethodByName(method); !ok || !strings.Contains(table, method) {
			t.Errorf("verb %s: no documented method %s", name, method)
		}
	}
	for _, name := range []string{"fakekernel.Boot ", "fakekernel.Load "} {
		if !strings.Contains(table, name) {
			t.Errorf("the table does not say that boot is %s, no method", name)
		}
	}
	for what := range limitable {
		if !strings.Contains(table, " "+what) {
			t.Errorf("the table does not say that limit knows %s", what)
		}
	}
}
