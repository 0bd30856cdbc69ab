//go:build integration

package conformance

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
)

// tally is what was found of a field in all scenarios.
type tally struct {
	compared, wrong int
	known           int
	worst           float64
	where           string // the scenario of the worst
}

// report gathers results; it is printed when all is done.
type report struct {
	machine *machine
	rows    []row
	fields  map[string]map[string]*tally // by file and field

	why map[string]bool // known differences that were seen

	files  int      // comparisons of kernel files' text
	differ []string // those that differ
}

type row struct{ scenario, result, detail string }

var results = report{fields: map[string]map[string]*tally{}, why: map[string]bool{}}

// found is one field compared.
type found struct {
	file, field string
	off         float64
	ok          bool
	known       string // why it is not
}

// compare holds answers to the same questions against each other and returns what differs too much. It is counted if nothing
// does, or if that is final.
func (r *report) compare(scenario string, fake, kernel []answer, final bool) (wrong []string) {
	var all []found
	for i := range kernel {
		fs, w := r.compareOne(scenario, fake[i], kernel[i])
		all, wrong = append(all, fs...), append(wrong, w...)
	}
	if final || len(wrong) == 0 {
		for _, f := range all {
			r.count(scenario, f)
		}
	}
	return wrong
}

func (r *report) compareOne(scenario string, fake, kernel answer) (all []found, wrong []string) {
	a, b := fields(fake), fields(kernel)
	for _, field := range slices.Sorted(maps.Keys(union(a, b))) {
		x, inFake := a[field]
		y, inKernel := b[field]
		t := tolerate(kernel.file, field)
		f := found{file: kernel.file, field: field, ok: x == y}
		if inFake && inKernel && t != nil {
			f.off, f.ok = t.within(x, y, kernel.cost)
		}
		f.ok = f.ok && inFake == inKernel
		if !f.ok {
			f.known = isKnown(scenario, f.file, field)
		}
		if all = append(all, f); !f.ok && f.known == "" {
			wrong = append(wrong, fmt.Sprintf("%s as %s: %s = %q on the fake, %q on the real kernel (%s)", kernel.file, kernel.who, field, x, y, t))
		}
	}
	return all, wrong
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

var digits = strings.NewReplacer("0", "", "1", "", "2", "", "3", "", "4", "", "5", "", "6", "", "7", "", "8", "", "9", "")

func (r *report) count(scenario string, f found) {
	file, field, off, ok := f.file, f.field, f.off, f.ok
	if strings.HasPrefix(field, "cpu") {
		field = "cpuN" + field[len("cpu"):]
		if name, rest, _ := strings.Cut(field, " "); digits.Replace(name[4:]) == "" {
			field = map[bool]string{true: "cpu ", false: "cpuN "}[name == "cpuN"] + rest
		}
	}
	if strings.HasSuffix(file, "diskstats") && field != "disks" {
		_, rest, _ := strings.Cut(field, " ")
		field = "DISK " + rest
	}
	if r.fields[file] == nil {
		r.fields[file] = map[string]*tally{}
	}
	t := r.fields[file][field]
	if t == nil {
		t = &tally{}
		r.fields[file][field] = t
	}
	t.compared++
	if f.known != "" {
		t.known++
		r.why[f.known] = true
	} else if !ok {
		t.wrong++
	}
	if off > t.worst || !ok && t.where == "" {
		t.worst, t.where = off, scenario
	}
}

func (r *report) print(w io.Writer) {
	if r.files > 0 {
		fmt.Fprintf(w, "\n%d comparisons of kernel files, %d differ\n", r.files, len(r.differ))
	}
	for _, d := range r.differ {
		fmt.Fprintln(w, "   ", d)
	}
	if r.machine == nil || len(r.rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\nConformance of the fake kernel with Linux %s, cgroups %s, %d CPUs, %d MiB, swap %d MiB, disk %q\n\n", r.machine.release, r.machine.layout,
		r.machine.cpus, r.machine.memory>>20, r.machine.swap>>20, r.machine.disk)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "scenario\tresult\t")
	counts := map[string]int{}
	for _, row := range r.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", row.scenario, row.result, row.detail)
		counts[row.result]++
	}
	_ = tw.Flush()
	fmt.Fprintln(w)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%d %s  ", counts[name], name)
	}
	fmt.Fprint(w, "\n\n")
	fmt.Fprintln(tw, "file\tfield\tcompared\twrong\tknown\tworst difference\ttolerance\twhere")
	for _, file := range slices.Sorted(maps.Keys(r.fields)) {
		names := slices.Collect(maps.Keys(r.fields[file]))
		sort.Strings(names)
		for _, field := range names {
			t := r.fields[file][field]
			tol := tolerate(file, strings.NewReplacer("cpuN", "cpu0", "DISK", "sda").Replace(field))
			unit := ""
			if tol != nil {
				unit = " " + tol.unit
			}
			fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%.4g%s\t%s\t%s\n", file, field, t.compared, t.wrong, t.known, t.worst, unit, tol, t.where)
		}
	}
	_ = tw.Flush()
	for _, why := range slices.Sorted(maps.Keys(r.why)) {
		fmt.Fprintln(w, "\nknown:", why)
	}
}
