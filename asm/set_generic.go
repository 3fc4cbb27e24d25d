package asm

// genericNR is the width of a panel. sgemm_generic.go says why it is three.
const genericNR = 3

// generic is the Set that every machine can run.
var generic = Set{
	Name: "generic",
	MR:   2, NR: genericNR,
	// Two rows of A and a panel of B are 20 KB then, under the usual 32 KB of L1.
	KC: 1024,
	Sgemm: [MaxRows + 1]Tiles{
		1: {Panels: [MaxPanels + 1]Tile{1: sgemmGeneric_1x3, 2: sgemmGeneric_1x6}},
		2: {Panels: [MaxPanels + 1]Tile{1: sgemmGeneric_2x3}},
	},
	Pack:  packGeneric,
	PackT: packTGeneric,
	Strip: stripGeneric,

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
	Axpy:    axpyGeneric,
	Scale:   scaleGeneric,
	Dot:     dotGeneric,
	SumSq:   sumSqGeneric,
	ColSums: colSumsGeneric,

	SGD:     sgdGeneric,
	Adagrad: adagradGeneric,
	Adam:    adamGeneric,

	ReadControl:  func(mode *uint32) { *mode = Control },
	WriteControl: func(uint32) {},

	FMAPeak:      fmaPeakGeneric,
	FMAPeakFlops: fmaPeakGenericFlops,
}
