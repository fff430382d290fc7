# shellcheck shell=bash
# What scripts/testnet is made of, part 1: messages, ports, processes with pid files, waiting.
# Sourced, never run.  Expects: $root (the repository), $dir (the network's directory).

if [ -t 2 ]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
    bold='' red='' green='' yellow='' plain=''
fi

say() { echo "${bold}testnet:${plain} $*" >&2; }

# fail MESSAGE [LOG]: says what failed, shows the end of its log, and ends.
fail() {
    echo "${bold}testnet:${plain} ${red}$1${plain}" >&2
    if [ -n "${2:-}" ] && [ -s "$2" ]; then
        echo "--- the last lines of $2" >&2
        tail -n 15 "$2" >&2
    fi
    exit 1
}

# --- settings of this network, kept in $dir/settings so that later commands agree with `up`

validators=3 block_time_ms=2000 fault_model='' ports_offset=0
load_settings() {
    [ -f "$dir/settings" ] || return 1
    local key value
    while IFS='=' read -r key value; do
        case $key in
        validators) validators=$value ;;
        block_time_ms) block_time_ms=$value ;;
        fault_model) fault_model=$value ;;
        ports_offset) ports_offset=$value ;;
        *) fail "$dir/settings: unknown key '$key'" ;;
        esac
    done <"$dir/settings"
}

save_settings() {
    printf '%s=%s\n' validators "$validators" block_time_ms "$block_time_ms" \
        fault_model "$fault_model" ports_offset "$ports_offset" >"$dir/settings.new"
    mv "$dir/settings.new" "$dir/settings"
}

# --- ports: the deployment plan's, all moved by ports_offset.  With an offset DA and p2p count from
# 9700 and 9801, so that nothing gets among the ports that the kernel gives to outgoing connections.

port() {
    local what=$1 node=${2:-0} base
    case $what in
    rpc) base=$((8545 + 2 * (node - 1))) ;;
    ws) base=$((8546 + 2 * (node - 1))) ;;
    # Prometheus has 9093, so the fourth node's metrics go on from 9104.
    metrics) if [ "$node" -le 3 ]; then base=$((9089 + node)); else base=$((9100 + node)); fi ;;
    p2p) if [ "$ports_offset" -eq 0 ]; then base=$((30302 + node)); else base=$((9800 + node)); fi ;;
    l1) base=9545 ;;
    da) if [ "$ports_offset" -eq 0 ]; then base=26658; else base=9700; fi ;;
    haproxy) base=8080 ;;
    haproxy_tls) base=8443 ;;
    stats) base=8404 ;;
    prometheus) base=9093 ;;
    alertmanager) base=9094 ;;
    grafana) base=3001 ;;
    esac
    echo $((base + ports_offset))
}
url() { echo "http://127.0.0.1:$(port "$@")"; }

# port_is_free PORT: nobody listens there.
port_is_free() { [ -z "$(ss -Hltn "sport = :$1" 2>/dev/null)" ]; }

# --- processes: $dir/run/NAME.pid holds "PID STARTTIME", so a reused pid is never mistaken for ours

start_time_of() { # of a PID, as the kernel counts; nothing when it is gone or a zombie
    local text
    text=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    text=${text##*) }
    # shellcheck disable=SC2086
    set -- $text
    [ "$1" != Z ] || return 1
    echo "${20}"
}

pid_of() {
    local pid started now
    [ -f "$dir/run/$1.pid" ] || return 1
    read -r pid started <"$dir/run/$1.pid"
    now=$(start_time_of "$pid") || return 1
    [ "$now" = "$started" ] || return 1
    echo "$pid"
}
is_running() { pid_of "$1" >/dev/null; }
log_of() { echo "$dir/logs/$1.log"; }

# start_process NAME PORTS COMMAND...: starts it in a session of its own; PORTS must be free.
start_process() {
    local name=$1 ports=$2 one log pid
    shift 2
    if is_running "$name"; then return 0; fi
    for one in $ports; do
        port_is_free "$one" || fail "$name needs port $one, which another process has: $(
            ss -Hltnp "sport = :$one" | grep -o 'users:.*' | head -n 1)"
    done
    log=$(log_of "$name")
    mkdir -p "$dir/run" "$dir/logs"
    setsid "$@" >>"$log" 2>&1 </dev/null 8>&- 9>&- &
    pid=$!
    echo "$pid $(start_time_of "$pid" || echo 0)" >"$dir/run/$name.pid"
    disown "$pid" 2>/dev/null || true
}

# stop_processes SECONDS NAME...: asks all at once, waits, and kills those that are left then.
stop_processes() {
    local limit=$1 name pid deadline left
    shift
    for name in "$@"; do
        if pid=$(pid_of "$name"); then kill -TERM "$pid" 2>/dev/null || true; fi
    done
    deadline=$((SECONDS + limit))
    while :; do
        left=()
        for name in "$@"; do if is_running "$name"; then left+=("$name"); fi; done
        [ ${#left[@]} -gt 0 ] || break
        if [ $SECONDS -ge $deadline ]; then
            for name in "${left[@]}"; do
                say "${yellow}$name does not end by itself within $limit s: killed${plain}"
                pid=$(pid_of "$name") && kill -KILL "$pid" 2>/dev/null || true
            done
            deadline=$((SECONDS + limit))
        fi
        sleep 0.05
    done
    for name in "$@"; do rm -f "$dir/run/$name.pid"; done
}

# kill_process NAME: kill -9 and wait until it is gone.
kill_process() {
    local pid
    pid=$(pid_of "$1") || fail "$1 does not run"
    kill -KILL "$pid" 2>/dev/null || true
    while is_running "$1"; do sleep 0.01; done
    rm -f "$dir/run/$1.pid"
}

# wait_for SECONDS NAME WHAT COMMAND...: polls until COMMAND succeeds; process NAME must live.
wait_for() {
    local limit=$1 name=$2 what=$3 deadline
    shift 3
    deadline=$((SECONDS + limit))
    until "$@" >/dev/null 2>&1; do
        is_running "$name" || fail "$name ended while waiting for: $what" "$(log_of "$name")"
        [ $SECONDS -lt $deadline ] || fail "$name: no $what after $limit s" "$(log_of "$name")"
        sleep 0.1
    done
}

answers() { curl -fsS -m 2 -o /dev/null "$1"; }

# rpc URL METHOD [PARAMS]: prints the result as JSON.
rpc() {
    curl -fsS -m 5 -H 'content-type: application/json' "$1" \
        -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$2\",\"params\":${3:-[]}}" | jq -c .result
}
rpc_answers() {
    local result
    result=$(rpc "$1" "$2") && [ -n "$result" ] && [ "$result" != null ]
}
