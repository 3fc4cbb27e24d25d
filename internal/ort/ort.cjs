// ONNX Runtime as a child process of a Go test (ort.go). A request, and an answer, is a
// line of JSON and the arrays that it names. Between requests the process waits in a
// blocking read.
'use strict';
const fs = require('fs');

let input = Buffer.alloc(0); // read, not used yet

function fill(n) {
	const parts = [input];
	let have = input.length;
	while (have < n) {
		const part = Buffer.allocUnsafe(1 << 16);
		const got = fs.readSync(0, part, 0, part.length, null);
		if (got === 0) process.exit(0);
		parts.push(part.subarray(0, got));
		have += got;
	}
	input = Buffer.concat(parts);
}

function take(n) {
	if (input.length < n) fill(n);
	const out = input.subarray(0, n);
	input = input.subarray(n);
	return out;
}

function takeLine() {
	let end;
	while ((end = input.indexOf(10)) < 0) fill(input.length + 1);
	return take(end + 1).toString();
}

function write(bytes) {
	for (let at = 0; at < bytes.length;) at += fs.writeSync(1, bytes, at);
}

const kinds = {
	float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array,
	bool: Uint8Array, uint8: Uint8Array,
};

// array copies bytes to memory with the alignment of the elements.
function array({ type, dims }) {
	const x = new kinds[type](dims.reduce((a, b) => a * b, 1));
	Buffer.from(x.buffer).set(take(x.byteLength));
	return x;
}

function answer(message, tensors = {}) {
	message.arrays = Object.entries(tensors).map(([name, x]) => ({ name, type: x.type, dims: x.dims }));
	write(Buffer.from(JSON.stringify(message) + '\n'));
	for (const x of Object.values(tensors)) write(Buffer.from(x.data.buffer, x.data.byteOffset, x.data.byteLength));
}

const models = new Map();

async function main() {
	let ort;
	for (;;) {
		const { op, model, arrays } = JSON.parse(takeLine());
		const data = {};
		for (const a of arrays) data[a.name] = array(a); // before anything that may fail
		try {
			switch (op) {
			case 'hello':
				ort = require('onnxruntime-node');
				answer({});
				break;
			case 'load':
				models.set(model, await ort.InferenceSession.create(data.model, {
					executionProviders: ['cpu'],
					intraOpNumThreads: 1,
					interOpNumThreads: 1,
					logSeverityLevel: 4, // errors come as answers
				}));
				answer({});
				break;
			case 'run': {
				const feeds = {};
				for (const { name, type, dims } of arrays) feeds[name] = new ort.Tensor(type, data[name], dims);
				const outputs = await models.get(model).run(feeds);
				for (const [name, x] of Object.entries(outputs)) {
					if (!kinds[x.type]) throw new Error(`output ${name} has elements of type ${x.type}`);
				}
				answer({}, outputs);
				break;
			}
			case 'close':
				await models.get(model).release();
				models.delete(model);
				answer({});
			}
		} catch (error) {
			answer({ error: error.message });
		}
	}
}

main();
