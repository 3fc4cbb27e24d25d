package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"batchrnn/bench/gradients"
	"batchrnn/bench/lm"
	"batchrnn/bench/measure"
	"batchrnn/bench/speed"
	"batchrnn/bench/study"
)

// documented are the headings of docs/json.md, and the types whose fields they list.
var documented = map[string]any{
	"ram":                           study.LevelResult{},
	"report":                        study.Result{},
	"train":                         trainResult{},
	"eval":                          lm.Evaluation{},
	"sample":                        lm.Sample{},
	"score":                         lm.Score{},
	"rescore":                       lm.Rescored{},
	"inspect":                       inspection{},
	"kernels":                       speed.KernelResult{},
	"speed":                         speed.Result{},
	"gradients":                     gradients.Result{},
	"progress":                      progressLine{},
	"costs":                         lm.Costs{},
	"costs of a token":              lm.TokenCost{},
	"settings":                      study.Settings{},
	"models of a comparison":        study.Model{},
	"rows of a report":              study.Row{},
	"sections":                      lm.FileSection{},
	"uses of a file":                use{},
	"networks of a file":            lm.FileNetwork{},
	"tensors of a file":             lm.FileTensor{},
	"graph of a file":               lm.FileGraph{},
	"operator sets":                 lm.FileOpset{},
	"inputs and outputs of a graph": lm.FileValue{},
	"operators of a graph":          lm.FileOperator{},
	"recurrent nodes":               lm.FileRecurrent{},
	"metadata":                      lm.MetadataEntry{},
	"rows of kernels":               speed.KernelRow{},
	"longest calls":                 speed.LongCall{},
	"rows of passes":                speed.Row{},
	"conditions that are left out":  speed.LeftOut{},
	"trained networks":              gradients.Model{},
	"norms":                         gradients.Norm{},
	"machine":                       measure.Machine{},
	"corpus":                        lm.Corpus{},
	"configuration of a model":      lm.Config{},
}

// elsewhere are headings that leave out the fields of a type, which another one lists.
var elsewhere = map[string]any{"rows of a report": study.Model{}, "eval": lm.Costs{}, "score": lm.Costs{}}

// outputHeadings are the headings of whole outputs, which have a format.
var outputHeadings = []string{"ram", "report", "train", "eval", "sample", "score", "rescore", "inspect", "kernels", "speed", "gradients", "progress"}

// A jsonField is a field as it is in JSON.
type jsonField struct{ name, kind, absent string }

// jsonFields lists the fields of a struct, those of embedded structs included, and the
// structs that they lead to.
func jsonFields(t reflect.Type) (fields []jsonField, inner []reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			embedded, more := jsonFields(f.Type)
			fields, inner = append(fields, embedded...), append(inner, more...)
			continue
		case name == "-" || !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		absent := ""
		if strings.Contains(options, "omit") {
			absent = "*"
		}
		typ := f.Type
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		kind := ""
		switch typ.Kind() {
		case reflect.Bool:
			kind = "boolean"
		case reflect.String:
			kind = "string"
		case reflect.Slice:
			kind, typ = "array", typ.Elem()
		case reflect.Struct:
			kind = "object"
		default:
			kind = "number"
		}
		if typ == reflect.TypeFor[time.Time]() {
			kind = "string"
		} else if typ.Kind() == reflect.Struct {
			inner = append(inner, typ)
		}
		fields = append(fields, jsonField{name, kind, absent})
	}
	return fields, inner
}

var fieldLine = regexp.MustCompile("^\\| `([^`]+)` \\| (\\w+) \\| (\\*?)")

// TestJSONPage compares docs/json.md with the types that are written as JSON.
func TestJSONPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][]jsonField{}
	heading := ""
	for line := range strings.Lines(string(page)) {
		if rest, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "##") {
			heading = strings.TrimSpace(rest)
		}
		if m := fieldLine.FindStringSubmatch(line); m != nil {
			lines[heading] = append(lines[heading], jsonField{m[1], m[2], m[3]})
		}
	}
	known := map[reflect.Type]bool{}
	for _, v := range documented {
		known[reflect.TypeOf(v)] = true
	}
	for heading, v := range documented {
		fields, inner := jsonFields(reflect.TypeOf(v))
		for _, typ := range inner {
			if !known[typ] {
				t.Errorf("%s leads to %v, which has no heading in docs/json.md", heading, typ)
			}
		}
		if v := elsewhere[heading]; v != nil {
			listed, _ := jsonFields(reflect.TypeOf(v))
			fields = slices.DeleteFunc(fields, func(f jsonField) bool { return slices.Contains(listed, f) })
		}
		for _, f := range fields {
			if !slices.Contains(lines[heading], f) {
				t.Errorf("docs/json.md, %s: no line of %+v", heading, f)
			}
		}
		for _, f := range lines[heading] {
			if !slices.Contains(fields, f) {
				t.Errorf("docs/json.md, %s: a line of %+v, which is no field", heading, f)
			}
		}
		if slices.Contains(outputHeadings, heading) && (len(fields) == 0 || fields[0].name != "format") {
			t.Errorf("%s does not begin with its format", heading)
		}
	}
	for heading := range lines {
		if documented[heading] == nil {
			t.Errorf("docs/json.md: the heading %q is of no type", heading)
		}
	}
}
