// oneDNN's sgemm, eltwise, vanilla-RNN, LSTM and LBR-GRU primitives, opened at
// run time. No header of the library is needed. Both interfaces work: that of 2.x, with
// descriptors of operations, and that of 3.x, without.
//
// Make all calls on one thread: OpenMP keeps a number of threads, and a pool,
// for each calling thread.
#ifndef ONEDNN_H
#define ONEDNN_H
#include <stdint.h>

// onednn_open returns NULL, or a message after a failure.
const char *onednn_open(const char *name);
const char *onednn_version(void);
void onednn_set_threads(int n);

// onednn_error returns the name of the last failed call.
const char *onednn_error(void);

int64_t onednn_sgemm(int transa, int transb, int m, int n, int k,
	const float *a, int lda, const float *b, int ldb, float beta, float *c, int64_t times);

enum { onednn_relu, onednn_tanh, onednn_sigmoid, onednn_exp };

// An eltwise is a primitive over n floats with memory of its own. NULL means a
// failure, see onednn_error.
typedef struct eltwise eltwise;
eltwise *eltwise_new(int act, int n, const float *src);
int64_t eltwise_run(eltwise *, int64_t times);
const float *eltwise_result(eltwise *);
void eltwise_free(eltwise *);

// An rnn is one layer over steps of batch rows with memory of its own. Weights
// and gradients are row-major for the user, and are reordered to and from the
// library's layout. The gates of weights [input,gates,hidden] are i, f, c, o of
// an LSTM; u, r, o of an LBR-GRU, whose bias has a fourth part.
//
// With int8 an LSTM has weights of s8 and computes with inputs and states of u8:
// x is (u8 - onednn_shift) / onednn_scale, and so are h0 and the result rnn_h.
typedef struct rnn rnn;
enum { onednn_vanilla, onednn_lstm, onednn_lbr_gru };
enum { onednn_scale = 127, onednn_shift = 128 };
typedef struct {
	int steps, batch, input, hidden;
	int cell;
	int act;      // of a vanilla cell
	int training; // keep the states that backward needs
	int carry;    // the last state is the next call's initial one
	const float *scales; // int8: of each column of wx and wh, which is multiplied by it; else NULL
	const void *x;       // float, or u8
	const float *wx, *wh, *bh;
	const void *h0;  // with carry; else the initial state is zero
	const float *c0; // the same
	const float *dh; // [T,B,H], gradient of the states, with training
} rnn_args;
rnn *rnn_new(const rnn_args *);

// rnn_run runs forward, backward or both the given number of times, and returns
// the nanoseconds in all. With pack, each run reorders the weights first.
enum { rnn_forward = 1, rnn_backward = 2 };
int64_t rnn_run(rnn *, int passes, int pack, int64_t times);

// rnn_result returns a result in the user's layout: floats, or states of u8.
enum { rnn_h, rnn_dx, rnn_dwx, rnn_dwh, rnn_dbh };
const void *rnn_result(rnn *, int which);
void rnn_free(rnn *);

#endif
