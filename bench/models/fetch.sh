#!/bin/sh
# Brings public models and ONNX Runtime into this folder, from npm and the Go module proxy.
# It may be run again: it does nothing, and needs no network, where all is there. It ends
# with status 1 and names what it could not get.
set -u
cd "$(dirname "$0")" || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

failed=0
fail() {
	echo "models: $1" >&2
	failed=1
}

# is FILE SUM: the file is there, whole and of this version.
is() {
	echo "$2  $1" | sha256sum -c --status 2>/dev/null
}

# put FROM FILE SUM
put() {
	if ! is "$1" "$3"; then
		fail "$2: its source has another file than the one that tests expect (bench/models/fetch.sh has its SHA-256)"
		return
	fi
	cp "$1" "$2.part" && chmod 644 "$2.part" && mv "$2.part" "$2" || fail "$2: can't be written"
}

npm_there() {
	command -v node >/dev/null && command -v npm >/dev/null
}

# ONNX Runtime. The install script would fetch GPU libraries; the package has the CPU one.
ort=1.30.0
ort_there() {
	node -e "if (require('onnxruntime-node/package.json').version !== '$ort') process.exit(1); require('onnxruntime-node')" >/dev/null 2>&1
}
if ! ort_there; then
	if ! npm_there; then
		fail "onnxruntime-node: node or npm is missing: install Debian's nodejs and npm"
	elif ! npm install --prefix . --no-save --no-package-lock --ignore-scripts --no-audit --no-fund "onnxruntime-node@$ort" >"$tmp/log" 2>&1; then
		cat "$tmp/log" >&2
		fail "onnxruntime-node: npm install failed: is the network there?"
	elif ! ort_there; then
		fail "onnxruntime-node: it is installed, and Node $(node --version) can't load it"
	fi
fi

# Silero's voice detectors.
legacy=a35ebf52fd3ce5f1469b2a36158dba761bc47b973ea3382b3186ca15b1f5af28
v5=2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f
v6=1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3
if ! { is silero_vad_legacy.onnx $legacy && is silero_vad_v5.onnx $v5 && is silero_vad_v6.onnx $v6; }; then
	if ! npm_there; then
		fail "silero_vad_*.onnx: node or npm is missing: install Debian's nodejs and npm"
	elif ! { (cd "$tmp" && npm pack --silent @ricky0123/vad-web@0.0.31) && tar -xzf "$tmp"/*.tgz -C "$tmp"; } >"$tmp/log" 2>&1; then
		cat "$tmp/log" >&2
		fail "silero_vad_*.onnx: npm pack @ricky0123/vad-web failed: is the network there?"
	else
		put "$tmp/package/dist/silero_vad_legacy.onnx" silero_vad_legacy.onnx $legacy
		put "$tmp/package/dist/silero_vad_v5.onnx" silero_vad_v5.onnx $v5
		put "$tmp/package/dist/silero_vad_v6.onnx" silero_vad_v6.onnx $v6
	fi
fi

# A network of one GRU.
ndm=c9ea5e66571b62e0366e93e299b16fbcd892f08067332e30d6a71e59d79d395d
if ! is ndm.onnx $ndm; then
	# The folder is outside of any Go module, so the command changes no go.mod.
	if ! (cd "$tmp" && GOWORK=off go mod download -json github.com/advancedclimatesystems/gonnx@v1.1.0) >"$tmp/log" 2>&1; then
		cat "$tmp/log" >&2
		fail "ndm.onnx: go mod download failed: is the network there?"
	else
		put "$(sed -n 's/^.*"Dir": "\(.*\)",*$/\1/p' "$tmp/log")/sample_models/onnx_models/ndm.onnx" ndm.onnx $ndm
	fi
fi

[ $failed = 0 ] && echo "models: all are there"
exit $failed
