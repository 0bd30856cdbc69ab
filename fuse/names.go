package fuse

import (
	"strconv"
	"strings"
	"sync"

	"lxcfs/fuse/conn"
)

// A node id is made of the path alone, so that a successor, another release and the minimal mode know what the kernel
// means without having been told:
//
//	1                         the root
//	bit 63, bits 62..48       0, and the number of the CPU plus 1 for nodes in a cpuN directory and that directory
//	bits 47..0                FNV-1a of the path, folded from 64 bits; for nodes of a CPU of the path below cpuN
//
// The ids are an ABI between releases.
const (
	rootID   = 1
	cpuShift = 48
	hashMask = 1<<cpuShift - 1

	// cpuDir is the directory whose cpuN are not there for everybody.
	cpuDir = "sys/devices/system/cpu"
	// sysDir is what has no content while nothing is virtualised.
	sysDir = "sys"
	// pressureDir holds the files that take triggers.
	pressureDir = "proc/pressure"

	// maxNames bounds the names remembered. Beyond, they are found by walking.
	maxNames = 1 << 14
)

// cpuOf splits path into the CPU whose directory it is or is in, and the rest. cpu is -1 if there is none.
func cpuOf(path string) (cpu int, rest string) {
	below, ok := strings.CutPrefix(path, cpuDir+"/cpu")
	if !ok {
		return -1, path
	}
	digits, rest, _ := strings.Cut(below, "/")
	n, err := strconv.ParseUint(digits, 10, 14)
	if err != nil || strconv.FormatUint(n, 10) != digits {
		return -1, path
	}
	return int(n), rest
}

// cpuPath returns the directory of a CPU.
func cpuPath(cpu int) string { return cpuDir + "/cpu" + strconv.Itoa(cpu) }

// idOf returns the node id of path.
func idOf(path string) uint64 {
	if path == "" {
		return rootID
	}
	cpu, rest := cpuOf(path)
	h := uint64(14695981039346656037)
	for _, c := range []byte(rest) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h = (h ^ h>>cpuShift) & hashMask
	if cpu < 0 && h <= rootID { // 0 and 1 mean other things
		h += 2
	}
	return uint64(cpu+1)<<cpuShift | h
}

// cpuOfID returns the CPU a node belongs to, -1 if none.
func cpuOfID(id uint64) int { return int(id>>cpuShift&0x7fff) - 1 }

// inode returns the 32-bit inode number shown for a node: programs without large file support cannot stat more.
func inode(id uint64) uint64 {
	if id == rootID {
		return rootID
	}
	return (id^id>>32)&0x7fffffff | 2
}

// node is a name of the served tree as the handler needs it.
type node struct {
	path     string
	cpu      int  // -1: visible to everybody
	sys      bool // in sysDir
	pressure bool // takes triggers
}

func newNode(path string) *node {
	cpu, _ := cpuOf(path)
	return &node{
		path: path, cpu: cpu,
		sys:      path == sysDir || strings.HasPrefix(path, sysDir+"/"),
		pressure: strings.HasPrefix(path, pressureDir+"/"),
	}
}

// names finds the node of an id. The table is bounded; what is not in it is found by walking the tree.
type names struct {
	mu    sync.RWMutex
	byID  map[uint64]*node
	state *conn.State // keeps what fits for successors and the minimal mode
}

// newNames returns the names predecessors knew, by what they left in state.
func newNames(state *conn.State) *names {
	n := &names{byID: map[uint64]*node{}, state: state}
	n.byID[rootID] = newNode("")
	for path := range state.Names {
		n.byID[idOf(path)] = newNode(path)
	}
	return n
}

// add remembers path and returns its node and id. It returns nil if another path has the same id, which then is served
// and this one is not: a collision must not show one file's content under another's name.
func (n *names) add(path string, mode uint32) (*node, uint64) {
	id := idOf(path)
	n.mu.RLock()
	known := n.byID[id]
	n.mu.RUnlock()
	if known == nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		if known = n.byID[id]; known == nil {
			for old, nd := range n.byID {
				if len(n.byID) < maxNames {
					break
				}
				if nd.cpu >= 0 { // the others are few
					delete(n.byID, old)
				}
			}
			known = newNode(path)
			n.byID[id] = known
			n.state.AddName(path, mode)
		}
	}
	if known.path != path {
		return nil, 0
	}
	return known, id
}

// get returns the node of id, nil if it is not remembered.
func (n *names) get(id uint64) *node {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.byID[id]
}
