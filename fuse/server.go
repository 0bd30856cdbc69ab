package fuse

import (
	"errors"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"lxcfs/core"
	"lxcfs/fuse/conn"
)

// Options of a mount.
type Options struct {
	PSIPoll bool         // serve pressure triggers; the mount is writable then
	Log     *slog.Logger // nil: silent
}

// Server serves one connection from a core.
type Server struct {
	conn *conn.Conn
	tree *tree
}

// Mount mounts c's files on dir, in this process alone: when it dies, so does the mount. The errors say what to do.
func Mount(dir string, c *core.Core, o Options) (*Server, error) {
	cn, err := conn.Mount(dir, conn.Options{Writable: o.PSIPoll, Log: o.Log})
	if err != nil {
		return nil, err
	}
	return New(cn, c, o), nil
}

// New serves c's files on a connection.
func New(cn *conn.Conn, c *core.Core, o Options) *Server {
	return newServer(cn, coreSource(c), o)
}

func newServer(cn *conn.Conn, src source, o Options) *Server {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t := newTree(src, cn.Generation(), cn.State, log)
	if o.PSIPoll {
		t.triggers = newTriggers(cn.Wake, log)
	}
	cn.Flow = src.flow
	return &Server{conn: cn, tree: t}
}

// Serve answers until the connection ends: nil when it was unmounted.
func (s *Server) Serve() error { return s.ServeAfter(conn.Started) }

// ServeAfter is Serve for a worker whose predecessor ended for the given cause and is wholly dead.
//
// It sets GOMAXPROCS to 1 where the environment does not say otherwise: with more, the runtime wakes a second thread to
// look for work each time the reader wakes, 20 us of CPU for each request. A reader that waits in the kernel gives the
// processor up. See the package's decisions. GOGC it sets to 50 likewise: a warm read allocates nothing, so that a
// small heap costs nothing.
func (s *Server) ServeAfter(cause conn.Cause) error {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	go func() {
		defer func() {
			if p := recover(); p != nil {
				s.tree.log.Error("panic while listing", "panic", p)
			}
		}()
		s.tree.forget(s.conn.State, s.conn.Forget)
		s.tree.learn("", 0)
	}()
	return s.conn.Serve(s.tree.handle, cause)
}

// Unmount takes the mount away and so ends Serve.
func (s *Server) Unmount() error { return s.conn.Unmount() }

// Close frees what Serve used, after it has returned.
func (s *Server) Close() error { return errors.Join(s.conn.Close()) }

// Panics returns the number of requests that were answered EIO because their handling panicked.
func (s *Server) Panics() uint64 { return s.conn.Panics() }
