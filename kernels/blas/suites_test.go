package blas

import (
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/blas/testblas"
	lapack "gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/lapack/testlapack"

	"batchrnn/kernels"
)

// tunings are the measured one, and those that make small matrices take every way that
// large ones take.
var tunings = []namedTuning{
	{"measured", measured32, measured64},
	{"forced", blocks, blocks},
	{"tiny", tiny, tiny},
	{"shreds", shreds, shreds},
}

var (
	tiny   = tuning{triangle: 3, leaf: 3, symmetric: 4, strip: 3, width: 4, gather: 100}
	shreds = tuning{triangle: 1, leaf: 1, symmetric: 1, strip: 1, width: 1, gather: 2}
)

type namedTuning struct {
	name string
	s, d tuning
}

func (u namedTuning) make(e *kernels.Engine) *Implementation { return newTuned(e, u.s, u.d) }

func newEngine(t testing.TB, isa string, threads int) *kernels.Engine {
	e, err := kernels.New(isa, threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// eachSet runs f for each instruction set that the tests are to cover.
func eachSet(t *testing.T, f func(t *testing.T, e *kernels.Engine)) {
	for _, isa := range kernels.FloatISAs() {
		if forced := os.Getenv(kernels.EnvISA); forced != "" && forced != isa {
			continue
		}
		t.Run(isa, func(t *testing.T) { f(t, newEngine(t, isa, 2)) })
	}
}

// TestGonumBLAS runs gonum's own tests of BLAS.
func TestGonumBLAS(t *testing.T) {
	tests := []struct {
		name string
		f    func(*testing.T, *Implementation)
	}{
		{"Dasum", func(t *testing.T, b *Implementation) { testblas.DasumTest(t, b) }},
		{"Daxpy", func(t *testing.T, b *Implementation) { testblas.DaxpyTest(t, b) }},
		{"Ddot", func(t *testing.T, b *Implementation) { testblas.DdotTest(t, b) }},
		{"Dnrm2", func(t *testing.T, b *Implementation) { testblas.Dnrm2Test(t, b) }},
		{"Idamax", func(t *testing.T, b *Implementation) { testblas.IdamaxTest(t, b) }},
		{"Dswap", func(t *testing.T, b *Implementation) { testblas.DswapTest(t, b) }},
		{"Dcopy", func(t *testing.T, b *Implementation) { testblas.DcopyTest(t, b) }},
		{"Drotg", func(t *testing.T, b *Implementation) { testblas.DrotgTest(t, b, false) }},
		{"Drotmg", func(t *testing.T, b *Implementation) { testblas.DrotmgTest(t, b) }},
		{"Drot", func(t *testing.T, b *Implementation) { testblas.DrotTest(t, b) }},
		{"Drotm", func(t *testing.T, b *Implementation) { testblas.DrotmTest(t, b) }},
		{"Dscal", func(t *testing.T, b *Implementation) { testblas.DscalTest(t, b) }},
		{"Dgemv", func(t *testing.T, b *Implementation) { testblas.DgemvTest(t, b) }},
		{"Dger", func(t *testing.T, b *Implementation) { testblas.DgerTest(t, b) }},
		{"Dtxmv", func(t *testing.T, b *Implementation) { testblas.DtxmvTest(t, b) }},
		{"Dgbmv", func(t *testing.T, b *Implementation) { testblas.DgbmvTest(t, b) }},
		{"Dtbsv", func(t *testing.T, b *Implementation) { testblas.DtbsvTest(t, b) }},
		{"Dsbmv", func(t *testing.T, b *Implementation) { testblas.DsbmvTest(t, b) }},
		{"Dtbmv", func(t *testing.T, b *Implementation) { testblas.DtbmvTest(t, b) }},
		{"Dtrsv", func(t *testing.T, b *Implementation) { testblas.DtrsvTest(t, b) }},
		{"Dtrmv", func(t *testing.T, b *Implementation) { testblas.DtrmvTest(t, b) }},
		{"Dsymv", func(t *testing.T, b *Implementation) { testblas.DsymvTest(t, b) }},
		{"Dsyr", func(t *testing.T, b *Implementation) { testblas.DsyrTest(t, b) }},
		{"Dsyr2", func(t *testing.T, b *Implementation) { testblas.Dsyr2Test(t, b) }},
		{"Dspr2", func(t *testing.T, b *Implementation) { testblas.Dspr2Test(t, b) }},
		{"Dspr", func(t *testing.T, b *Implementation) { testblas.DsprTest(t, b) }},
		{"Dspmv", func(t *testing.T, b *Implementation) { testblas.DspmvTest(t, b) }},
		{"Dtpsv", func(t *testing.T, b *Implementation) { testblas.DtpsvTest(t, b) }},
		{"Dtpmv", func(t *testing.T, b *Implementation) { testblas.DtpmvTest(t, b) }},
		{"Dgemm", func(t *testing.T, b *Implementation) { testblas.TestDgemm(t, b) }},
		{"Dsymm", func(t *testing.T, b *Implementation) { testblas.DsymmTest(t, b) }},
		{"Dtrsm", func(t *testing.T, b *Implementation) { testblas.DtrsmTest(t, b) }},
		{"Dsyrk", func(t *testing.T, b *Implementation) { testblas.DsyrkTest(t, b) }},
		{"Dsyr2k", func(t *testing.T, b *Implementation) { testblas.Dsyr2kTest(t, b) }},
		{"Dtrmm", func(t *testing.T, b *Implementation) { testblas.DtrmmTest(t, b) }},
	}
	eachSet(t, func(t *testing.T, e *kernels.Engine) {
		for _, u := range tunings {
			b := u.make(e)
			for _, test := range tests {
				t.Run(u.name+"/"+test.name, func(t *testing.T) { test.f(t, b) })
			}
		}
	})
}

// TestGonumLAPACK runs gonum's own tests of LAPACK, whose routines call BLAS. It runs the
// slow ones with BATCHRNN_LONG=1.
func TestGonumLAPACK(t *testing.T) {
	impl := lapack.Implementation{}
	tests := []struct {
		name string
		f    func(*testing.T)
	}{
		{"Dbdsqr", func(t *testing.T) { testlapack.DbdsqrTest(t, impl) }},
		{"Dhseqr", func(t *testing.T) { testlapack.DhseqrTest(t, impl) }},
		{"Dgebak", func(t *testing.T) { testlapack.DgebakTest(t, impl) }},
		{"Dgebal", func(t *testing.T) { testlapack.DgebalTest(t, impl) }},
		{"Dgebd2", func(t *testing.T) { testlapack.Dgebd2Test(t, impl) }},
		{"Dgebrd", func(t *testing.T) { testlapack.DgebrdTest(t, impl) }},
		{"Dgecon", func(t *testing.T) { testlapack.DgeconTest(t, impl) }},
		{"Dgeev", func(t *testing.T) { testlapack.DgeevTest(t, impl) }},
		{"Dgehd2", func(t *testing.T) { testlapack.Dgehd2Test(t, impl) }},
		{"Dgehrd", func(t *testing.T) { testlapack.DgehrdTest(t, impl) }},
		{"Dgelqf", func(t *testing.T) { testlapack.DgelqfTest(t, impl) }},
		{"Dgelq2", func(t *testing.T) { testlapack.Dgelq2Test(t, impl) }},
		{"Dgeql2", func(t *testing.T) { testlapack.Dgeql2Test(t, impl) }},
		{"Dgels", func(t *testing.T) { testlapack.DgelsTest(t, impl) }},
		{"Dgerq2", func(t *testing.T) { testlapack.Dgerq2Test(t, impl) }},
		{"Dgesc2", func(t *testing.T) { testlapack.Dgesc2Test(t, impl) }},
		{"Dgeqp3", func(t *testing.T) { testlapack.Dgeqp3Test(t, impl) }},
		{"Dgeqr2", func(t *testing.T) { testlapack.Dgeqr2Test(t, impl) }},
		{"Dgeqrf", func(t *testing.T) { testlapack.DgeqrfTest(t, impl) }},
		{"Dgerqf", func(t *testing.T) { testlapack.DgerqfTest(t, impl) }},
		{"Dgesv", func(t *testing.T) { testlapack.DgesvTest(t, impl) }},
		// Dgesvd wants singular values of two methods within 1e-14 of themselves. The error of a
		// small one is bounded by the largest one alone. A limit{1200, 32} of gemv fails by 4 %.
		{"Dgesvd", func(t *testing.T) { testlapack.DgesvdTest(t, impl, 1e-13) }},
		{"Dgetc2", func(t *testing.T) { testlapack.Dgetc2Test(t, impl) }},
		{"Dgetri", func(t *testing.T) { testlapack.DgetriTest(t, impl) }},
		{"Dgetf2", func(t *testing.T) { testlapack.Dgetf2Test(t, impl) }},
		{"Dgetrf", func(t *testing.T) { testlapack.DgetrfTest(t, impl) }},
		{"Dgetrs", func(t *testing.T) { testlapack.DgetrsTest(t, impl) }},
		{"Dgghrd", func(t *testing.T) { testlapack.DgghrdTest(t, impl) }},
		{"Dggsvd3", func(t *testing.T) { testlapack.Dggsvd3Test(t, impl) }},
		{"Dggsvp3", func(t *testing.T) { testlapack.Dggsvp3Test(t, impl) }},
		{"Dgtsv", func(t *testing.T) { testlapack.DgtsvTest(t, impl) }},
		{"Dlabrd", func(t *testing.T) { testlapack.DlabrdTest(t, impl) }},
		{"Dlacn2", func(t *testing.T) { testlapack.Dlacn2Test(t, impl) }},
		{"Dlacpy", func(t *testing.T) { testlapack.DlacpyTest(t, impl) }},
		{"Dlae2", func(t *testing.T) { testlapack.Dlae2Test(t, impl) }},
		{"Dlaev2", func(t *testing.T) { testlapack.Dlaev2Test(t, impl) }},
		{"Dlaexc", func(t *testing.T) { testlapack.DlaexcTest(t, impl) }},
		{"Dlag2", func(t *testing.T) { testlapack.Dlag2Test(t, impl) }},
		{"Dlags2", func(t *testing.T) { testlapack.Dlags2Test(t, impl) }},
		{"Dlagtm", func(t *testing.T) { testlapack.DlagtmTest(t, impl) }},
		{"Dlahqr", func(t *testing.T) { testlapack.DlahqrTest(t, impl) }},
		{"Dlahr2", func(t *testing.T) { testlapack.Dlahr2Test(t, impl) }},
		{"Dlaln2", func(t *testing.T) { testlapack.Dlaln2Test(t, impl) }},
		{"Dlangb", func(t *testing.T) { testlapack.DlangbTest(t, impl) }},
		{"Dlange", func(t *testing.T) { testlapack.DlangeTest(t, impl) }},
		{"Dlangt", func(t *testing.T) { testlapack.DlangtTest(t, impl) }},
		{"Dlanhs", func(t *testing.T) { testlapack.DlanhsTest(t, impl) }},
		{"Dlapy2", func(t *testing.T) { testlapack.Dlapy2Test(t, impl) }},
		{"Dlapll", func(t *testing.T) { testlapack.DlapllTest(t, impl) }},
		{"Dlapmr", func(t *testing.T) { testlapack.DlapmrTest(t, impl) }},
		{"Dlapmt", func(t *testing.T) { testlapack.DlapmtTest(t, impl) }},
		{"Dlas2", func(t *testing.T) { testlapack.Dlas2Test(t, impl) }},
		{"Dlascl", func(t *testing.T) { testlapack.DlasclTest(t, impl) }},
		{"Dlaset", func(t *testing.T) { testlapack.DlasetTest(t, impl) }},
		{"Dlasrt", func(t *testing.T) { testlapack.DlasrtTest(t, impl) }},
		{"Dlassq", func(t *testing.T) { testlapack.DlassqTest(t, impl) }},
		{"Dlaswp", func(t *testing.T) { testlapack.DlaswpTest(t, impl) }},
		{"Dlasy2", func(t *testing.T) { testlapack.Dlasy2Test(t, impl) }},
		{"Dlansb", func(t *testing.T) { testlapack.DlansbTest(t, impl) }},
		{"Dlanst", func(t *testing.T) { testlapack.DlanstTest(t, impl) }},
		{"Dlansy", func(t *testing.T) { testlapack.DlansyTest(t, impl) }},
		{"Dlantb", func(t *testing.T) { testlapack.DlantbTest(t, impl) }},
		{"Dlantr", func(t *testing.T) { testlapack.DlantrTest(t, impl) }},
		{"Dlanv2", func(t *testing.T) { testlapack.Dlanv2Test(t, impl) }},
		{"Dlaqr04", func(t *testing.T) { testlapack.Dlaqr04Test(t, impl) }},
		{"Dlaqp2", func(t *testing.T) { testlapack.Dlaqp2Test(t, impl) }},
		{"Dlaqps", func(t *testing.T) { testlapack.DlaqpsTest(t, impl) }},
		{"Dlaqr1", func(t *testing.T) { testlapack.Dlaqr1Test(t, impl) }},
		{"Dlaqr23", func(t *testing.T) { testlapack.Dlaqr23Test(t, impl) }},
		{"Dlaqr5", func(t *testing.T) { testlapack.Dlaqr5Test(t, impl) }},
		{"Dlarf", func(t *testing.T) { testlapack.DlarfTest(t, impl) }},
		{"Dlarfb", func(t *testing.T) { testlapack.DlarfbTest(t, impl) }},
		{"Dlarfg", func(t *testing.T) { testlapack.DlarfgTest(t, impl) }},
		{"Dlarft", func(t *testing.T) { testlapack.DlarftTest(t, impl) }},
		{"Dlarfx", func(t *testing.T) { testlapack.DlarfxTest(t, impl) }},
		{"Dlartg", func(t *testing.T) { testlapack.DlartgTest(t, impl) }},
		{"Dlasq1", func(t *testing.T) { testlapack.Dlasq1Test(t, impl) }},
		{"Dlasq2", func(t *testing.T) { testlapack.Dlasq2Test(t, impl) }},
		{"Dlasr", func(t *testing.T) { testlapack.DlasrTest(t, impl) }},
		{"Dlasv2", func(t *testing.T) { testlapack.Dlasv2Test(t, impl) }},
		{"Dlatbs", func(t *testing.T) { testlapack.DlatbsTest(t, impl) }},
		{"Dlatrd", func(t *testing.T) { testlapack.DlatrdTest(t, impl) }},
		{"Dlatrs", func(t *testing.T) { testlapack.DlatrsTest(t, impl) }},
		{"Dlauu2", func(t *testing.T) { testlapack.Dlauu2Test(t, impl) }},
		{"Dlauum", func(t *testing.T) { testlapack.DlauumTest(t, impl) }},
		{"Dorg2r", func(t *testing.T) { testlapack.Dorg2rTest(t, impl) }},
		{"Dorgbr", func(t *testing.T) { testlapack.DorgbrTest(t, impl) }},
		{"Dorghr", func(t *testing.T) { testlapack.DorghrTest(t, impl) }},
		{"Dorg2l", func(t *testing.T) { testlapack.Dorg2lTest(t, impl) }},
		{"Dorgl2", func(t *testing.T) { testlapack.Dorgl2Test(t, impl) }},
		{"Dorglq", func(t *testing.T) { testlapack.DorglqTest(t, impl) }},
		{"Dorgql", func(t *testing.T) { testlapack.DorgqlTest(t, impl) }},
		{"Dorgqr", func(t *testing.T) { testlapack.DorgqrTest(t, impl) }},
		{"Dorgr2", func(t *testing.T) { testlapack.Dorgr2Test(t, impl) }},
		{"Dorgtr", func(t *testing.T) { testlapack.DorgtrTest(t, impl) }},
		{"Dormbr", func(t *testing.T) { testlapack.DormbrTest(t, impl) }},
		{"Dormhr", func(t *testing.T) { testlapack.DormhrTest(t, impl) }},
		{"Dorml2", func(t *testing.T) { testlapack.Dorml2Test(t, impl) }},
		{"Dormlq", func(t *testing.T) { testlapack.DormlqTest(t, impl) }},
		{"Dormqr", func(t *testing.T) { testlapack.DormqrTest(t, impl) }},
		{"Dormr2", func(t *testing.T) { testlapack.Dormr2Test(t, impl) }},
		{"Dorm2r", func(t *testing.T) { testlapack.Dorm2rTest(t, impl) }},
		{"Dpbcon", func(t *testing.T) { testlapack.DpbconTest(t, impl) }},
		{"Dpbtf2", func(t *testing.T) { testlapack.Dpbtf2Test(t, impl) }},
		{"Dpbtrf", func(t *testing.T) { testlapack.DpbtrfTest(t, impl) }},
		{"Dpbtrs", func(t *testing.T) { testlapack.DpbtrsTest(t, impl) }},
		{"Dpocon", func(t *testing.T) { testlapack.DpoconTest(t, impl) }},
		{"Dpotf2", func(t *testing.T) { testlapack.Dpotf2Test(t, impl) }},
		{"Dpotrf", func(t *testing.T) { testlapack.DpotrfTest(t, impl) }},
		{"Dpotri", func(t *testing.T) { testlapack.DpotriTest(t, impl) }},
		{"Dpotrs", func(t *testing.T) { testlapack.DpotrsTest(t, impl) }},
		{"Dpstf2", func(t *testing.T) { testlapack.Dpstf2Test(t, impl) }},
		{"Dpstrf", func(t *testing.T) { testlapack.DpstrfTest(t, impl) }},
		{"Dpttrf", func(t *testing.T) { testlapack.DpttrfTest(t, impl) }},
		{"Dpttrs", func(t *testing.T) { testlapack.DpttrsTest(t, impl) }},
		{"Dptsv", func(t *testing.T) { testlapack.DptsvTest(t, impl) }},
		{"Dptcon", func(t *testing.T) { testlapack.DptconTest(t, impl) }},
		{"Drscl", func(t *testing.T) { testlapack.DrsclTest(t, impl) }},
		{"Dsteqr", func(t *testing.T) { testlapack.DsteqrTest(t, impl) }},
		{"Dsterf", func(t *testing.T) { testlapack.DsterfTest(t, impl) }},
		{"Dsyev", func(t *testing.T) { testlapack.DsyevTest(t, impl) }},
		{"Dsytd2", func(t *testing.T) { testlapack.Dsytd2Test(t, impl) }},
		{"Dsytrd", func(t *testing.T) { testlapack.DsytrdTest(t, impl) }},
		{"Dtgsja", func(t *testing.T) { testlapack.DtgsjaTest(t, impl) }},
		{"Dtbtrs", func(t *testing.T) { testlapack.DtbtrsTest(t, impl) }},
		{"Dtrcon", func(t *testing.T) { testlapack.DtrconTest(t, impl) }},
		{"Dtrevc3", func(t *testing.T) { testlapack.Dtrevc3Test(t, impl) }},
		{"Dtrexc", func(t *testing.T) { testlapack.DtrexcTest(t, impl) }},
		{"Dtrti2", func(t *testing.T) { testlapack.Dtrti2Test(t, impl) }},
		{"Dtrtri", func(t *testing.T) { testlapack.DtrtriTest(t, impl) }},
		{"Dtrtrs", func(t *testing.T) { testlapack.DtrtrsTest(t, impl) }},
		{"Iladlc", func(t *testing.T) { testlapack.IladlcTest(t, impl) }},
		{"Iladlr", func(t *testing.T) { testlapack.IladlrTest(t, impl) }},
	}
	// These take a second or more.
	slow := []string{"Dbdsqr", "Dgebak", "Dgebal", "Dgebrd", "Dgeev", "Dgehrd", "Dgelqf", "Dgels", "Dgeqp3", "Dgeqrf", "Dgerqf",
		"Dgesvd", "Dgetrf", "Dgetrs", "Dlahqr", "Dlaqr04", "Dlaqr23", "Dlaqr5", "Dorgql", "Dormbr", "Dormlq", "Dormqr", "Dpotrf", "Dsytrd"}
	long := os.Getenv("BATCHRNN_LONG") != ""
	defer blas64.Use(gonum.Implementation{})
	e := newEngine(t, "", 2)
	for _, u := range tunings[:2] {
		blas64.Use(u.make(e))
		for _, test := range tests {
			if slices.Contains(slow, test.name) && !(long && u.name == "measured") {
				continue
			}
			t.Run(u.name+"/"+test.name, test.f)
		}
	}
}
