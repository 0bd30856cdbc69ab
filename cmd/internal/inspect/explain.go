package inspect

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"lxcfs/core"
)

// origin is where one line or number of a file came from.
type origin struct {
	Item  string `json:"item"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// explained is what "explain --json" prints.
type explained struct {
	File    string   `json:"file"`
	Text    string   `json:"text"`
	Origins []origin `json:"why"`
	Read    []string `json:"read"`
}

// Explain returns "lxcfsctl explain".
func Explain() *cobra.Command {
	var h host
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain [--pid PID | --host ARCHIVE] FILE",
		Short: "Print where each line of a served file came from",
		Long: `Renders a served file as a process sees it and prints, for each line or number, the kernel file, the key and the formula that it came from, and the level of the
cgroup tree. The renderer itself says so while it renders; there is no second list that could be wrong. It asks the code afresh, not a
running daemon: load averages start at 0.00.`,
		Example: `  lxcfsctl explain --pid $(docker inspect -f '{{.State.Pid}}' web) /proc/meminfo
  lxcfsctl explain --host web.txtar --json /proc/stat`,
		RunE: func(c *cobra.Command, args []string) error {
			answers, who, err := h.open(c)
			if err != nil {
				return err
			}
			name := served(args[0])
			e, err := answers.Explain(who, name)
			if err != nil {
				return refused(name, err)
			}
			x := explained{File: e.File, Text: e.Text, Origins: origins(e)}
			for _, r := range e.Readings {
				if !slices.Contains(x.Read, r.Path) {
					x.Read = append(x.Read, r.Path)
				}
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(x)
			}
			return x.print(c.OutOrStdout())
		},
	}
	h.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with the text and the kernel files that were read")
	return c
}

// widest is how much of a value the table shows: /proc/stat's intr has a number for each interrupt.
const widest = 48

func (x explained) print(w io.Writer) error {
	rows := [][]string{{"ITEM", "VALUE", "FROM"}}
	for _, o := range x.Origins {
		item := o.Item
		if item == "" {
			item = "(all)"
		}
		value := o.Value
		if len(value) > widest {
			value = value[:widest] + "..."
		}
		rows = append(rows, []string{item, value, o.From})
	}
	return align(w, rows)
}

// align prints rows with their columns one below the other.
func align(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if _, err := io.WriteString(t, strings.Join(r, "\t")+"\n"); err != nil {
			return err
		}
	}
	return t.Flush()
}

// origins puts beside each reason the value that it explains.
func origins(e *core.Explanation) []origin {
	var list []origin
	value := values(e)
	for i, r := range e.Why {
		list = append(list, origin{r.Item, value(i), r.From})
	}
	return list
}

// values finds the text that the reason numbered i explains. An item is a line's label (meminfo, stat), a
// device (diskstats), a column below a heading (swaps), or, in a file of one line, one of its fields in
// their order, where the first has all that the others leave. An item that stands for many lines has no
// one value.
func values(e *core.Explanation) func(i int) string {
	lines := strings.Split(strings.TrimSuffix(e.Text, "\n"), "\n")
	heading := strings.Fields(lines[0])
	if strings.ContainsAny(lines[0], "0123456789") {
		heading = nil
	}
	return func(i int) string {
		item := e.Why[i].Item
		if column := slices.Index(heading, item); column >= 0 {
			if len(lines) != 2 {
				return ""
			}
			return strings.Fields(lines[1])[column]
		}
		value := labelled(lines, item)
		if value == "" && len(lines) == 1 {
			return oneLine(strings.Fields(lines[0]), i, len(e.Why))
		}
		return value
	}
}

// labelled returns what follows item on the only line that has it among its first three words.
func labelled(lines []string, item string) (value string) {
	found := 0
	for _, line := range lines {
		f := strings.Fields(line)
		for at, word := range f[:min(3, len(f))] {
			if item != "" && strings.TrimSuffix(word, ":") == item {
				value = strings.TrimPrefix(strings.Join(f[at+1:], " "), ": ")
				found++
			}
		}
	}
	if found > 1 {
		return ""
	}
	return value
}

func oneLine(f []string, i, n int) string {
	first := len(f) - n + 1
	switch {
	case first < 1:
		return strings.Join(f, " ")
	case i == 0:
		return strings.Join(f[:first], " ")
	}
	return f[first+i-1]
}
