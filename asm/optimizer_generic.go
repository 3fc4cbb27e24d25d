package asm

import "math"

func sgdGeneric(p, g []float32, scale, lr float32) {
	g = g[:len(p)]
	for i := range p {
		p[i] -= float32(lr * float32(scale*g[i]))
	}
}

func adagradGeneric(p, g, s []float32, scale, lr, eps float32) {
	g, s = g[:len(p)], s[:len(p)]
	for i := range p {
		gi := float32(scale * g[i])
		si := s[i] + float32(gi*gi)
		s[i] = si
		p[i] -= float32(lr*gi) / (sqrt(si) + eps)
	}
}

func adamGeneric(p, g, m, v []float32, a *AdamArgs) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i := range p {
		gi := float32(a.Scale * g[i])
		mi := float32(a.Beta1*m[i]) + float32(a.OneMinusBeta1*gi)
		vi := float32(a.Beta2*v[i]) + float32(a.OneMinusBeta2*float32(gi*gi))
		m[i], v[i] = mi, vi
		p[i] -= float32(a.Step*mi) / (float32(sqrt(vi)*a.RootScale) + a.Eps)
	}
}

// sqrt compiles to the single-precision instruction.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
