package asm

// genericNR is the width of a panel. gemm_generic.go says why it is three.
const genericNR = 3

// generic is the Set that every machine can run.
var generic = Set{
	Name: "generic",

	Kernels: Kernels[float32]{
		// Two rows of A and a panel of B are 20 KB then, under the usual 32 KB of L1.
		NR: genericNR, KC: 1024,
		Family: Family[float32]{MR: 2, Gemm: [MaxRows + 1]Tiles[float32]{
			1: {Panels: [MaxPanels + 1]Tile[float32]{1: gemmGeneric_1x3[float32], 2: gemmGeneric_1x6[float32]}},
			2: {Panels: [MaxPanels + 1]Tile[float32]{1: gemmGeneric_2x3[float32]}},
		}},
		Pack:  packGeneric[float32],
		PackT: packTGeneric[float32],
		Strip: stripGeneric[float32],

		Transpose: transposeGeneric[float32],
		Trsm:      trsmGeneric[float32],
		Trmm:      trmmGeneric[float32],

		Axpy:   axpyGeneric[float32],
		Scale:  scaleGeneric[float32],
		Dot:    dotGeneric[float32],
		SumSq:  sumSqGeneric[float32],
		AbsSum: absSumGeneric[float32], MaxAbs: maxAbsGeneric[float32],
		Gemv:  gemvGeneric[float32],
		GemvT: gemvTGeneric[float32],
		Ger:   gerGeneric[float32],

		FMAPeak:      fmaPeakGeneric[float32],
		FMAPeakFlops: fmaPeakGenericFlops,
	},
	Double: Kernels[float64]{
		NR: genericNR, KC: 512,
		Family: Family[float64]{MR: 2, Gemm: [MaxRows + 1]Tiles[float64]{
			1: {Panels: [MaxPanels + 1]Tile[float64]{1: gemmGeneric_1x3[float64], 2: gemmGeneric_1x6[float64]}},
			2: {Panels: [MaxPanels + 1]Tile[float64]{1: gemmGeneric_2x3[float64]}},
		}},
		Pack:  packGeneric[float64],
		PackT: packTGeneric[float64],
		Strip: stripGeneric[float64],

		Transpose: transposeGeneric[float64],
		Trsm:      trsmGeneric[float64],
		Trmm:      trmmGeneric[float64],

		Axpy:   axpyGeneric[float64],
		Scale:  scaleGeneric[float64],
		Dot:    dotGeneric[float64],
		SumSq:  sumSqGeneric[float64],
		AbsSum: absSumGeneric[float64], MaxAbs: maxAbsGeneric[float64],
		Gemv:  gemvGeneric[float64],
		GemvT: gemvTGeneric[float64],
		Ger:   gerGeneric[float64],

		FMAPeak:      fmaPeakGeneric[float64],
		FMAPeakFlops: fmaPeakGenericFlops,
	},

	Int8: Family[float32]{MR: 2, Gemm: [MaxRows + 1]Tiles[float32]{
		1: {Panels: [MaxPanels + 1]Tile[float32]{1: int8Generic_1x3}},
		2: {Panels: [MaxPanels + 1]Tile[float32]{1: int8Generic_2x3}},
	}},
	Quantise:   quantiseGeneric,
	Dequantise: dequantiseGeneric,

	Tanh:        tanhGeneric,
	Sigmoid:     sigmoidGeneric,
	Exp:         expGeneric,
	Log:         logGeneric,
	Sqrt:        sqrtGeneric,
	ReLU:        reluGeneric,
	TanhGrad:    tanhGradGeneric,
	SigmoidGrad: sigmoidGradGeneric,
	ReLUGrad:    reluGradGeneric,
	LSTM:        lstmGeneric,
	LSTMGrad:    lstmGradGeneric,
	GRU:         gruGeneric,
	GRUGrad:     gruGradGeneric,
	Softmax:     softmaxGeneric,

	Add:     addGeneric,
	Mul:     mulGeneric,
	ColSums: colSumsGeneric,

	SGD:     sgdGeneric,
	Adagrad: adagradGeneric,
	Adam:    adamGeneric,

	ReadControl:  func() uint32 { return Control },
	WriteControl: func(uint32) {},
}
