#!/bin/sh
# Says, before the tests start, which of them cannot run here and what to install for them.
PATH=$PATH:/usr/sbin:/usr/local/sbin
missing() {
    if [ "${CI:-}" = true ]; then
        echo "Missing: $1. CI fails without it." >&2
    else
        echo "Missing: $1. Its tests are skipped; $2" >&2
    fi
}
command -v mosquitto >/dev/null 2>&1 || missing "Mosquitto" "install it with: apt-get install mosquitto"
{ command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null 2>&1 ||
    missing "Chromium" "install it with: apt-get install chromium-headless-shell"
# CI runs what needs this one by itself, behind `make test`.
[ -n "${FOREWARN_TEST_TIMESCALE_URL:-}" ] || [ "${CI:-}" = true ] ||
    missing "a server with TimescaleDB" "name one in FOREWARN_TEST_TIMESCALE_URL=postgresql://superuser:password@host:port/postgres"
exit 0
