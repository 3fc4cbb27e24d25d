package main

import "github.com/mmcloughlin/avo/reg"

// optimizer emits the parameter updates. Each walks the slab once.
func optimizer(g *gen) {
	v := g.vec

	g.kernel("sgd", "", "SGD", "takes one step of gradient descent.")
	p, gr := g.base("p"), g.base("g")
	scale, lr := v[14], v[13]
	g.broadcast("scale", scale)
	g.broadcast("lr", lr)
	g.loop(4, g.length("p"), []reg.GPVirtual{p, gr}, each(func(l lane) {
		l.load(gr, v[0])
		g.VMULPS(scale, v[0], v[0])
		l.load(p, v[1])
		g.VFNMADD231PS(lr, v[0], v[1])
		l.store(v[1], p)
	}))
	g.finish()

	g.kernel("adagrad", "", "Adagrad", "takes one step of Adagrad.")
	p, gr, s := g.base("p"), g.base("g"), g.base("s")
	eps := v[12]
	g.broadcast("scale", scale)
	g.broadcast("lr", lr)
	g.broadcast("eps", eps)
	g.loop(2, g.length("p"), []reg.GPVirtual{p, gr, s}, each(func(l lane) {
		l.load(gr, v[0])
		g.VMULPS(scale, v[0], v[0])
		l.load(s, v[1])
		g.VFMADD231PS(v[0], v[0], v[1])
		l.store(v[1], s)
		g.VSQRTPS(v[1], v[1])
		g.VADDPS(eps, v[1], v[1])
		g.VMULPS(lr, v[0], v[0])
		g.VDIVPS(v[1], v[0], v[0])
		l.load(p, v[2])
		g.VSUBPS(v[0], v[2], v[2])
		l.store(v[2], p)
	}))
	g.finish()

	g.kernel("adam", "", "Adam", "takes one step of Adam.")
	p, gr, m, vv := g.base("p"), g.base("g"), g.base("m"), g.base("v")
	args := g.arg("a")
	scalars := g.set.offsets("AdamArgs")
	c := map[string]reg.VecPhysical{}
	for i, f := range scalars {
		c[f.name] = v[15-len(scalars)+i] // v[15] is the loop's on AVX2
		g.VBROADCASTSS(at(args, f.offset), c[f.name])
	}
	scale, beta1, rest1, beta2, rest2 := c["Scale"], c["Beta1"], c["OneMinusBeta1"], c["Beta2"], c["OneMinusBeta2"]
	step, root, eps := c["Step"], c["RootScale"], c["Eps"]
	g.loop(2, g.length("p"), []reg.GPVirtual{p, gr, m, vv}, each(func(l lane) {
		l.load(gr, v[0])
		g.VMULPS(scale, v[0], v[0])
		l.load(m, v[1])
		g.VMULPS(beta1, v[1], v[1])
		g.VFMADD231PS(rest1, v[0], v[1])
		l.store(v[1], m)
		g.VMULPS(v[0], v[0], v[0])
		l.load(vv, v[2])
		g.VMULPS(beta2, v[2], v[2])
		g.VFMADD231PS(rest2, v[0], v[2])
		l.store(v[2], vv)
		g.VSQRTPS(v[2], v[2])
		g.VMULPS(root, v[2], v[2])
		g.VADDPS(eps, v[2], v[2])
		g.VMULPS(step, v[1], v[1])
		g.VDIVPS(v[2], v[1], v[1])
		l.load(p, v[3])
		g.VSUBPS(v[1], v[3], v[3])
		l.store(v[3], p)
	}))
	g.finish()
}
