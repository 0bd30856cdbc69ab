// Package fakekernel is a kernel you can script: a tree of files that Linux could have produced, and verbs that change it as
// Linux would.
package fakekernel
