package core_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// still is a fake kernel in which nothing happens: what each file held when it was first read is served
// from memory, so that what is measured is not the fake.
type still struct {
	*fakekernel.Kernel
	files map[string][]byte
	reads int
}

func (s *still) Open(name string) (afero.File, error) {
	s.reads++
	text, ok := s.files[name]
	if !ok {
		f, err := s.Kernel.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if text, err = afero.ReadAll(f); err != nil {
			return nil, err
		}
		s.files[name] = text
	}
	return &stillFile{text: bytes.NewReader(text)}, nil
}

type stillFile struct {
	afero.File
	text *bytes.Reader
}

func (f *stillFile) Read(p []byte) (int, error) { return f.text.Read(p) }
func (f *stillFile) Close() error               { return nil }

// freeze returns a host with one container that used all disks.
func freeze(tb testing.TB, layout string, cpus, disks int, memory string) (*still, *core.Core, core.Caller) {
	tb.Helper()
	names := make([]string, disks)
	for i := range names {
		names[i] = fmt.Sprintf("dm-%d", i)
	}
	k, err := fakekernel.Boot(layout, fmt.Sprint("cpus=", cpus), "memory="+memory, "disks="+strings.Join(names, ","))
	if err != nil {
		tb.Fatal(err)
	}
	verbs := []string{
		"cgroup create /lxc", "cgroup create /lxc/web", "limit memory /lxc/web 64M", "limit cpu /lxc/web 1.5",
		"spawn web in /lxc/web pidns=new", "charge /lxc/web anon=4M file=8M", "tick 5s",
	}
	for _, v := range verbs {
		f := strings.Fields(v)
		if err := k.Do(f[0], f[1:]...); err != nil {
			tb.Fatalf("%s: %v", v, err)
		}
	}
	s := &still{Kernel: k, files: map[string][]byte{}}
	for _, f := range []string{"io.stat", "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"} {
		host, err := afero.ReadFile(k, "/proc/diskstats")
		if err != nil {
			tb.Fatal(err)
		}
		s.files["/sys/fs/cgroup/lxc/web/"+f] = usedAll(host, f)
		s.files["/sys/fs/cgroup/blkio/lxc/web/"+f] = usedAll(host, f)
	}
	c, err := core.New(kernelfs.New(s), core.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	pid, err := k.PID("web")
	if err != nil {
		tb.Fatal(err)
	}
	return s, c, core.Caller{PID: pid}
}

// usedAll writes file for a container that used each of the host's devices, in the reverse of their order
// as the kernel does.
func usedAll(diskstats []byte, file string) (text []byte) {
	for line := range bytes.Lines(diskstats) {
		f := bytes.Fields(line)
		dev := fmt.Sprintf("%s:%s", f[0], f[1])
		one := fmt.Sprintf("%s rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n", dev)
		if file != "io.stat" {
			one = fmt.Sprintf("%s Read 4096\n%s Write 8192\n%s Discard 0\n%s Total 12288\n", dev, dev, dev, dev)
		}
		text = append([]byte(one), text...)
	}
	return text
}

var machines = []struct {
	name        string
	cpus, disks int
	memory      string
}{
	{"small", 4, 2, "8G"},
	{"512cpus", 512, 2, "8G"},
	{"1000disks", 4, 1000, "8G"},
	{"1TiB", 64, 8, "1T"},
}

// BenchmarkRender renders each file of a container, on hosts of several sizes. The host's kernel files are
// in memory; kernel-reads says how many are read for one rendering.
func BenchmarkRender(b *testing.B) {
	for _, layout := range []string{"legacy", "unified"} {
		for _, size := range machines {
			s, c, who := freeze(b, layout, size.cpus, size.disks, size.memory)
			for i := range core.Files {
				path := core.Files[i].Path
				b.Run(layout+"/"+size.name+"/"+filepath.Base(path), func(b *testing.B) {
					buf, err := c.Read(who, path, nil)
					if err != nil {
						b.Fatal(err)
					}
					before := s.reads
					b.ReportAllocs()
					for b.Loop() {
						if buf, err = c.Read(who, path, buf[:0]); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(s.reads-before)/float64(b.N), "kernel-reads/op")
				})
			}
		}
	}
}

// TestLargeHosts: the number of CPUs, disks or bytes does not change how many kernel files are read, four
// times as many do not take sixteen times as long, and none takes long.
func TestLargeHosts(t *testing.T) {
	quick, tooLong := time.Millisecond, 2*time.Millisecond // quick is not looked into further
	if racing {
		quick, tooLong = 50*time.Millisecond, 100*time.Millisecond // the race detector takes 25 on a busy machine
	}
	// quickest of several renderings, and of more while it seems too long, so that a busy machine does not count.
	quickest := func(c *core.Core, who core.Caller, path string) time.Duration {
		best := time.Hour
		var buf []byte
		for n := 0; n < 12 || best > quick && n < 500; n++ {
			began := time.Now()
			var err error
			if buf, err = c.Read(who, path, buf[:0]); err != nil && !isMissing(err) {
				t.Fatal(err)
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	for _, layout := range []string{"legacy", "unified"} {
		s1, c1, who1 := freeze(t, layout, 128, 250, "256G")
		s4, c4, who4 := freeze(t, layout, 512, 1000, "1T")
		for i := range core.Files {
			path := core.Files[i].Path
			once, four := quickest(c1, who1, path), quickest(c4, who4, path)
			t.Logf("%s: %s takes %v", layout, path, four)
			if four > tooLong {
				t.Errorf("%s: %s takes %v on 512 CPUs, 1,000 disks and 1 TiB", layout, path, four)
			}
			if four > 10*once && four > quick {
				t.Errorf("%s: %s takes %v, and %v on a host four times as large", layout, path, once, four)
			}
			r1, r4 := s1.reads, s4.reads
			c1.Read(who1, path, nil)
			c4.Read(who4, path, nil)
			if r1, r4 = s1.reads-r1, s4.reads-r4; r1 != r4 || r1 == 0 {
				t.Errorf("%s: %s reads %d kernel files, and %d on a host four times as large", layout, path, r1, r4)
			}
		}
	}
}

func isMissing(err error) bool { return strings.Contains(err.Error(), fs.ErrNotExist.Error()) }
