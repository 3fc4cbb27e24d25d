package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"slices"

	"github.com/mmcloughlin/avo/gotypes"
)

// A setType is the type-checked set.go. Kernels take their signatures from the
// slots they fill, so a declaration can't drift from the Set.
type setType struct {
	pkg *types.Package
	set *types.Struct
}

func parseSet(path string) (*setType, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	pkg, err := new(types.Config).Check("asm", fset, []*ast.File{file}, nil)
	if err != nil {
		return nil, err
	}
	return &setType{pkg, pkg.Scope().Lookup("Set").Type().Underlying().(*types.Struct)}, nil
}

// constant returns the value of a constant.
func (s *setType) constant(name string) int {
	c, ok := s.pkg.Scope().Lookup(name).(*types.Const)
	if !ok {
		panic(fmt.Sprintf("set.go has no constant %q", name))
	}
	v, _ := constant.Int64Val(c.Val())
	return int(v)
}

// A field is where a field of a struct lies.
type field struct {
	name   string
	offset int
}

// offsets returns the fields of a struct.
func (s *setType) offsets(name string) (list []field) {
	typ, ok := s.pkg.Scope().Lookup(name).Type().Underlying().(*types.Struct)
	if !ok {
		panic(fmt.Sprintf("set.go has no struct %q", name))
	}
	fields := slices.Collect(typ.Fields())
	for i, offset := range types.SizesFor("gc", "amd64").Offsetsof(fields) {
		list = append(list, field{fields[i].Name(), int(offset)})
	}
	return list
}

// slot returns the signature of the named field of Set or Kernels, or of a named
// function type such as Tile, for elements of a type.
func (s *setType) slot(name string, elem types.BasicKind) *gotypes.Signature {
	var typ types.Type
	if _, ok := s.pkg.Scope().Lookup(name).(*types.TypeName); ok {
		typ = s.instance(name, elem)
	}
	for _, of := range []types.Type{s.set, s.instance("Kernels", elem)} {
		for f := range of.(*types.Struct).Fields() {
			if f.Name() == name && !f.Embedded() {
				typ = f.Type()
			}
		}
	}
	sig, ok := typ.(*types.Signature)
	if !ok {
		panic(fmt.Sprintf("set.go has no slot %q", name))
	}
	// avo loads basic types alone and does not look behind an alias.
	params := make([]*types.Var, sig.Params().Len())
	for i := range params {
		p := sig.Params().At(i)
		params[i] = types.NewParam(p.Pos(), p.Pkg(), p.Name(), types.Unalias(p.Type()))
	}
	return gotypes.NewSignature(s.pkg, types.NewSignatureType(nil, nil, nil, types.NewTuple(params...), sig.Results(), false))
}

// instance returns what lies under a named type with one parameter, the element's type.
func (s *setType) instance(name string, elem types.BasicKind) types.Type {
	typ, err := types.Instantiate(nil, s.pkg.Scope().Lookup(name).Type(), []types.Type{types.Typ[elem]}, true)
	if err != nil {
		panic(fmt.Sprintf("%s of set.go: %v", name, err))
	}
	return typ.Underlying()
}
