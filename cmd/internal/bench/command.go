package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// options are the command's flags.
type options struct {
	ours, peer, null string
	host             bool
	suites           []string
	only             string
	rounds           int
	round            time.Duration
	soak             time.Duration
	soakReads        int
	scale            int
	json             string
	out              string
	list             bool
	custom           custom
}

// Command returns "bench", which measures servers against each other.
func Command() *cobra.Command {
	var o options
	names := []string{"all"}
	for _, s := range Suites() {
		names = append(names, s.Name)
	}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what containers and the daemon pay for a read",
		Long: `Measure what containers and the daemon pay for a read.

The servers are started on directories of their own, read from by containers made
for it, and measured in turn (A B B A). A server that is not installed, or given as "",
is left out.
Cgroups are named ` + Prefix + `PID. Everything made is removed at the end.`,
		Example: `  lxcfsctl bench --host --out plots
  lxcfsctl bench --suite cold --json -
  lxcfsctl bench --peer "" --suite cost --row meminfo --rounds 20
  lxcfsctl bench --peer "" --null "" --suite soak --row reads --soak-reads 10000000
  lxcfsctl bench --ours "bin/lxcfs --enable-cfs" --form cat --readers 8 --containers 50 --depth 4 --place cross`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.ours, "ours", found("bin/lxcfs"), "command line of the server under test, or MOUNTPOINT@PID of one that runs")
	f.StringVar(&o.peer, "peer", found("lxcfs"), "the same of LXCFS")
	f.StringVar(&o.null, "null", found("bin/lxcfs", "--null"), "the same of the server that does nothing")
	f.BoolVar(&o.host, "host", false, "measure the host's own files too")
	f.StringSliceVar(&o.suites, "suite", []string{"cost"}, strings.Join(names, ", "))
	f.StringVar(&o.only, "row", "", "only rows whose name contains this")
	f.IntVar(&o.rounds, "rounds", 8, "rounds, where a row does not say")
	f.DurationVar(&o.round, "round", 500*time.Millisecond, "length of a round, where a row does not say")
	f.DurationVar(&o.soak, "soak", 20*time.Second, "length of a round of the suite soak")
	f.IntVar(&o.soakReads, "soak-reads", 0, "do so many reads in the suite soak, in 20 rounds, instead")
	f.IntVar(&o.scale, "scale", 1, "divide the numbers of containers by this, to try it out")
	f.StringVar(&o.json, "json", "", "write the results as JSON to this file, - for standard output")
	f.StringVar(&o.out, "out", "", "draw plots into this directory")
	o.custom.flags(f)
	f.BoolVar(&o.list, "list", false, "list the suites and their goals, measure nothing")
	return cmd
}

// found returns a command line, if its program is there.
func found(words ...string) string {
	if _, err := exec.LookPath(words[0]); err != nil {
		return ""
	}
	return strings.Join(words, " ")
}

func (o *options) run(cmd *cobra.Command) error {
	suites, err := o.pick(Suites())
	if slices.ContainsFunc(customFlags, cmd.Flags().Changed) {
		var s Suite
		s, err = o.custom.suite()
		suites = []Suite{s}
	}
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if o.list {
		for _, s := range suites {
			fmt.Fprintf(out, "%s: %s\n", s.Name, s.Question)
			for _, r := range s.Rows {
				fmt.Fprintf(out, "  %s\n", r.Name)
				for _, g := range r.Goals {
					fmt.Fprintf(out, "    %s\n", g)
				}
			}
		}
		return nil
	}
	launches, err := o.launches()
	if err != nil {
		return err
	}
	if len(launches) == 0 {
		return errors.New("nothing to measure: give one of --ours, --peer, --null, --host")
	}
	if os.Geteuid() != 0 {
		return errors.New("bench makes pid namespaces, cgroups and mounts: it needs root")
	}
	if o.json == "-" {
		out = cmd.ErrOrStderr()
	}
	ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	progress := newProgress(os.Stderr)
	r := &Runner{Launches: launches, Round: o.round, Rounds: o.rounds, Progress: progress.show}
	results, err := r.Run(ctx, suites, func(res *Result) error {
		progress.clear()
		return res.Print(out)
	})
	progress.clear()
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted: %w", err)
	}
	return errors.Join(err, o.publish(cmd, results))
}

// publish writes what was measured, be it all or what an error left.
func (o *options) publish(cmd *cobra.Command, results []*Result) error {
	if len(results) == 0 {
		return nil
	}
	met, missed, unknown := Summary(results)
	fmt.Fprintf(cmd.ErrOrStderr(), "goals: %d met, %d not met, %d not measured\n", met, missed, unknown)
	var errs error
	if o.out != "" {
		errs = Plot(o.out, results)
	}
	if o.json == "" {
		return errs
	}
	report, err := NewReport(results)
	if err != nil {
		return errors.Join(errs, err)
	}
	if o.json == "-" {
		return errors.Join(errs, report.WriteJSON(cmd.OutOrStdout()))
	}
	f, err := os.Create(o.json)
	if err != nil {
		return errors.Join(errs, err)
	}
	return errors.Join(errs, report.WriteJSON(f), f.Close())
}

// launches are the servers in the order they are measured.
func (o *options) launches() ([]Launch, error) {
	var all []Launch
	for _, s := range []struct{ name, value string }{{Ours, o.ours}, {Peer, o.peer}, {Null, o.null}} {
		words := strings.Fields(s.value)
		if len(words) == 0 {
			continue
		}
		l := Launch{Name: s.name, Command: append(words, "-f")}
		if root, pid, ok := strings.Cut(s.value, "@"); ok {
			n, err := strconv.Atoi(pid)
			if err != nil || n < 1 || !filepath.IsAbs(root) {
				return nil, fmt.Errorf("--%s %s: not MOUNTPOINT@PID", s.name, s.value)
			}
			l = Launch{Name: s.name, Root: root, PID: n}
		}
		all = append(all, l)
	}
	if o.host {
		all = append(all, Launch{Name: Host})
	}
	return all, nil
}

// soakRounds is in how many rounds --soak-reads are done: one does not take longer than readers are waited for.
const soakRounds = 20

// pick chooses suites and rows and scales them.
func (o *options) pick(all []Suite) ([]Suite, error) {
	if o.rounds < 1 || o.round <= 0 || o.soak <= 0 || o.soakReads < 0 || o.scale < 1 {
		return nil, errors.New("rounds, their length and the scale must be positive")
	}
	var picked []Suite
	for _, name := range o.suites {
		known := name == "all"
		for _, s := range all {
			if name != "all" && name != s.Name {
				continue
			}
			known = true
			s.Rows = slices.DeleteFunc(slices.Clone(s.Rows), func(r Row) bool { return !strings.Contains(r.Name, o.only) })
			for i := range s.Rows {
				s.Rows[i].Containers = max(1, s.Rows[i].Containers/o.scale)
				if s.Name == "soak" {
					s.Rows[i].Round = o.soak
					if o.soakReads > 0 {
						s.Rows[i].Rounds, s.Rows[i].Count = soakRounds, max(1, o.soakReads/soakRounds)
					}
				}
			}
			if len(s.Rows) > 0 {
				picked = append(picked, s)
			}
		}
		if !known {
			return nil, fmt.Errorf("suite %q: there is none of this name", name)
		}
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("no row has %q in its name", o.only)
	}
	return picked, nil
}

// progress shows on a terminal what is being measured.
type progress struct {
	w        *os.File
	terminal bool
}

func newProgress(w *os.File) *progress {
	_, err := unix.IoctlGetTermios(int(w.Fd()), unix.TCGETS)
	return &progress{w: w, terminal: err == nil}
}

func (p *progress) show(suite, row, server string, round, rounds int) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s, %s: %s, round %d of %d", suite, row, server, round, rounds)
	}
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
