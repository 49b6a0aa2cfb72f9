#!/usr/bin/env bash
# Installs the reference's published client in the user's cache folder (once) and drives our server with it.
# usage: run.sh COMMAND IMAGES
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=0.37.1
venv="${XDG_CACHE_HOME:-$HOME/.cache}/fusebox/python-client-$version"
if [ ! -e "$venv/ready" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" --quiet --disable-pip-version-check install "folsom-fuse==$version"
  touch "$venv/ready"
fi
exec "$venv/bin/python" "$here/drive.py" "$1" "$2"
