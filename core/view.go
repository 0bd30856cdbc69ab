package core

import (
	"fmt"
	"strconv"

	"lxcfs/kernelfs"
)

// View is what a renderer sees: one container, at one moment. Every value is read at most once, so
// the lines of a file agree, and all files are made from the same models.
type View struct {
	*kernelfs.Snapshot
	*container // nil: the caller has none

	core *Core
	who  Caller
	in   groups // the cgroups of container, as of this view
	out  []byte // what was rendered so far
	why  *Explanation

	mem   memory
	host  hostMemory
	cpus  cpuModel
	times kernelfs.CPUTime
	io    []kernelfs.DeviceIO
}

func (c *Core) view(who Caller) *View {
	v := c.views.Get().(*View)
	v.who = who
	return v
}

// done gives the view's memory back.
func (c *Core) done(v *View) {
	if v.container != nil {
		v.container.release()
	}
	v.Reset()
	v.container, v.in, v.out, v.why = nil, groups{}, nil, nil
	v.mem.ready, v.cpus.ready = false, false
	c.views.Put(v)
}

// cgroup returns the caller's cgroup for a controller, or errHost if there is none.
func (v *View) cgroup(c kernelfs.Controller) (*kernelfs.Cgroup, error) {
	if v.container == nil || v.in[c] == nil {
		return nil, errHost
	}
	return v.in[c], nil
}

// below is cgroup, and errHost at the root of the hierarchy as well: what the root counts is the
// host's, which the host's own file says best.
func (v *View) below(c kernelfs.Controller) (*kernelfs.Cgroup, error) {
	cg, err := v.cgroup(c)
	if err == nil && cg.Root() {
		return nil, errHost
	}
	return cg, err
}

func (v *View) write(s string)    { v.out = append(v.out, s...) }
func (v *View) number(n uint64)   { v.out = strconv.AppendUint(v.out, n, 10) }
func (v *View) decimal(cs uint64) { v.out = appendDecimal(v.out, cs) }

// appendDecimal appends hundredths as "%.2f" would.
func appendDecimal(b []byte, cs uint64) []byte {
	b = strconv.AppendUint(b, cs/100, 10)
	return append(b, '.', byte('0'+cs/10%10), byte('0'+cs%10))
}

// Explanation says of each line or number of a rendered file where it came from. It is written by the
// renderer as it renders.
type Explanation struct {
	File string   `json:"file"`
	Text string   `json:"text"` // what was rendered
	Why  []Reason `json:"why"`
	// Readings are the kernel's files that were read.
	Readings []kernelfs.Reading `json:"-"`
}

// Reason is the origin of one line or number.
type Reason struct {
	Item string `json:"item"` // the line's label, "" for the whole file
	From string `json:"from"` // kernel file, key and formula
}

// because notes where item came from. Call it only where why is not nil: its arguments cost memory.
func (v *View) because(item, format string, args ...any) {
	v.why.Why = append(v.why.Why, Reason{item, fmt.Sprintf(format, args...)})
}

// Explain renders path for who and says where everything in it came from.
func (c *Core) Explain(who Caller, path string) (*Explanation, error) {
	v := c.view(who)
	defer c.done(v)
	e := &Explanation{File: path}
	v.why = e
	out, err := c.read(v, path, nil)
	if err != nil {
		return nil, err
	}
	e.Text = string(out)
	for _, r := range v.Readings() {
		r.Data = append([]byte(nil), r.Data...)
		e.Readings = append(e.Readings, r)
	}
	return e, nil
}

// place prints where a value was read, as an explanation does: "/lxc/web memory.max".
func place(at kernelfs.At) string {
	if at.Cgroup == nil {
		return "no cgroup"
	}
	return at.Cgroup.Path + " " + at.File()
}
