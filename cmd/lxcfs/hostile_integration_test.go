//go:build integration

package main

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// tarpit is a file whose close(2) ends when the test says so.
type tarpit struct {
	fs.Inode
	once    sync.Once
	closing chan struct{} // closed when somebody closes it
	release chan struct{}
}

func (p *tarpit) OnAdd(ctx context.Context) {
	p.AddChild("file", p.NewPersistentInode(ctx, &tarpitFile{pit: p}, fs.StableAttr{}), false)
}

type tarpitFile struct {
	fs.Inode
	pit *tarpit
}

func (f *tarpitFile) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return f, fuse.FOPEN_DIRECT_IO, 0
}

func (f *tarpitFile) Flush(context.Context, fs.FileHandle) syscall.Errno {
	f.pit.once.Do(func() { close(f.pit.closing) })
	<-f.pit.release
	return 0
}

// A container's init that its own FUSE server holds up in execve(2) has the kernel not answer for its stat and ns/pid:
// its own processes wait for it, and nobody else does.
func TestInitIsHeldUpInExec(t *testing.T) {
	d := start(t)
	pit := &tarpit{closing: make(chan struct{}), release: make(chan struct{})}
	dir := t.TempDir()
	server, err := fs.Mount(dir, pit, &fs.Options{MountOptions: fuse.MountOptions{DirectMount: true}})
	if err != nil {
		t.Fatal(err)
	}
	init := exec.Command("unshare", "--pid", "--fork", "--kill-child", "python3", "-c", `
import os, sys
if os.fork() == 0:
	sys.stdin.readline()
	try:
		open("`+d.dir+`/proc/meminfo").read()
		print("answered")
	except OSError as e:
		print(os.strerror(e.errno))
	sys.stdout.flush()
	sys.exit()
os.open("`+dir+`/file", os.O_RDONLY | os.O_CLOEXEC)
os.execv("/bin/sleep", ["sleep", "60"])`)
	in, _ := init.StdinPipe()
	out, _ := init.StdoutPipe()
	if err := init.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		init.Process.Kill()
		io.Copy(io.Discard, out)
		init.Wait()
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-pit.closing:
	case <-time.After(limit):
		t.Fatal("nobody closes the file")
	}
	io.WriteString(in, "\n")
	said := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		said <- strings.TrimSpace(line)
	}()
	select {
	case got := <-said:
		t.Errorf("a process of it reads meminfo: %s, though its init does not answer", got)
	case <-time.After(200 * time.Millisecond):
	}
	if out, err := exec.Command("timeout", "5", "cat", d.dir+"/proc/meminfo").CombinedOutput(); err != nil {
		t.Errorf("another reader: %v: %s", err, out)
	}
	close(pit.release)
	select {
	case got := <-said:
		if got != "answered" {
			t.Errorf("a process of it reads meminfo, its init being in execve no more: %s", got)
		}
	case <-time.After(limit):
		t.Error("a process of it is not answered, though its init is in execve no more")
	}
}
