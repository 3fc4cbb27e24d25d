// oneDNN's sgemm, eltwise and vanilla-RNN primitives, opened at run time. No
// header of the library is needed, and both interfaces work: that of 2.x, with
// descriptors of operations, and that of 3.x, without.
//
// All calls belong on one thread: OpenMP keeps its number of threads, and its
// pool, for each.
#ifndef ONEDNN_H
#define ONEDNN_H
#include <stdint.h>

// onednn_open returns NULL or what is wrong.
const char *onednn_open(const char *name);
const char *onednn_version(void);
void onednn_set_threads(int n);

// onednn_error says which call failed last.
const char *onednn_error(void);

int64_t onednn_sgemm(int transa, int transb, int m, int n, int k,
	const float *a, int lda, const float *b, int ldb, float *c, int64_t times);

enum { onednn_relu, onednn_tanh, onednn_sigmoid, onednn_exp };

// An eltwise is a primitive over n floats with memory of its own. NULL: see
// onednn_error.
typedef struct eltwise eltwise;
eltwise *eltwise_new(int act, int n, const float *src);
int64_t eltwise_run(eltwise *, int64_t times);
const float *eltwise_result(eltwise *);
void eltwise_free(eltwise *);

// An rnn is one layer over steps of batch rows with memory of its own. Weights
// come and gradients leave row-major, as the user has them, and are reordered
// to and from what the library prefers.
typedef struct rnn rnn;
typedef struct {
	int steps, batch, input, hidden;
	int act;
	int training; // keep what backward needs
	int carry;    // the last state is the next call's initial one
	const float *x, *wx, *wh, *bh;
	const float *h0; // with carry; else the initial state is zero
	const float *dh; // [T,B,H], gradient of the states, with training
} rnn_args;
rnn *rnn_new(const rnn_args *);

// rnn_run runs forward, backward or both, with the weights' reorder before each
// where pack is set, and returns the nanoseconds of all times.
enum { rnn_forward = 1, rnn_backward = 2 };
int64_t rnn_run(rnn *, int passes, int pack, int64_t times);

// rnn_result returns a result in the user's layout.
enum { rnn_h, rnn_dx, rnn_dwx, rnn_dwh, rnn_dbh };
const float *rnn_result(rnn *, int which);
void rnn_free(rnn *);

#endif
