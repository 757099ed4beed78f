#!/bin/sh
# Prints a Python that Forewarn can run on; says what to install where there is none.
for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; then
        if "$name" -c 'import venv, ensurepip' 2>/dev/null; then
            command -v "$name"
            exit 0
        fi
        without_venv=$name
    else
        too_old="$name is $("$name" --version 2>&1 || true)"
    fi
done
if [ -n "${without_venv:-}" ]; then
    echo "$without_venv is there, but its module venv is not: install it (Debian, Ubuntu: apt-get install python3-venv)." >&2
else
    echo "Forewarn needs Python 3.11 or newer (${too_old:-none was found}). Install it, or name one: make PYTHON=/path/to/python3 ..." >&2
fi
exit 1
