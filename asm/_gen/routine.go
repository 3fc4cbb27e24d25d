package main

import (
	"fmt"
	"slices"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// routine begins a function on the registers of cells, for the tiles of its own file:
// it reads and writes x of each, and destroys the rest.
func (g *gen) routine(name, doc string, cs []cell) {
	g.Function(name + g.name)
	g.SignatureExpr("func()")
	g.Attributes(attr.NOSPLIT)
	g.Doc(name+g.name+" "+doc, "Only tiles call it: its arguments and results are vector registers.")
	g.routines[name+g.name] = cs
}

// A call is a call of a routine.
type call struct {
	*ir.Instruction
	name     string
	cells    []cell // that the caller uses
	destroys []reg.Register
}

// call calls a routine on some of the cells that it works on, the first. None of their
// registers may be one of those that have to survive.
func (g *gen) call(name string, used, all []cell, survive []reg.VecPhysical) {
	for _, c := range all {
		for _, r := range []reg.VecPhysical{c.x, c.k, c.t, c.q} {
			if slices.Contains(survive, r) {
				panic(fmt.Sprintf("a call of %s uses %s, which has to survive", name, r.Asm()))
			}
		}
	}
	c := call{&ir.Instruction{Opcode: "CALL", Operands: []operand.Op{symbol("·" + name)}}, name, all, nil}
	for i, cell := range all {
		c.destroys = append(c.destroys, cell.k, cell.t, cell.q)
		if i >= len(used) {
			c.destroys = append(c.destroys, cell.x)
			continue
		}
		c.Inputs = append(c.Inputs, cell.x)
		c.Outputs = append(c.Outputs, cell.x)
	}
	for _, r := range c.destroys {
		c.Outputs = append(c.Outputs, r)
	}
	g.Instruction(c.Instruction)
	g.calls = append(g.calls, c)
}

// checkCalls returns an error where a call destroys a register that is read after it,
// and where a routine does not work on the registers that its callers say. It runs
// after avo has computed which registers are live.
func (g *gen) checkCalls(f *ir.File) error {
	for _, c := range g.calls {
		if !slices.Equal(c.cells, g.routines[c.name]) {
			return fmt.Errorf("a call of %s says that it works on %v, not %v", c.name, c.cells, g.routines[c.name])
		}
		for _, r := range c.destroys {
			if c.LiveOut[r.ID()] != 0 {
				return fmt.Errorf("a call of %s destroys %s, which is read after it", c.name, r.(reg.Physical).Asm())
			}
		}
	}
	for _, fn := range f.Functions() {
		cs, ok := g.routines[fn.Name]
		if !ok {
			continue
		}
		reads, writes := reg.NewEmptyMaskSet(), reg.NewEmptyMaskSet()
		for _, c := range cs {
			reads.AddRegister(c.x)
			writes.Update(reg.NewMaskSetFromRegisters([]reg.Register{c.x, c.k, c.t, c.q}))
		}
		is := fn.Instructions()
		if undeclared := is[0].LiveIn.Difference(reads); len(undeclared) > 0 {
			return fmt.Errorf("%s reads registers other than x of its cells: %v", fn.Name, undeclared)
		}
		for _, i := range is {
			if undeclared := reg.NewMaskSetFromRegisters(i.OutputRegisters()).Difference(writes); len(undeclared) > 0 {
				return fmt.Errorf("%s writes registers other than its cells': %v", fn.Name, undeclared)
			}
		}
	}
	return nil
}
