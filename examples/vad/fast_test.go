//go:build !race && !purego && !noasm

package main

const slow = false
