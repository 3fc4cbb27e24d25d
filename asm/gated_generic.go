package asm

func lstmGeneric(n int, z *float32, gate int, c, next, h *float32) {
	i, f, g, o, tc := row(z, 0, n), row(z, gate, n), row(z, 2*gate, n), row(z, 3*gate, n), row(z, 4*gate, n)
	c0, c1, out := row(c, 0, n), row(next, 0, n), row(h, 0, n)
	for j := range out {
		x := float32(f[j]*c0[j]) + float32(i[j]*g[j])
		c1[j] = x
		tc[j] = tanh(x)
		out[j] = o[j] * tc[j]
	}
}

func lstmGradGeneric(n int, dz, z *float32, gate int, carry, dh, c, dc *float32) {
	i, f, g, o, tc := row(z, 0, n), row(z, gate, n), row(z, 2*gate, n), row(z, 3*gate, n), row(z, 4*gate, n)
	di, df, dg, do := row(dz, 0, n), row(dz, gate, n), row(dz, 2*gate, n), row(dz, 3*gate, n)
	later, here, c0, dcs := row(carry, 0, n), row(dh, 0, n), row(c, 0, n), row(dc, 0, n)
	for j, d := range later {
		d += here[j]
		do[j] = float32(d*tc[j]) * sigmoidSlope(o[j])
		dc := dcs[j] + float32(float32(d*o[j])*tanhSlope(tc[j]))
		di[j] = float32(dc*g[j]) * sigmoidSlope(i[j])
		df[j] = float32(dc*c0[j]) * sigmoidSlope(f[j])
		dg[j] = float32(dc*i[j]) * tanhSlope(g[j])
		dcs[j] = dc * f[j]
	}
}

func gruGeneric(n int, z *float32, gate int, h, next *float32) {
	r, u, x, q := row(z, 0, n), row(z, gate, n), row(z, 2*gate, n), row(z, 3*gate, n)
	h0, h1 := row(h, 0, n), row(next, 0, n)
	for j := range h1 {
		y := tanh(x[j] + float32(r[j]*q[j]))
		x[j] = y
		h1[j] = y + float32(u[j]*(h0[j]-y))
	}
}

func gruGradGeneric(n int, dz, z *float32, gate int, carry, dh, h *float32) {
	r, u, y, q := row(z, 0, n), row(z, gate, n), row(z, 2*gate, n), row(z, 3*gate, n)
	dr, du, dx, dq := row(dz, 0, n), row(dz, gate, n), row(dz, 2*gate, n), row(dz, 3*gate, n)
	later, here, h0 := row(carry, 0, n), row(dh, 0, n), row(h, 0, n)
	for j, d := range later {
		d += here[j]
		du[j] = float32(d*(h0[j]-y[j])) * sigmoidSlope(u[j])
		later[j] = d * u[j]
		dy := float32(d*(1-u[j])) * tanhSlope(y[j])
		dx[j] = dy
		dq[j] = dy * r[j]
		dr[j] = float32(dy*q[j]) * sigmoidSlope(r[j])
	}
}
