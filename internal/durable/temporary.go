package durable

import (
	"os"
	"sync"
)

// temporary holds the files and folders of this process that are there for a while.
var temporary names

// names is a set of files, and of folders.
type names struct {
	mu  sync.Mutex
	set map[string]bool
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.set == nil {
		n.set = map[string]bool{}
	}
	n.set[name] = true
}

func (n *names) remove(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.set, name)
}

// RemoveTemporary removes the files and folders that this process is writing, and its
// locks. Call it just before the process ends in the middle of its work.
func RemoveTemporary() {
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	for name := range temporary.set {
		// Under another name, no goroutine makes files in a folder while it is removed.
		if other := name + besideSuffix; os.Rename(name, other) == nil {
			name = other
		}
		os.RemoveAll(name)
	}
}
