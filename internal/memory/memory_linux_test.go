package memory

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGroupMemory(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"a/memory.max": "1000\n", "a/memory.current": "300\n", // leaves 700
		"a/b/memory.max": "max\n", "a/b/memory.current": "200\n",
		"full/memory.max": "10\n", "full/memory.current": "20\n",
		"memory/old/memory.limit_in_bytes": "500\n", "memory/old/memory.usage_in_bytes": "100\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for groups, want := range map[string]int64{
		"":                                  9999,
		"0::/":                              9999,
		"0::/a\n":                           700,
		"0::/a/b\n":                         700,
		"0::/elsewhere\n":                   9999,
		"0::/full\n":                        0,
		"8:cpu:/a\n7:memory:/old\n0::/a\n":  400,
		"7:memory:/gone\nnot a line at all": 9999,
	} {
		if got := groupMemory(groups, root, 9999); got != want {
			t.Errorf("groupMemory(%q) = %d, want %d", groups, got, want)
		}
	}
}
