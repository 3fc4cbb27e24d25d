package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"batchrnn/internal/engine"
	"batchrnn/kernels"
)

// versionFlag prints the version and ends the program.
type versionFlag bool

// BeforeReset is called by kong if the flag is given.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	printVersion(app.Stdout, info)
	app.Exit(0)
	return nil
}

// printVersion writes the module's version, the revision that it was built from, the Go
// version, and the kernels that run here.
func printVersion(w io.Writer, info *debug.BuildInfo) {
	version := info.Main.Version
	if version == "" {
		version = "(unknown version)"
	}
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	fmt.Fprintf(w, "rnnbench  %s\n", version)
	if revision := setting["vcs.revision"]; revision != "" {
		if setting["vcs.modified"] == "true" {
			revision += ", changed since"
		}
		fmt.Fprintf(w, "revision  %s\n", strings.TrimSpace(revision+" "+setting["vcs.time"]))
	}
	fmt.Fprintf(w, "go        %s, %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	picked := ""
	e, err := engine.New("", 1)
	if err != nil {
		picked = message(err) // a bad BATCHRNN_ISA must not hide the version
	} else {
		picked = e.ISA()
		e.Close()
	}
	fmt.Fprintf(w, "kernels   %s, of %s\n", picked, strings.Join(kernels.ISAs(), ", "))
}
