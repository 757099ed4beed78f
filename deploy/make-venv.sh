#!/bin/sh
# Makes the virtual environment $1 unless it is there and works. A moved or half-made one is made again.
set -eu
venv=$1
if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
    [ "$(sed -n 1p "$venv/.place" 2>/dev/null)" = "$(pwd -P)" ]; then
    exit 0
fi
python=$(sh deploy/find-python.sh)
echo "Making $venv with $("$python" --version) ($python)"
rm -rf "$venv"
"$python" -m venv "$venv"
pwd -P >"$venv/.place"
