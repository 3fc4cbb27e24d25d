package text

import "testing"

func TestDefaultReadsGoroot(t *testing.T) {
	root := writeFiles(t, map[string]string{"src/testdata/Isaac.Newton-Opticks.txt": "Light\n"})
	t.Setenv("GOROOT", root)
	if text := Default(1); string(text.Data) != "Light\n" || text.Synthetic {
		t.Errorf("read %+v", text)
	}
}

func TestDefaultStandsIn(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no such file": {"src/other": "x"},
		"empty file":   {"src/testdata/Isaac.Newton-Opticks.txt": ""},
	} {
		t.Setenv("GOROOT", writeFiles(t, files))
		if text := Default(1); !text.Synthetic || len(text.Data) != syntheticBytes {
			t.Errorf("%s: %q, %d bytes", name, text.Name, len(text.Data))
		}
	}
	t.Setenv("GOROOT", "")
	t.Setenv("PATH", t.TempDir())
	if text := Default(1); !text.Synthetic {
		t.Errorf("no Go at all: %q", text.Name)
	}
}
