// Chaos kills and upgrades the workers of a mounted lxcfs at random moments while containers read through it, and checks
// every content: nothing may fail, hang, show another container's numbers or count backwards, no read may take much
// longer than undisturbed ones do, and neither keeper nor worker may grow.
//
//	go build -o /tmp/lxcfs ./cmd/lxcfs && go run ./scripts/chaos -lxcfs /tmp/lxcfs -kills 1000 -upgrades 200
//
// It needs root and /dev/fuse. Its containers are cgroups and namespaces of its own making. Storms and calms of the same
// length alternate, so that the worst read of each has met the same machine: one of a second says nothing about one of
// another minute where others work too.
//
// With -systemd the program is the service of that name, which must not run yet: its keeper is killed as well, and
// upgrades are systemctl reload and systemctl restart.
//
// The same against a program built with -tags norecovery must fail (-want-failure), or it could not; with -tags nojournal
// it tries the kernel's FUSE_NOTIFY_RESEND alone, with -tags noresend the journal alone.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

var (
	program    = flag.String("lxcfs", "", "the lxcfs `program` to torment")
	unit       = flag.String("systemd", "", "the systemd `service` to torment instead")
	kills      = flag.Int("kills", 1000, "how many workers to kill")
	upgrades   = flag.Int("upgrades", 200, "how many upgrades to see done")
	containers = flag.Int("containers", 4, "how many containers read")
	threads    = flag.Int("threads", 2, "readers in each container")
	worst      = flag.Int("worst", 10, "how many times longer than the worst undisturbed read a read may take")
	phase      = flag.Duration("phase", 5*time.Second, "how long a storm lasts, and the calm before it")
	gap        = flag.Duration("gap", 400*time.Millisecond, "typical time between two kills; from a quarter to five quarters of it")
	patience   = flag.Duration("patience", 10*time.Second, "how long a read may take before it hangs")
	standby    = flag.Bool("standby", false, "run lxcfs with --standby")
	wantFail   = flag.Bool("want-failure", false, "succeed if reads fail or hang: the control run")
)

func main() {
	if len(os.Args) == 5 && os.Args[0] == "container" {
		limit, _ := strconv.Atoi(os.Args[2])
		n, _ := strconv.Atoi(os.Args[3])
		patience, _ := time.ParseDuration(os.Args[4])
		if err := contain(os.Args[1], limit, n, patience); err != nil {
			fmt.Fprintln(os.Stderr, "container:", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if err := torment(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func torment() error {
	d, err := startDaemon()
	if err != nil {
		return err
	}
	var cs []*container
	defer func() {
		d.stop() // first: readers that hang cannot be killed before
		for _, c := range cs {
			c.stop()
		}
	}()
	for i := range *containers {
		c, err := startContainer(d.dir, i)
		if err != nil {
			return err
		}
		cs = append(cs, c)
	}
	collect(cs) // what starting cost is nobody's
	w := &weather{d: d, cs: cs}
	if *wantFail {
		if err := w.blow(); err != nil {
			return err
		}
		return control(w.storm)
	}
	if err := w.run(); err != nil {
		return err
	}
	return w.judge()
}

// control says whether the run without recovery was as it must be.
func control(storm tally) error {
	fmt.Printf("without recovery: %v\n", storm)
	if storm.bad() == 0 {
		return fmt.Errorf("the control run did not fail: this program cannot")
	}
	return nil
}
