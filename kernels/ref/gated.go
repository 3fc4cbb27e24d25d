package ref

// The steps of gated cells and their derivatives are those of one unit. Gates come
// after their activations. A derivative returns the gradients of the pre-activations,
// and last that of the state before the step.

// LSTM is the step of an LSTM cell (Gers, Schmidhuber & Cummins 2000).
func LSTM(i, f, g, o, c float64) (next, tanhNext, h float64) {
	next = f*c + i*g
	tanhNext = Tanh(next)
	return next, tanhNext, o * tanhNext
}

// LSTMGrad is the derivative of LSTM, where dh is dJ/dh, and dnext is dJ/dnext by later
// steps.
func LSTMGrad(i, f, g, o, tanhNext, c, dh, dnext float64) (di, df, dg, do, dc float64) {
	do = dh * tanhNext * SigmoidGrad(o)
	dnext += dh * o * TanhGrad(tanhNext)
	di = dnext * g * SigmoidGrad(i)
	df = dnext * c * SigmoidGrad(f)
	dg = dnext * i * TanhGrad(g)
	return di, df, dg, do, dnext * f
}

// GRU is the step of a GRU whose reset gate acts after the product: x is the input's
// part of the candidate n, q the state's.
func GRU(r, z, x, q, h float64) (n, next float64) {
	n = Tanh(x + r*q)
	return n, (1-z)*n + z*h
}

// GRUGrad is the derivative of GRU, where dnext is dJ/dnext. dh is that by z alone,
// without the way through q.
func GRUGrad(r, z, n, q, h, dnext float64) (dr, dz, dx, dq, dh float64) {
	dz = dnext * (h - n) * SigmoidGrad(z)
	dx = dnext * (1 - z) * TanhGrad(n)
	return dx * q * SigmoidGrad(r), dz, dx, dx * r, dnext * z
}
