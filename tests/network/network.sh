# shellcheck shell=bash
# Sourced by the network tests: a network of its own for each, on ports of its own, gone afterwards.
#
# start_network NAME OFFSET [OPTION...] makes it and sets dir, rpc_url, ws_url; `testnet COMMAND ...`
# speaks to it.  The build directory is the test's first argument.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
if [ $# -gt 0 ] && [ -d "$1" ]; then
    BATON=$(realpath "$1")/baton
    export BATON
    shift
fi

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
ok() { echo "ok: $*"; }

testnet() { scripts/testnet "$@" --dir "$dir"; }

dir=''
end_network() {
    local code=$?
    [ -n "$dir" ] || exit $code
    if [ $code -ne 0 ]; then
        tail -n 20 "$dir"/logs/sequencer-*.log >&2 || true
        testnet status >&2 || true
    fi
    if [ -n "${KEEP_NETWORK:-}" ]; then
        echo "the network of the test goes on in $dir (KEEP_NETWORK)" >&2
        exit $code
    fi
    testnet clean 2>/dev/null || code=1
    exit $code
}

start_network() {
    local name=$1
    ports_offset=$2
    shift 2
    scripts/install-test-tools
    export PATH="$root/contracts/node_modules/.bin:$PATH:/usr/sbin"
    dir=$(mktemp -d "${TMPDIR:-/tmp}/baton-$name-XXXXXX")
    trap end_network EXIT
    testnet up --ports-offset "$ports_offset" "$@"
    rpc_url=http://127.0.0.1:$((8080 + ports_offset))
    export TESTNET_DIR=$dir TESTNET_PORTS_OFFSET=$ports_offset
}
