//go:build !purego && !noasm

package asm

import "github.com/klauspost/cpuid/v2"

// Sets returns the Sets that this machine can run, slowest first. cpuid also
// asks whether the operating system saves the registers.
func Sets() []*Set {
	sets := []*Set{&generic}

	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.BMI2) {
		avx2 := generic
		avx2.Name = "avx2"
		// 12 accumulators, 2 registers of B, 2 or more broadcasts.
		avx2.MR, avx2.NR, avx2.KC, avx2.TallFirst = mrAVX2, nrAVX2, 1280, true
		avx2.Gemm = tilesAVX2
		avx2.Pack, avx2.PackT, avx2.Strip = packAVX2, packTAVX2, stripAVX2
		avx2.Transpose, avx2.Trsm, avx2.Trmm = transposeAVX2, trsmAVX2, trmmAVX2
		avx2.Tanh, avx2.Sigmoid, avx2.Exp, avx2.ReLU = tanhAVX2, sigmoidAVX2, expAVX2, reluAVX2
		avx2.Log, avx2.Sqrt = logAVX2, sqrtAVX2
		avx2.TanhGrad, avx2.SigmoidGrad, avx2.ReLUGrad = tanhGradAVX2, sigmoidGradAVX2, reluGradAVX2
		avx2.LSTM, avx2.LSTMGrad, avx2.GRU, avx2.GRUGrad = lstmAVX2, lstmGradAVX2, gruAVX2, gruGradAVX2
		avx2.Softmax = softmaxAVX2
		avx2.Add, avx2.Mul, avx2.Axpy, avx2.Scale = addAVX2, mulAVX2, axpyAVX2, scaleAVX2
		avx2.Dot, avx2.SumSq, avx2.AbsSum, avx2.MaxAbs, avx2.ColSums = dotAVX2, sumSqAVX2, absSumAVX2, maxAbsAVX2, colSumsAVX2
		avx2.Gemv, avx2.GemvT, avx2.Ger = gemvAVX2, gemvTAVX2, gerAVX2
		avx2.SGD, avx2.Adagrad, avx2.Adam = sgdAVX2, adagradAVX2, adamAVX2
		// 8 accumulators, 4 registers of signs and magnitudes.
		avx2.Int8, avx2.Quantise, avx2.Dequantise = int8AVX2, quantiseAVX2, dequantiseAVX2
		avx2.ReadControl, avx2.WriteControl = readControlAVX2, writeControlAVX2
		avx2.FMAPeak, avx2.FMAPeakFlops = fmaPeakAVX2, fmaPeakFlopsAVX2
		avx2.Double = Kernels[float64]{
			NR: nrDoubleAVX2, KC: 640,
			Family: Family[float64]{MR: mrAVX2, TallFirst: true, Gemm: tilesDoubleAVX2},
			Pack:   dpackAVX2, PackT: dpackTAVX2, Strip: dstripAVX2,
			Transpose: dtransposeAVX2, Trsm: dtrsmAVX2, Trmm: dtrmmAVX2,
			Axpy: daxpyAVX2, Scale: dscaleAVX2, Dot: ddotAVX2, SumSq: dsumSqAVX2, AbsSum: dabsSumAVX2, MaxAbs: dmaxAbsAVX2,
			Gemv: dgemvAVX2, GemvT: dgemvTAVX2, Ger: dgerAVX2,
			FMAPeak: dfmaPeakAVX2, FMAPeakFlops: fmaPeakFlopsDoubleAVX2,
		}
		sets = append(sets, &avx2)
	}

	if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.BMI2) {
		avx512 := generic
		avx512.Name = "avx512"
		// 24 accumulators, 2 registers of B, 6 broadcasts.
		avx512.MR, avx512.NR, avx512.KC = mrAVX512, nrAVX512, 1280
		avx512.Gemm = tilesAVX512
		avx512.Pack, avx512.PackT, avx512.Strip = packAVX512, packTAVX512, stripAVX512
		avx512.Transpose, avx512.Trsm, avx512.Trmm = transposeAVX512, trsmAVX512, trmmAVX512
		avx512.Tanh, avx512.Sigmoid, avx512.Exp, avx512.ReLU = tanhAVX512, sigmoidAVX512, expAVX512, reluAVX512
		avx512.Log, avx512.Sqrt = logAVX512, sqrtAVX512
		avx512.TanhGrad, avx512.SigmoidGrad, avx512.ReLUGrad = tanhGradAVX512, sigmoidGradAVX512, reluGradAVX512
		avx512.LSTM, avx512.LSTMGrad, avx512.GRU, avx512.GRUGrad = lstmAVX512, lstmGradAVX512, gruAVX512, gruGradAVX512
		avx512.Softmax = softmaxAVX512
		avx512.Add, avx512.Mul, avx512.Axpy, avx512.Scale = addAVX512, mulAVX512, axpyAVX512, scaleAVX512
		avx512.Dot, avx512.SumSq, avx512.AbsSum, avx512.MaxAbs, avx512.ColSums = dotAVX512, sumSqAVX512, absSumAVX512, maxAbsAVX512, colSumsAVX512
		avx512.Gemv, avx512.GemvT, avx512.Ger = gemvAVX512, gemvTAVX512, gerAVX512
		avx512.SGD, avx512.Adagrad, avx512.Adam = sgdAVX512, adagradAVX512, adamAVX512
		// 24 accumulators, 4 registers of signs and magnitudes.
		avx512.Int8, avx512.Quantise, avx512.Dequantise = int8AVX512, quantiseAVX512, dequantiseAVX512
		avx512.ReadControl, avx512.WriteControl = readControlAVX512, writeControlAVX512
		avx512.FMAPeak, avx512.FMAPeakFlops = fmaPeakAVX512, fmaPeakFlopsAVX512
		avx512.Double = Kernels[float64]{
			NR: nrDoubleAVX512, KC: 640,
			Family: Family[float64]{MR: mrAVX512, Gemm: tilesDoubleAVX512},
			Pack:   dpackAVX512, PackT: dpackTAVX512, Strip: dstripAVX512,
			Transpose: dtransposeAVX512, Trsm: dtrsmAVX512, Trmm: dtrmmAVX512,
			Axpy: daxpyAVX512, Scale: dscaleAVX512, Dot: ddotAVX512, SumSq: dsumSqAVX512, AbsSum: dabsSumAVX512, MaxAbs: dmaxAbsAVX512,
			Gemv: dgemvAVX512, GemvT: dgemvTAVX512, Ger: dgerAVX512,
			FMAPeak: dfmaPeakAVX512, FMAPeakFlops: fmaPeakFlopsDoubleAVX512,
		}
		sets = append(sets, &avx512)

		if cpuid.CPU.Supports(cpuid.AVX512VNNI) {
			// The tiles of int8 have the registers of those of float32.
			vnni := avx512
			vnni.Name = "avx512vnni"
			vnni.Int8, vnni.Quantise = int8AVX512VNNI, quantiseAVX512VNNI
			sets = append(sets, &vnni)
		}
	}
	return sets
}
