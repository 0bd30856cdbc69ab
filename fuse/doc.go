// Package fuse carries files: it turns FUSE requests into questions to [lxcfs/core.Core] and its answers into replies.
package fuse
