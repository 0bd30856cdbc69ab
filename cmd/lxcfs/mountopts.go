package main

import (
	"fmt"
	"slices"
	"strings"
)

// mountOptions are the words of -o that LXCFS drops or hands to libfuse 3 and mount(8). None of them changes what is served here: the daemon
// sets its own mount options, and has no libfuse to tune. They are accepted so that command lines written for LXCFS keep working.
var mountOptions = []string{
	"allow_other", "allow_root", "atime", "async", "async_read", "atomic_o_trunc", "attr_timeout", "ac_attr_timeout", "auto_cache",
	"auto_unmount", "blkdev", "blksize", "clone_fd", "congestion_threshold", "debug", "default_permissions", "dev", "direct_io",
	"dirsync", "entry_timeout", "exec", "fsname", "gid", "hard_remove", "intr", "intr_signal", "kernel_cache", "large_read",
	"max_background", "max_idle_threads", "max_read", "max_readahead", "max_threads", "max_write", "modules", "negative_timeout",
	"noatime", "noauto", "noauto_cache", "nodev", "nodiratime", "noexec", "noforget", "nonempty", "nosuid", "remember", "readdir_ino",
	"relatime", "ro", "rw", "splice_move", "splice_read", "splice_write", "strictatime", "subtype", "suid", "sync", "sync_read", "uid",
	"umask", "use_ino",
}

// checkMountOptions rejects the first word of a -o value that neither LXCFS nor libfuse would have known.
func checkMountOptions(value string) error {
	for word := range strings.SplitSeq(value, ",") {
		name, _, _ := strings.Cut(word, "=")
		if name == "" || slices.Contains(mountOptions, name) {
			continue
		}
		return fmt.Errorf("unknown mount option %q in -o: leave it out; none is needed, and allow_other is always on", word)
	}
	return nil
}
