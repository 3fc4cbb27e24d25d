package onnx

import "fmt"

// A Type is the type of a tensor's elements. Its numbers are those of ONNX.
type Type int32

const (
	Float   Type = 1
	Int32   Type = 6
	Int64   Type = 7
	Bool    Type = 9
	Float16 Type = 10
	Double  Type = 11
	BFloat  Type = 16
)

var typeNames = map[Type]string{
	0: "undefined", Float: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", Int32: "int32", Int64: "int64", 8: "string",
	Bool: "bool", Float16: "float16", Double: "double", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", BFloat: "bfloat16",
}

// String returns ONNX's name of the type, such as "float" or "int64".
func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("type %d", int32(t))
}

// held says whether tensors of this type are held in a run.
func (t Type) held() bool { return t == Float || t == Int64 || t == Int32 || t == Bool }
