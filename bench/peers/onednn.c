#include "onednn.h"
#include "dl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Constants of the C interface with the same value in 2.x and 3.x.
enum { f32 = 3, s8 = 5, u8 = 6, any_tag = 1, cpu = 1, in_order = 1 };
enum { forward_training = 64, forward_inference = 96, backward = 128 };
enum { query_arg_md = 255 };
enum {
	arg_src = 1, arg_dst = 17,
	arg_src_layer = 1, arg_src_iter = 2, arg_dst_layer = 17, arg_dst_iter = 18,
	arg_src_iter_c = 3, arg_dst_iter_c = 19,
	arg_weights_layer = 33, arg_weights_iter = 34, arg_bias = 41, arg_workspace = 64,
	arg_diff = 128, // added to an argument's number, for its gradient
};

typedef int64_t dims[12];
typedef struct {
	int arg;
	void *memory;
} exec_arg;

typedef struct {
	int major, minor, patch;
} version_t;

static struct {
	void *lib;
	int v3;
	char version[64];
	void *engine, *stream;

	const version_t *(*get_version)(void);
	void (*omp_set_num_threads)(int);
	int (*sgemm)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t,
		const float *, int64_t, float, float *, int64_t);
	int (*engine_create)(void **, int, size_t);
	int (*stream_create)(void **, void *, unsigned);
	int (*stream_wait)(void *);
	int (*memory_create)(void **, const void *, void *, void *);
	int (*memory_destroy)(void *);
	size_t (*memory_desc_get_size)(const void *);
	int (*memory_desc_equal)(const void *, const void *);
	const void *(*primitive_desc_query_md)(void *, int, int);
	int (*primitive_desc_destroy)(void *);
	int (*primitive_create)(void **, void *);
	int (*primitive_destroy)(void *);
	int (*primitive_execute)(void *, void *, int, const exec_arg *);
	int (*reorder_primitive_desc_create)(void **, const void *, void *, const void *, void *, void *);
	int (*primitive_attr_create)(void **);
	int (*primitive_attr_destroy)(void *);
	int (*primitive_attr_set_rnn_data_qparams)(void *, float, float);
	int (*primitive_attr_set_rnn_weights_qparams)(void *, int64_t, int, const float *);

	// 2.x: descriptors are structs that the caller provides.
	int (*memory_desc_init_by_strides)(void *, int, const dims, int, const dims);
	int (*memory_desc_init_by_tag)(void *, int, const dims, int, int);
	int (*eltwise_forward_desc_init)(void *, int, int, const void *, float, float);
	int (*vanilla_rnn_forward_desc_init)(void *, int, int, int, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, unsigned, float, float);
	int (*vanilla_rnn_backward_desc_init)(void *, int, int, int, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, unsigned, float, float);
	int (*lstm_forward_desc_init)(void *, int, int, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, unsigned);
	int (*lstm_backward_desc_init)(void *, int, int, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		unsigned);
	int (*lbr_gru_forward_desc_init)(void *, int, int, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, unsigned);
	int (*lbr_gru_backward_desc_init)(void *, int, int, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, unsigned);
	int (*primitive_desc_create)(void **, const void *, void *, void *, void *);

	// 3.x: descriptors are handles.
	int (*memory_desc_create_with_strides)(void **, int, const dims, int, const dims);
	int (*memory_desc_create_with_tag)(void **, int, const dims, int, int);
	int (*memory_desc_destroy)(void *);
	int (*eltwise_forward_primitive_desc_create)(void **, void *, int, int, const void *, const void *,
		float, float, void *);
	int (*vanilla_rnn_forward_primitive_desc_create)(void **, void *, int, int, int, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, unsigned,
		float, float, void *);
	int (*vanilla_rnn_backward_primitive_desc_create)(void **, void *, int, int, int, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, unsigned,
		float, float, void *, void *);
	int (*lstm_forward_primitive_desc_create)(void **, void *, int, int, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, unsigned, void *);
	int (*lstm_backward_primitive_desc_create)(void **, void *, int, int, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, unsigned,
		void *, void *);
	int (*lbr_gru_forward_primitive_desc_create)(void **, void *, int, int, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, unsigned, void *);
	int (*lbr_gru_backward_primitive_desc_create)(void **, void *, int, int, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, const void *, const void *,
		const void *, const void *, const void *, const void *, const void *, unsigned, void *, void *);
} d;

static char error_text[128];
const char *onednn_error(void) { return error_text; }

// CHECK returns NULL after a failed call, with the call's name in error_text.
#define CHECK(call) \
	do { \
		int status = (call); \
		if (status != 0) { \
			snprintf(error_text, sizeof error_text, "status %d from %.80s", status, #call); \
			return NULL; \
		} \
	} while (0)

// RUN aborts after a failed call. It is for calls that have succeeded before with
// the same arguments.
#define RUN(call) \
	do { \
		if ((call) != 0) { \
			fprintf(stderr, "peers: oneDNN: %s failed\n", #call); \
			abort(); \
		} \
	} while (0)

const char *onednn_open(const char *name) {
	if (!(d.lib = dl_open(name))) {
		return "not found";
	}
#define SYM(field, symbol) \
	if (!(d.field = dl_sym(d.lib, symbol))) { \
		return "has no " symbol; \
	}
#define DNNL(field) SYM(field, "dnnl_" #field)
	SYM(get_version, "dnnl_version")
	SYM(omp_set_num_threads, "omp_set_num_threads") // found in a library that oneDNN is linked to
	DNNL(sgemm) DNNL(engine_create) DNNL(stream_create) DNNL(stream_wait)
	DNNL(memory_create) DNNL(memory_destroy)
	DNNL(memory_desc_get_size) DNNL(memory_desc_equal)
	DNNL(primitive_desc_query_md) DNNL(primitive_desc_destroy)
	DNNL(primitive_create) DNNL(primitive_destroy) DNNL(primitive_execute)
	DNNL(reorder_primitive_desc_create)
	DNNL(primitive_attr_create) DNNL(primitive_attr_destroy)
	DNNL(primitive_attr_set_rnn_data_qparams) DNNL(primitive_attr_set_rnn_weights_qparams)
	const version_t *v = d.get_version();
	snprintf(d.version, sizeof d.version, "%d.%d.%d", v->major, v->minor, v->patch);
	d.v3 = v->major >= 3;
	if (d.v3) {
		DNNL(memory_desc_create_with_strides) DNNL(memory_desc_create_with_tag) DNNL(memory_desc_destroy)
		DNNL(eltwise_forward_primitive_desc_create)
		DNNL(vanilla_rnn_forward_primitive_desc_create)
		DNNL(vanilla_rnn_backward_primitive_desc_create)
		DNNL(lstm_forward_primitive_desc_create) DNNL(lstm_backward_primitive_desc_create)
		DNNL(lbr_gru_forward_primitive_desc_create) DNNL(lbr_gru_backward_primitive_desc_create)
	} else {
		DNNL(memory_desc_init_by_strides) DNNL(memory_desc_init_by_tag)
		DNNL(eltwise_forward_desc_init)
		DNNL(vanilla_rnn_forward_desc_init) DNNL(vanilla_rnn_backward_desc_init)
		DNNL(lstm_forward_desc_init) DNNL(lstm_backward_desc_init)
		DNNL(lbr_gru_forward_desc_init) DNNL(lbr_gru_backward_desc_init)
		DNNL(primitive_desc_create)
	}
	if (d.engine_create(&d.engine, cpu, 0) != 0 || d.stream_create(&d.stream, d.engine, in_order) != 0) {
		return "has no CPU engine";
	}
	return NULL;
}

const char *onednn_version(void) { return d.version; }

void onednn_set_threads(int n) { d.omp_set_num_threads(n); }

int64_t onednn_sgemm(int transa, int transb, int m, int n, int k,
	const float *a, int lda, const float *b, int ldb, float beta, float *c, int64_t times) {
	int64_t start = dl_now();
	for (int64_t i = 0; i < times; i++) {
		d.sgemm(transa ? 'T' : 'N', transb ? 'T' : 'N', m, n, k, 1, a, lda, b, ldb, beta, c, n);
	}
	return dl_now() - start;
}

static int algorithm(int act) {
	static const int v2[] = {0x1f, 0x2f, 0xaf, 0xbf}, v3[] = {0x20, 0x21, 0x29, 0x2a};
	return d.v3 ? v3[act] : v2[act];
}

static int left2right(void) { return d.v3 ? 1 : 0; }

// A desc_v2 has room for any descriptor of 2.x. A memory descriptor takes 696
// bytes, an operation's descriptor at most about 20 of these.
enum { desc_v2 = 1024, op_desc_v2 = 32 * desc_v2 };

// dense returns a row-major descriptor, or with any one whose layout the library
// chooses. It returns NULL on failure.
static void *dense(int type, int any, int n, const dims size) {
	dims strides;
	int64_t stride = 1;
	for (int i = n - 1; i >= 0; i--) {
		strides[i] = stride;
		stride *= size[i];
	}
	void *md = NULL;
	int status;
	if (d.v3) {
		status = any ? d.memory_desc_create_with_tag(&md, n, size, type, any_tag)
		             : d.memory_desc_create_with_strides(&md, n, size, type, strides);
	} else {
		md = calloc(1, desc_v2);
		status = any ? d.memory_desc_init_by_tag(md, n, size, type, any_tag)
		             : d.memory_desc_init_by_strides(md, n, size, type, strides);
	}
	if (status != 0) {
		snprintf(error_text, sizeof error_text, "status %d from a memory descriptor", status);
		return NULL;
	}
	return md;
}

static void free_desc(void *md) {
	if (d.v3 && md) {
		d.memory_desc_destroy(md);
	} else {
		free(md);
	}
}

// memory wraps data in the layout of md.
static void *memory(const void *md, void *data) {
	void *m;
	RUN(d.memory_create(&m, md, d.engine, data));
	return m;
}

static void execute(void *primitive, int n, const exec_arg *args) {
	RUN(d.primitive_execute(primitive, d.stream, n, args));
}

struct eltwise {
	void *primitive, *src, *dst;
	float *in, *out;
};

eltwise *eltwise_new(int act, int n, const float *src) {
	dims size = {n};
	void *md = dense(f32, 0, 1, size), *pd = NULL;
	if (!md) {
		return NULL;
	}
	if (d.v3) {
		CHECK(d.eltwise_forward_primitive_desc_create(&pd, d.engine, forward_inference, algorithm(act), md, md, 0, 0, NULL));
	} else {
		void *op = calloc(1, op_desc_v2);
		CHECK(d.eltwise_forward_desc_init(op, forward_inference, algorithm(act), md, 0, 0));
		CHECK(d.primitive_desc_create(&pd, op, NULL, d.engine, NULL));
		free(op);
	}
	eltwise *e = calloc(1, sizeof *e);
	CHECK(d.primitive_create(&e->primitive, pd));
	d.primitive_desc_destroy(pd);
	e->in = dl_floats(n, src);
	e->out = dl_floats(n, NULL);
	e->src = memory(md, e->in);
	e->dst = memory(md, e->out);
	free_desc(md);
	return e;
}

int64_t eltwise_run(eltwise *e, int64_t times) {
	exec_arg args[] = {{arg_src, e->src}, {arg_dst, e->dst}};
	int64_t start = dl_now();
	for (int64_t i = 0; i < times; i++) {
		execute(e->primitive, 2, args);
	}
	RUN(d.stream_wait(d.stream));
	return dl_now() - start;
}

const float *eltwise_result(eltwise *e) { return e->out; }

void eltwise_free(eltwise *e) {
	d.primitive_destroy(e->primitive);
	d.memory_destroy(e->src);
	d.memory_destroy(e->dst);
	free(e->in);
	free(e->out);
	free(e);
}

// A tensor is an array of the user, and its copy in the library's layout if that
// differs.
typedef struct {
	void *md; // row-major, or any layout in descriptors of operations
	void *data;
	void *user;
	void *other;
	void *inner;   // the primitive's argument: user, or a memory over other
	void *attr;    // how the reorder quantises; NULL if it does not
	void *reorder; // user to inner, or inner to user for gradients; NULL if they are the same
	size_t bytes;  // size of inner
} tensor;

struct rnn {
	int training, carry;
	int overwrite; // backward sets the gradients of weights instead of adding to them
	void *attr;    // of int8; else NULL
	void *forward_pd, *backward_pd, *forward, *backward;
	tensor x, wx, wh, bh, h, h0, last;
	tensor c0, last_c; // of an LSTM
	tensor backward_wx, backward_wh; // the same weights in backward's layout
	tensor dx, dh, dh0, dc0, dwx, dwh, dbh;
	float *workspace;
	void *workspace_memory;
	int n[2]; // arguments of forward and backward
	exec_arg args[2][24];
};

static void give(rnn *r, int pass, int arg, void *m) {
	r->args[pass][r->n[pass]++] = (exec_arg){arg, m};
}

// lay sets the memory of t for argument arg of pd, and a reorder if the library
// chose another layout.
static const char *lay(tensor *t, void *pd, int arg, int out) {
	const void *want = d.primitive_desc_query_md(pd, query_arg_md, arg);
	if (!want) {
		return "an argument has no descriptor";
	}
	t->inner = t->user = memory(t->md, t->data);
	t->bytes = d.memory_desc_get_size(want);
	if (d.memory_desc_equal(t->md, want)) {
		return NULL;
	}
	t->other = dl_copy(t->bytes, NULL);
	t->inner = memory(want, t->other);
	const void *from = out ? want : t->md, *to = out ? t->md : want;
	void *reorder_pd;
	if (d.reorder_primitive_desc_create(&reorder_pd, from, d.engine, to, d.engine, t->attr) != 0 ||
	    d.primitive_create(&t->reorder, reorder_pd) != 0) {
		return "no reorder for an argument";
	}
	d.primitive_desc_destroy(reorder_pd);
	return NULL;
}

// make_as fills t with a row-major array, a copy of from unless it is NULL.
static const char *make_as(int type, tensor *t, int n, const dims size, const void *from) {
	int64_t bytes = type == f32 ? sizeof(float) : 1;
	for (int i = 0; i < n; i++) {
		bytes *= size[i];
	}
	t->md = dense(type, 0, n, size);
	t->data = dl_copy(bytes, from);
	return t->md ? NULL : error_text;
}

static const char *make(tensor *t, int n, const dims size, const float *from) {
	return make_as(f32, t, n, size, from);
}

// The four functions below return a status. Descriptors that are NULL mean zero
// for an initial state, and not wanted for a last one. w holds descriptors of
// weights in any layout.
static int forward_v2(rnn *r, const rnn_args *a, int prop, void **w) {
	const void *x = r->x.md, *h0 = r->h0.md, *c0 = r->c0.md, *b = r->bh.md;
	const void *h = r->h.md, *last = r->last.md, *last_c = r->last_c.md;
	void *op = calloc(1, op_desc_v2);
	int status;
	switch (a->cell) {
	case onednn_lstm:
		status = d.lstm_forward_desc_init(op, prop, left2right(), x, h0, c0, w[0], w[1], b, h, last, last_c, 0);
		break;
	case onednn_lbr_gru:
		status = d.lbr_gru_forward_desc_init(op, prop, left2right(), x, h0, w[0], w[1], b, h, last, 0);
		break;
	default:
		status = d.vanilla_rnn_forward_desc_init(op, prop, algorithm(a->act), left2right(), x, h0, w[0], w[1], b,
			h, last, 0, 0, 0);
	}
	if (status == 0) {
		status = d.primitive_desc_create(&r->forward_pd, op, r->attr, d.engine, NULL);
	}
	free(op);
	return status;
}

static int forward_v3(rnn *r, const rnn_args *a, int prop, void **w) {
	const void *x = r->x.md, *h0 = r->h0.md, *c0 = r->c0.md, *b = r->bh.md;
	const void *h = r->h.md, *last = r->last.md, *last_c = r->last_c.md;
	void **pd = &r->forward_pd;
	switch (a->cell) {
	case onednn_lstm: // without peepholes and projection
		return d.lstm_forward_primitive_desc_create(pd, d.engine, prop, left2right(), x, h0, c0, w[0], w[1], NULL, NULL, b,
			h, last, last_c, 0, r->attr);
	case onednn_lbr_gru:
		return d.lbr_gru_forward_primitive_desc_create(pd, d.engine, prop, left2right(), x, h0, w[0], w[1], b,
			h, last, 0, NULL);
	default:
		return d.vanilla_rnn_forward_primitive_desc_create(pd, d.engine, prop, algorithm(a->act), left2right(), x, h0,
			w[0], w[1], b, h, last, 0, 0, 0, NULL);
	}
}

static int backward_v2(rnn *r, const rnn_args *a, void **w) {
	const void *x = r->x.md, *h0 = r->h0.md, *c0 = r->c0.md, *b = r->bh.md, *h = r->h.md;
	const void *dx = r->dx.md, *dh0 = r->dh0.md, *dc0 = r->dc0.md, *db = r->dbh.md, *dh = r->dh.md;
	void *op = calloc(1, op_desc_v2);
	int status;
	switch (a->cell) {
	case onednn_lstm:
		status = d.lstm_backward_desc_init(op, backward, left2right(), x, h0, c0, w[0], w[1], b, h, NULL, NULL,
			dx, dh0, dc0, w[0], w[1], db, dh, NULL, NULL, 0);
		break;
	case onednn_lbr_gru:
		status = d.lbr_gru_backward_desc_init(op, backward, left2right(), x, h0, w[0], w[1], b, h, NULL,
			dx, dh0, w[0], w[1], db, dh, NULL, 0);
		break;
	default:
		status = d.vanilla_rnn_backward_desc_init(op, backward, algorithm(a->act), left2right(), x, h0, w[0], w[1], b, h, NULL,
			dx, dh0, w[0], w[1], db, dh, NULL, 0, 0, 0);
	}
	if (status == 0) {
		status = d.primitive_desc_create(&r->backward_pd, op, NULL, d.engine, r->forward_pd);
	}
	free(op);
	return status;
}

static int backward_v3(rnn *r, const rnn_args *a, int flags, void **w) {
	const void *x = r->x.md, *h0 = r->h0.md, *c0 = r->c0.md, *b = r->bh.md, *h = r->h.md;
	const void *dx = r->dx.md, *dh0 = r->dh0.md, *dc0 = r->dc0.md, *db = r->dbh.md, *dh = r->dh.md;
	void **pd = &r->backward_pd;
	switch (a->cell) {
	case onednn_lstm:
		return d.lstm_backward_primitive_desc_create(pd, d.engine, backward, left2right(), x, h0, c0, w[0], w[1], NULL, NULL, b,
			h, NULL, NULL, dx, dh0, dc0, w[0], w[1], NULL, NULL, db, dh, NULL, NULL, flags, r->forward_pd, NULL);
	case onednn_lbr_gru:
		return d.lbr_gru_backward_primitive_desc_create(pd, d.engine, backward, left2right(), x, h0, w[0], w[1], b,
			h, NULL, dx, dh0, w[0], w[1], db, dh, NULL, flags, r->forward_pd, NULL);
	default:
		return d.vanilla_rnn_backward_primitive_desc_create(pd, d.engine, backward, algorithm(a->act), left2right(), x, h0,
			w[0], w[1], b, h, NULL, dx, dh0, w[0], w[1], db, dh, NULL, flags, 0, 0, r->forward_pd, NULL);
	}
}

static const char *make_forward_pd(rnn *r, const rnn_args *a, void **anyw) {
	int prop = a->training ? forward_training : forward_inference;
	int status = d.v3 ? forward_v3(r, a, prop, anyw) : forward_v2(r, a, prop, anyw);
	return status ? "no forward primitive" : NULL;
}

static const char *make_backward_pd(rnn *r, const rnn_args *a, void **anyw) {
	if (!d.v3) {
		return backward_v2(r, a, anyw) ? "no backward primitive" : NULL;
	}
	// The flag to overwrite is newer than 3.0, so try it first.
	for (r->overwrite = 1; r->overwrite >= 0; r->overwrite--) {
		if (backward_v3(r, a, r->overwrite, anyw) == 0) {
			return NULL;
		}
	}
	return "no backward primitive";
}

#define TRY(call) \
	do { \
		const char *wrong = (call); \
		if (wrong) { \
			return wrong; \
		} \
	} while (0)

// Sizes by cell. The LBR-GRU adds one bias inside the reset gate's product.
static const int gates[] = {1, 4, 3}, biases[] = {1, 4, 4};

static const char *init_backward(rnn *r, const rnn_args *a, const dims wx, const dims wh, void **anyw) {
	dims x = {a->steps, a->batch, a->input}, h = {a->steps, a->batch, a->hidden}, b = {1, 1, biases[a->cell], a->hidden};
	dims state = {1, 1, a->batch, a->hidden};
	TRY(make(&r->dx, 3, x, NULL));
	TRY(make(&r->dh, 3, h, a->dh));
	TRY(make(&r->dh0, 4, state, NULL));
	if (a->cell == onednn_lstm) {
		TRY(make(&r->dc0, 4, state, NULL));
	}
	TRY(make(&r->dbh, 4, b, NULL));
	TRY(make(&r->dwx, 5, wx, NULL));
	TRY(make(&r->dwh, 5, wh, NULL));
	TRY(make(&r->backward_wx, 5, wx, a->wx));
	TRY(make(&r->backward_wh, 5, wh, a->wh));
	TRY(make_backward_pd(r, a, anyw));
	if (d.primitive_create(&r->backward, r->backward_pd) != 0) {
		return "no backward primitive";
	}
	TRY(lay(&r->backward_wx, r->backward_pd, arg_weights_layer, 0));
	TRY(lay(&r->backward_wh, r->backward_pd, arg_weights_iter, 0));
	TRY(lay(&r->dx, r->backward_pd, arg_diff + arg_src_layer, 1));
	TRY(lay(&r->dh, r->backward_pd, arg_diff + arg_dst_layer, 0));
	TRY(lay(&r->dh0, r->backward_pd, arg_diff + arg_src_iter, 1));
	TRY(lay(&r->dbh, r->backward_pd, arg_diff + arg_bias, 1));
	TRY(lay(&r->dwx, r->backward_pd, arg_diff + arg_weights_layer, 1));
	TRY(lay(&r->dwh, r->backward_pd, arg_diff + arg_weights_iter, 1));

	const void *ws = d.primitive_desc_query_md(r->forward_pd, query_arg_md, arg_workspace);
	r->workspace = dl_floats((d.memory_desc_get_size(ws) + 3) / 4, NULL);
	r->workspace_memory = memory(ws, r->workspace);
	give(r, 0, arg_workspace, r->workspace_memory);
	give(r, 1, arg_workspace, r->workspace_memory);
	give(r, 1, arg_src_layer, r->x.inner);
	give(r, 1, arg_src_iter, r->h0.inner);
	give(r, 1, arg_weights_layer, r->backward_wx.inner);
	give(r, 1, arg_weights_iter, r->backward_wh.inner);
	give(r, 1, arg_bias, r->bh.inner);
	give(r, 1, arg_dst_layer, r->h.inner);
	give(r, 1, arg_diff + arg_src_layer, r->dx.inner);
	give(r, 1, arg_diff + arg_src_iter, r->dh0.inner);
	give(r, 1, arg_diff + arg_dst_layer, r->dh.inner);
	give(r, 1, arg_diff + arg_weights_layer, r->dwx.inner);
	give(r, 1, arg_diff + arg_weights_iter, r->dwh.inner);
	give(r, 1, arg_diff + arg_bias, r->dbh.inner);
	if (a->cell == onednn_lstm) {
		TRY(lay(&r->dc0, r->backward_pd, arg_diff + arg_src_iter_c, 1));
		give(r, 1, arg_src_iter_c, r->c0.inner);
		give(r, 1, arg_diff + arg_src_iter_c, r->dc0.inner);
	}
	return NULL;
}

// quantise sets the attributes of int8. The mask gives each column of each gate a scale.
static const char *quantise(rnn *r, const rnn_args *a) {
	if (d.primitive_attr_create(&r->attr) != 0 ||
	    d.primitive_attr_set_rnn_data_qparams(r->attr, onednn_scale, onednn_shift) != 0 ||
	    d.primitive_attr_set_rnn_weights_qparams(r->attr, gates[a->cell] * a->hidden, 1 << 3 | 1 << 4, a->scales) != 0) {
		return "no attributes of int8";
	}
	r->wx.attr = r->wh.attr = r->attr;
	return NULL;
}

static const char *init(rnn *r, const rnn_args *a, void **anyw) {
	dims x = {a->steps, a->batch, a->input}, h = {a->steps, a->batch, a->hidden}, b = {1, 1, biases[a->cell], a->hidden};
	dims state = {1, 1, a->batch, a->hidden};
	dims wx = {1, 1, a->input, gates[a->cell], a->hidden}, wh = {1, 1, a->hidden, gates[a->cell], a->hidden}; // ldigo
	int data = a->scales ? u8 : f32; // inputs and states
	r->training = a->training;
	r->carry = a->carry;
	if (a->scales) {
		TRY(quantise(r, a));
	}
	TRY(make_as(data, &r->x, 3, x, a->x));
	TRY(make_as(data, &r->h, 3, h, NULL));
	TRY(make(&r->bh, 4, b, a->bh));
	TRY(make(&r->wx, 5, wx, a->wx));
	TRY(make(&r->wh, 5, wh, a->wh));
	// Without an explicit initial state, version 2.6 computes a wrong gradient of
	// the recurrent weights.
	if (a->carry || a->training) {
		TRY(make_as(data, &r->h0, 4, state, a->carry ? a->h0 : NULL));
		if (a->cell == onednn_lstm) {
			TRY(make(&r->c0, 4, state, a->carry ? a->c0 : NULL));
		}
	}
	if (a->carry) {
		TRY(make_as(data, &r->last, 4, state, NULL));
		if (a->cell == onednn_lstm) {
			TRY(make(&r->last_c, 4, state, NULL));
		}
	}
	int weights = a->scales ? s8 : f32;
	if (!(anyw[0] = dense(weights, 1, 5, wx)) || !(anyw[1] = dense(weights, 1, 5, wh))) {
		return error_text;
	}
	TRY(make_forward_pd(r, a, anyw));
	if (d.primitive_create(&r->forward, r->forward_pd) != 0) {
		return "no forward primitive";
	}
	TRY(lay(&r->x, r->forward_pd, arg_src_layer, 0));
	TRY(lay(&r->wx, r->forward_pd, arg_weights_layer, 0));
	TRY(lay(&r->wh, r->forward_pd, arg_weights_iter, 0));
	TRY(lay(&r->bh, r->forward_pd, arg_bias, 0));
	TRY(lay(&r->h, r->forward_pd, arg_dst_layer, 1));
	give(r, 0, arg_src_layer, r->x.inner);
	give(r, 0, arg_weights_layer, r->wx.inner);
	give(r, 0, arg_weights_iter, r->wh.inner);
	give(r, 0, arg_bias, r->bh.inner);
	give(r, 0, arg_dst_layer, r->h.inner);
	struct {
		tensor *t;
		int arg;
	} states[] = {{&r->h0, arg_src_iter}, {&r->last, arg_dst_iter}, {&r->c0, arg_src_iter_c}, {&r->last_c, arg_dst_iter_c}};
	for (int i = 0; i < 4; i++) {
		if (states[i].t->md) {
			TRY(lay(states[i].t, r->forward_pd, states[i].arg, 0));
			give(r, 0, states[i].arg, states[i].t->inner);
		}
	}
	if (a->training) {
		TRY(init_backward(r, a, wx, wh, anyw));
	}
	return NULL;
}

static void copy_in(tensor *t) {
	if (t->reorder) {
		exec_arg args[] = {{arg_src, t->user}, {arg_dst, t->inner}};
		execute(t->reorder, 2, args);
	}
}

static void copy_out(tensor *t) {
	if (t->reorder) {
		exec_arg args[] = {{arg_src, t->inner}, {arg_dst, t->user}};
		execute(t->reorder, 2, args);
	}
}

static void zero(tensor *t) { memset(t->other ? t->other : t->data, 0, t->bytes); }

rnn *rnn_new(const rnn_args *a) {
	rnn *r = calloc(1, sizeof *r);
	void *anyw[2] = {NULL, NULL};
	const char *wrong = init(r, a, anyw);
	free_desc(anyw[0]);
	free_desc(anyw[1]);
	if (wrong) {
		if (wrong != error_text) {
			snprintf(error_text, sizeof error_text, "%s", wrong);
		}
		rnn_free(r);
		return NULL;
	}
	copy_in(&r->x);
	copy_in(&r->bh);
	copy_in(&r->wx);
	copy_in(&r->wh);
	if (a->training) {
		copy_in(&r->dh);
		copy_in(&r->backward_wx);
		copy_in(&r->backward_wh);
	}
	return r;
}

static void run_forward(rnn *r, int pack) {
	if (pack) {
		copy_in(&r->wx);
		copy_in(&r->wh);
	}
	execute(r->forward, r->n[0], r->args[0]);
	if (!r->carry) {
		return;
	}
	// The last arguments are pairs of an initial and a last state.
	exec_arg *end = &r->args[0][r->n[0]];
	for (exec_arg *a = end - (r->c0.md ? 4 : 2); a < end; a += 2) {
		void *swap = a[0].memory;
		a[0].memory = a[1].memory;
		a[1].memory = swap;
	}
}

static void run_backward(rnn *r, int pack) {
	if (pack) {
		copy_in(&r->backward_wx);
		copy_in(&r->backward_wh);
	}
	if (!r->overwrite) {
		zero(&r->dwx);
		zero(&r->dwh);
		zero(&r->dbh);
	}
	execute(r->backward, r->n[1], r->args[1]);
	copy_out(&r->dwx);
	copy_out(&r->dwh);
}

int64_t rnn_run(rnn *r, int passes, int pack, int64_t times) {
	int64_t start = dl_now();
	for (int64_t i = 0; i < times; i++) {
		if (passes & rnn_forward) {
			run_forward(r, pack);
		}
		if (passes & rnn_backward) {
			run_backward(r, pack);
		}
	}
	RUN(d.stream_wait(d.stream));
	return dl_now() - start;
}

const void *rnn_result(rnn *r, int which) {
	tensor *t = (tensor *[]){&r->h, &r->dx, &r->dwx, &r->dwh, &r->dbh}[which];
	copy_out(t);
	RUN(d.stream_wait(d.stream));
	return t->data;
}

static void free_tensor(tensor *t) {
	if (t->inner != t->user) {
		d.memory_destroy(t->inner);
	}
	if (t->user) {
		d.memory_destroy(t->user);
	}
	if (t->reorder) {
		d.primitive_destroy(t->reorder);
	}
	free_desc(t->md);
	free(t->data);
	free(t->other);
}

void rnn_free(rnn *r) {
	tensor *all[] = {&r->x, &r->wx, &r->wh, &r->bh, &r->h, &r->h0, &r->last, &r->c0, &r->last_c, &r->backward_wx, &r->backward_wh,
		&r->dx, &r->dh, &r->dh0, &r->dc0, &r->dwx, &r->dwh, &r->dbh};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		free_tensor(all[i]);
	}
	if (r->workspace_memory) {
		d.memory_destroy(r->workspace_memory);
	}
	free(r->workspace);
	if (r->attr) {
		d.primitive_attr_destroy(r->attr);
	}
	void *primitives[] = {r->forward, r->backward}, *pds[] = {r->forward_pd, r->backward_pd};
	for (int i = 0; i < 2; i++) {
		if (primitives[i]) {
			d.primitive_destroy(primitives[i]);
		}
		if (pds[i]) {
			d.primitive_desc_destroy(pds[i]);
		}
	}
	free(r);
}
