#!/bin/sh
# Removes what Forewarn made in this checkout: the data below var, the virtual environment, caches.
set -eu
if [ -e var/forewarn.lock ] && command -v flock >/dev/null 2>&1 && ! flock -n var/forewarn.lock true; then
    echo "Forewarn is running in var; stop it first (Ctrl-C where it was started)." >&2
    exit 1
fi
# As root in a closed folder, the database lies elsewhere and var/postgres is a link to it.
if [ -L var/postgres ]; then
    target=$(readlink -f var/postgres)
    case "$target" in
    /var/lib/forewarn/*) rm -rf "$target" ;;
    *) echo "var/postgres points to $target, which is left alone." >&2 ;;
    esac
fi
rm -rf var .venv build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
