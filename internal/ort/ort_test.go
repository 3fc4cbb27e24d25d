package ort

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestModelRuns(t *testing.T) {
	r := Start(t)
	data, err := os.ReadFile(File(t, "silero_vad_v5.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]Tensor{
		"input": {[]int{1, 512}, make([]float32, 512)},
		"state": {[]int{2, 1, 128}, make([]float32, 256)},
		"sr":    {nil, []int64{16000}},
	}
	first, err := m.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := first["output"].Data.([]float32)
	if !ok || len(p) != 1 || !(p[0] > 0 && p[0] < 0.5) || !reflect.DeepEqual(first["output"].Shape, []int{1, 1}) {
		t.Errorf("silence gives %+v, want one small probability", first["output"])
	}
	if n := first["stateN"]; !reflect.DeepEqual(n.Shape, []int{2, 1, 128}) {
		t.Errorf("the state has shape %v", n.Shape)
	}

	// Errors come back, and the next call works.
	if _, err := r.Load(data[:1000]); err == nil || !strings.Contains(err.Error(), "protobuf") {
		t.Errorf("a truncated model: error %v", err)
	}
	bad := map[string]Tensor{"input": {[]int{1, 3}, make([]float32, 3)}}
	if _, err := m.Run(bad); err == nil || !strings.Contains(err.Error(), "state") {
		t.Errorf("an input left out: error %v", err)
	}
	if _, err := m.Run(map[string]Tensor{"input": {[]int{4}, make([]float32, 3)}}); err == nil {
		t.Error("no error of 3 elements for 4")
	}
	again, err := m.Run(inputs)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(first, again) {
		t.Error("the same inputs give another output")
	}

	other, err := r.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err = other.Run(inputs); err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("a second model gives another output, error %v", err)
	}
	if _, err := m.Run(inputs); err == nil {
		t.Error("no error of a model that is closed")
	}
}

// TestFolder finds the models from a folder below, and where the variable says.
func TestFolder(t *testing.T) {
	t.Setenv(Env, "")
	if dir, err := folder(); err != nil || !strings.HasSuffix(dir, "models") {
		t.Errorf("folder is %q, error %v", dir, err)
	}
	t.Setenv(Env, "/elsewhere")
	if dir, err := folder(); err != nil || dir != "/elsewhere" {
		t.Errorf("folder is %q, error %v", dir, err)
	}
}
