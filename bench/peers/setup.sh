#!/bin/sh
# Installs on Debian the libraries that bench/peers times. It may be run again;
# whatever it can't install is named in the results.
set -eu
cd "$(dirname "$0")"

sudo=
if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get "$@"; }

apt update
# Recommended packages are left out: none of them computes.
apt install -y --no-install-recommends \
	gcc libc6-dev \
	libopenblas-dev libblis-dev libdnnl-dev libsleef-dev python3-torch

if ! command -v npm >/dev/null; then
	apt install -y --no-install-recommends nodejs npm
fi
# The package's install script would fetch GPU libraries; the CPU one is inside.
npm install --ignore-scripts --no-audit --no-fund
