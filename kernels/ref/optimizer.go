package ref

import "math"

// The optimisers work in place on float64 state. All read the gradient as
// scale·g.

// SGD does p -= lr·g.
func SGD(p, g []float64, scale, lr float64) {
	for i := range p {
		p[i] -= lr * scale * g[i]
	}
}

// Adagrad does s += g², p -= lr·g/(√s + eps) (Duchi, Hazan & Singer 2011).
func Adagrad(p, g, s []float64, scale, lr, eps float64) {
	for i := range p {
		gi := scale * g[i]
		s[i] += gi * gi
		p[i] -= lr * gi / (math.Sqrt(s[i]) + eps)
	}
}

// Adam does step t, counted from 1, of algorithm 1 of Kingma & Ba 2015.
func Adam(p, g, m, v []float64, t int, scale, lr, beta1, beta2, eps float64) {
	correct1 := 1 - math.Pow(beta1, float64(t))
	correct2 := 1 - math.Pow(beta2, float64(t))
	for i := range p {
		gi := scale * g[i]
		m[i] = beta1*m[i] + (1-beta1)*gi
		v[i] = beta2*v[i] + (1-beta2)*gi*gi
		p[i] -= lr * (m[i] / correct1) / (math.Sqrt(v[i]/correct2) + eps)
	}
}
