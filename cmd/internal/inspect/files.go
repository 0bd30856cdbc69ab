package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lxcfs/core"
)

// row is a served file as "files" prints it.
type row struct {
	File     string   `json:"file"`
	Mode     string   `json:"mode"`
	Needs    []string `json:"needs"`
	Doc      string   `json:"doc"`
	RootOnly bool     `json:"rootOnly"`
}

func rows() []row {
	var list []row
	for _, f := range core.Files {
		r := row{File: "/" + f.Path, Mode: fmt.Sprintf("%04o", f.Mode.Perm()), Doc: f.Doc, RootOnly: f.RootOnly}
		for _, c := range f.Needs {
			r.Needs = append(r.Needs, c.String())
		}
		list = append(list, r)
	}
	return list
}

// Files returns "lxcfsctl files".
func Files() *cobra.Command {
	var asJSON, asMarkdown bool
	c := &cobra.Command{
		Use:   "files",
		Short: "List the served files",
		Long: `Lists the served files, the cgroup controllers without which a file shows the host's numbers (under their cgroup v1 names), and what each shows.
Below /sys/devices/system/cpu everything else is the host's, without the CPUs that a container does not have.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w := c.OutOrStdout()
			switch {
			case asJSON:
				enc := json.NewEncoder(w)
				enc.SetIndent("", "  ")
				return enc.Encode(rows())
			case asMarkdown:
				_, err := io.WriteString(w, markdown())
				return err
			}
			return table(w)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&asMarkdown, "markdown", false, "print the table of the README")
	c.MarkFlagsMutuallyExclusive("json", "markdown")
	return c
}

func table(w io.Writer) error {
	list := [][]string{{"FILE", "NEEDS", "SHOWS"}}
	for _, r := range rows() {
		list = append(list, []string{r.File, strings.Join(r.Needs, " "), r.Doc})
	}
	return align(w, list)
}

func markdown() string {
	var b strings.Builder
	b.WriteString("| file | needs | shows the container |\n|---|---|---|\n")
	for _, r := range rows() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.File, strings.Join(r.Needs, ", "), r.Doc)
	}
	return b.String()
}
