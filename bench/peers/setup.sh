#!/bin/sh
# Installs on Debian the libraries that bench/peers times. It may be run again.
# The results name the libraries that it can't install.
set -eu
cd "$(dirname "$0")"

sudo=
if [ "$(id -u)" != 0 ]; then sudo=sudo; fi
apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get "$@"; }

apt update
# Recommended packages are not needed for computing.
apt install -y --no-install-recommends \
	gcc libc6-dev \
	libopenblas-dev libblis-dev libdnnl-dev libsleef-dev python3-torch

if ! command -v npm >/dev/null; then
	apt install -y --no-install-recommends nodejs npm
fi
# ONNX Runtime, and public models.
../models/fetch.sh
