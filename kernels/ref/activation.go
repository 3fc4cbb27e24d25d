package ref

import "math"

// Tanh is the hyperbolic tangent.
func Tanh(x float64) float64 { return math.Tanh(x) }

// Sigmoid is 1 / (1 + e^-x).
func Sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// Exp is e^x.
func Exp(x float64) float64 { return math.Exp(x) }

// Log is ln x.
func Log(x float64) float64 { return math.Log(x) }

// Sqrt is √x.
func Sqrt(x float64) float64 { return math.Sqrt(x) }

// ReLU is 0 for x < 0 and x otherwise; -0 and NaN stay.
func ReLU(x float64) float64 {
	if x < 0 {
		return 0
	}
	return x
}

// Identity is x.
func Identity(x float64) float64 { return x }

// TanhGrad is tanh'(z) in terms of y = tanh z.
func TanhGrad(y float64) float64 { return 1 - y*y }

// SigmoidGrad is sigmoid'(z) in terms of y = sigmoid z.
func SigmoidGrad(y float64) float64 { return y * (1 - y) }

// ReLUGrad is the derivative of ReLU in terms of y = ReLU(z), 0 at z = 0.
func ReLUGrad(y float64) float64 {
	if y <= 0 {
		return 0
	}
	return 1
}
