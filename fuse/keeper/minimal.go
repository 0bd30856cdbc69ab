package keeper

import (
	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

// minimal is the keeper serving, because no worker lives long enough.
type minimal struct {
	conn *conn.Conn
	done chan struct{}
}

// startMinimal serves with the minimal handler. cause says how the last worker ended.
func (k *Keeper) startMinimal(cause conn.Cause) {
	if k.minimal != nil || k.o.Minimal == nil {
		return
	}
	fuse, err := unix.FcntlInt(uintptr(k.fuse), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		k.log.Error("minimal mode", "err", err)
		return
	}
	state, err := unix.FcntlInt(uintptr(k.state), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		unix.Close(fuse)
		k.log.Error("minimal mode", "err", err)
		return
	}
	c, err := conn.Adopt(fuse, state, conn.Options{History: k.o.History, Log: k.log})
	if err != nil {
		unix.Close(fuse)
		unix.Close(state)
		k.log.Error("minimal mode", "err", err)
		return
	}
	k.log.Error("workers keep dying: answering with the host's files", "crashes", k.crashes)
	k.minimal = &minimal{c, make(chan struct{})}
	go func(m *minimal) {
		defer close(m.done)
		if err := m.conn.Serve(k.o.Minimal(m.conn.State), cause); err != nil {
			k.log.Error("minimal mode", "err", err)
		}
	}(k.minimal)
}

// stopMinimal lets a worker serve.
func (k *Keeper) stopMinimal() {
	if k.minimal == nil {
		return
	}
	k.minimal.conn.Stop()
	<-k.minimal.done
	k.minimal.conn.Close()
	k.minimal = nil
}
