package blas_test

import (
	"fmt"
	"log"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"

	"batchrnn/kernels"
	"batchrnn/kernels/blas"
)

// Least squares with gonum's mat, on the kernels: the line through four points.
func ExampleNew() {
	e, err := kernels.New("", 0)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	b := blas.New(e)
	blas64.Use(b)
	blas32.Use(b)
	defer blas64.Use(gonum.Implementation{}) // before the engine is closed
	defer blas32.Use(gonum.Implementation{})

	x := mat.NewDense(4, 2, []float64{1, 0, 1, 1, 1, 2, 1, 3})
	y := mat.NewVecDense(4, []float64{1, 3, 5, 7})
	var line mat.VecDense
	if err := line.SolveVec(x, y); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("y = %.2f + %.2f·x\n", line.AtVec(0), line.AtVec(1))
	// Output: y = 1.00 + 2.00·x
}
