// ONNX Runtime as a child process of peers: requests in, times and results out.
//
// A request is a line of JSON and the arrays that it names. Between requests
// the process waits in a blocking read (child.go).
'use strict';
const fs = require('fs');

let input = Buffer.alloc(0); // read, not used yet

function fill(n) {
	const parts = [input];
	let have = input.length;
	while (have < n) {
		const part = Buffer.allocUnsafe(1 << 20);
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

function answer(message, arrays = {}) {
	message.arrays = Object.entries(arrays).map(([name, x]) => ({ name, len: x.length }));
	write(Buffer.from(JSON.stringify(message) + '\n'));
	for (const x of Object.values(arrays)) write(Buffer.from(x.buffer, x.byteOffset, x.byteLength));
}

let ort, version;
try {
	ort = require('onnxruntime-node');
	version = require('onnxruntime-node/package.json').version;
} catch (error) {
	answer({ error: error.message.split('\n')[0] });
	process.exit(0);
}

// tensor copies bytes to memory with the alignment of floats.
function tensor(bytes, dims) {
	const x = new Float32Array(dims.reduce((a, b) => a * b, 1));
	if (bytes) Buffer.from(x.buffer).set(bytes);
	return new ort.Tensor('float32', x, dims);
}

let session, feeds, fetches, states; // states: names of those that are carried

async function ready({ workload: { t, b, e, h, carry }, threads }, data) {
	session = await ort.InferenceSession.create(data.model, {
		executionProviders: ['cpu'],
		intraOpNumThreads: threads,
		interOpNumThreads: 1,
		executionMode: 'sequential',
		graphOptimizationLevel: 'all',
		// Threads stop spinning after a run, so that they don't slow others.
		extra: { session: { force_spinning_stop: '1' } },
	});
	feeds = { X: tensor(data.x, [t, b, e]) };
	fetches = { Y: tensor(null, [t, 1, b, h]) }; // the output's memory is allocated once
	states = [];
	if (!carry) return;
	for (const [name, x] of Object.entries({ H: data.h0, C: data.c0 })) {
		if (!x) continue; // only an LSTM has C
		states.push(name);
		feeds[name + '0'] = tensor(x, [1, b, h]);
		fetches[name + '1'] = tensor(null, [1, b, h]);
	}
}

async function run(times) {
	const start = process.hrtime.bigint();
	for (let i = 0; i < times; i++) {
		await session.run(feeds, fetches);
		for (const s of states) [feeds[s + '0'], fetches[s + '1']] = [fetches[s + '1'], feeds[s + '0']];
	}
	return Number(process.hrtime.bigint() - start);
}

async function main() {
	for (;;) {
		const request = JSON.parse(takeLine());
		const data = {};
		for (const { name, len } of request.arrays) data[name] = take(4 * len);
		try {
			switch (request.op) {
			case 'hello':
				answer({ version });
				break;
			case 'new':
				await ready(request, data);
				answer({});
				break;
			case 'results':
				await run(1);
				answer({}, { h: fetches.Y.data });
				break;
			case 'run':
				answer({ ns: await run(request.times) });
				break;
			case 'close':
				await session.release();
				session = feeds = fetches = undefined;
				answer({});
			}
		} catch (error) {
			answer({ error: error.message });
		}
	}
}

main();
