# shellcheck shell=bash
# What scripts/testnet is made of, part 2: every service, how it starts and when it is ready.
# Sourced after common.sh.

node_names() { for ((i = 1; i <= validators; i++)); do echo "sequencer-$i"; done; }
node_number() { echo "${1#sequencer-}"; }

# --- L1: anvil with blocks of a second, finalized two behind its head

start_l1() {
    mkdir -p "$dir/l1"
    start_process l1 "$(port l1)" anvil --host 127.0.0.1 --port "$(port l1)" --chain-id 31337 \
        --block-time 1 --slots-in-an-epoch 1 --state "$dir/l1/state.json" --state-interval 5 \
        --cache-path "$dir/l1/cache" --quiet
    wait_for 60 l1 "answer to eth_blockNumber" rpc_answers "$(url l1)" eth_blockNumber
}

# The first of anvil's ten accounts deploys; its key is published, so only a development L1 takes it.
deployer_key=0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
ensure_contracts() {
    mkdir -p "$dir/keys"
    [ -f "$dir/keys/deployer.key" ] ||
        (umask 077 && echo "$deployer_key" >"$dir/keys/deployer.key")
    "$root/scripts/deploy-contracts" --rpc-url "$(url l1)" --out "$dir/addresses.json" \
        --private-key-file "$dir/keys/deployer.key" --fault-model "$fault_model" \
        >"$(log_of contracts)" 2>&1 ||
        fail "the contracts cannot be deployed" "$(log_of contracts)"
}

ensure_keys() { # of node NUMBER
    local home=$dir/sequencer-$1
    [ ! -f "$home/keys/peer.key" ] || return 0
    mkdir -p "$home"
    "$baton" key new "$home/keys" >>"$(log_of contracts)" 2>&1 ||
        fail "no keys for sequencer-$1" "$(log_of contracts)"
}
peer_id() { "$baton" key peer-id "$dir/sequencer-$1/keys/peer.key"; }
address() { "$baton" key address "$dir/sequencer-$1/keys/validator.key"; }

register() { # FIRST LAST
    local arguments=() i
    for ((i = $1; i <= $2; i++)); do
        arguments+=(--validator
            "$dir/sequencer-$i/keys/validator.key,$(peer_id "$i"),$(url rpc "$i")")
    done
    "$root/scripts/register-validators" --rpc-url "$(url l1)" --addresses "$dir/addresses.json" \
        --funder-key-file "$dir/keys/deployer.key" --gas-ether 100 "${arguments[@]}" \
        >>"$(log_of contracts)" 2>&1 ||
        fail "the validators cannot be registered" "$(log_of contracts)"
}

finalized_validators() {
    cast call --rpc-url "$(url l1)" --block finalized "$(jq -r .consensus "$dir/addresses.json")" \
        'getActiveValidatorsCount()(uint256)'
}
are_finalized() { [ "$(finalized_validators)" -ge "$1" ]; }

# --- the rollup's genesis: fork times and system contracts from a template, validators from L1

chain_id=20251
ensure_genesis() {
    [ ! -f "$dir/genesis.json" ] || return 0
    wait_for 60 l1 "finalized block with $validators validators" are_finalized "$validators"
    local accounts
    accounts=$(jq -nR '[inputs | {(.): {balance: "0xd3c21bcecceda1000000"}}] | add' \
        <"$root/scripts/network/accounts") # a million ether each
    jq --argjson accounts "$accounts" --argjson id $chain_id --argjson time "$block_time_ms" \
        --arg model "$fault_model" --arg now "$(printf '0x%x' "$(date +%s)")" \
        --arg gas "$(printf '0x%x' "${TESTNET_GAS_LIMIT:-30000000}")" \
        '.config.chainId = $id | .timestamp = $now | .gasLimit = $gas | .alloc += $accounts
         | .config.baton += {l1_chain_id: 31337, block_time_ms: $time, fault_model: $model}' \
        "$root/scripts/network/genesis.template.json" >"$dir/genesis.template.json"
    rm -f "$dir/genesis.new"
    "$baton" init --genesis "$dir/genesis.new" --template "$dir/genesis.template.json" \
        --l1-rpc-url "$(url l1)" \
        --consensus-contract "$(jq -r .consensus "$dir/addresses.json")" \
        --coordinator-contract "$(jq -r .coordinator "$dir/addresses.json")" \
        >"$(log_of init)" 2>&1 || fail "baton init" "$(log_of init)"
    mv "$dir/genesis.new" "$dir/genesis.json"
}

# --- DA

start_da() {
    start_process da "$(port da)" "$baton" da --port "$(port da)" --dir "$dir/da" \
        --block-time-ms 1000 --faults
    wait_for 30 da "answer to header.LocalHead" rpc_answers "$(url da)" header.LocalHead
}

# --- nodes

write_node_config() { # NUMBER
    local i peers=() home=$dir/sequencer-$1
    for ((i = 1; i <= validators; i++)); do
        [ "$i" -eq "$1" ] || peers+=("$(peer_id "$i")@127.0.0.1:$(port p2p "$i")")
    done
    jq -n --arg home "$home" --arg dir "$dir" --arg peers "$(IFS=, && echo "${peers[*]}")" \
        --arg l1 "$(url l1)" --arg da "$(url da)" --argjson rpc "$(port rpc "$1")" \
        --argjson ws "$(port ws "$1")" --argjson metrics "$(port metrics "$1")" \
        --argjson p2p "$(port p2p "$1")" '{
            data_dir: ($home + "/data"), genesis: ($dir + "/genesis.json"),
            rpc_threads: 1, # all nodes share one machine
            validator_key_file: ($home + "/keys/validator.key"),
            peer_key_file: ($home + "/keys/peer.key"),
            rpc_port: $rpc, ws_port: $ws, metrics_port: $metrics,
            p2p_host: "127.0.0.1", p2p_port: $p2p, p2p_peers: $peers,
            l1_rpc_url: $l1, da_url: $da,
            da_timeout_ms: 5000, da_submit_timeout_ms: 10000}' >"$home/config.json"
}

start_node() { # NUMBER
    write_node_config "$1"
    start_process "sequencer-$1" \
        "$(port rpc "$1") $(port ws "$1") $(port metrics "$1") $(port p2p "$1")" \
        "$baton" node --config "$dir/sequencer-$1/config.json"
}
wait_for_node() { # NUMBER
    wait_for 60 "sequencer-$1" "200 from /ready" answers "$(url rpc "$1")/ready"
}

# --- HAProxy, Prometheus, Alertmanager, Grafana

node_list() {
    for ((i = 1; i <= validators; i++)); do
        echo "sequencer-$i=127.0.0.1,$(port rpc "$i"),$(port ws "$i"),$(port metrics "$i")"
    done
}

render_configs() {
    local binds=("127.0.0.1:$(port haproxy)") tls=()
    if [ "$(id -u)" -eq 0 ] && [ "$ports_offset" -eq 0 ] && {
        is_running haproxy || port_is_free 80; }; then
        binds+=("127.0.0.1:80")
    fi
    if [ -n "${TESTNET_CERTIFICATE:-}" ]; then
        tls=(--certificate "$TESTNET_CERTIFICATE" --tls-bind "127.0.0.1:$(port haproxy_tls)")
    fi
    local nodes
    mapfile -t nodes < <(node_list)
    "$root/scripts/render-config" haproxy --out "$dir/haproxy.cfg" "${binds[@]/#/--bind=}" \
        "${tls[@]}" --stats-bind "127.0.0.1:$(port stats)" \
        --requests-per-10s "${TESTNET_REQUESTS_PER_10S:-1000000}" "${nodes[@]}"
    "$root/scripts/render-config" prometheus --out "$dir/prometheus.yml" \
        --haproxy "127.0.0.1:$(port stats)" --alertmanager "127.0.0.1:$(port alertmanager)" \
        --self "127.0.0.1:$(port prometheus)" --rules "$root/monitoring/alerts.yml" "${nodes[@]}"
    "$root/scripts/render-config" grafana --out "$dir/grafana" --prometheus "$(url prometheus)"
}

start_haproxy() {
    haproxy -c -q -f "$dir/haproxy.cfg" >"$(log_of haproxy-check)" 2>&1 ||
        fail "haproxy.cfg is wrong" "$(log_of haproxy-check)"
    start_process haproxy "$(port haproxy) $(port stats)" haproxy -W -db -f "$dir/haproxy.cfg"
    wait_for 30 haproxy "answer to eth_chainId" rpc_answers "$(url haproxy)" eth_chainId
}

start_monitoring() {
    start_process alertmanager "$(port alertmanager)" prometheus-alertmanager \
        --config.file "$root/monitoring/alertmanager.yml" --storage.path "$dir/alertmanager" \
        --web.listen-address "127.0.0.1:$(port alertmanager)" --cluster.listen-address=
    start_process prometheus "$(port prometheus)" prometheus --config.file "$dir/prometheus.yml" \
        --storage.tsdb.path "$dir/prometheus" --storage.tsdb.retention.time 7d \
        --web.listen-address "127.0.0.1:$(port prometheus)" --log.level warn
    wait_for 60 alertmanager "200 from /-/ready" answers "$(url alertmanager)/-/ready"
    wait_for 60 prometheus "200 from /-/ready" answers "$(url prometheus)/-/ready"
    if [ -n "$(grafana_home)" ]; then start_grafana; fi
}

# Grafana is no Debian package: it is started where the operator has it.
grafana_home() {
    local home
    for home in "${GRAFANA_HOME:-}" /usr/share/grafana; do
        if [ -n "$home" ] && [ -d "$home/public" ]; then echo "$home"; return; fi
    done
}
start_grafana() {
    local program
    program=$(command -v grafana-server) || program=$(grafana_home)/bin/grafana-server
    start_process grafana "$(port grafana)" env GF_SERVER_HTTP_ADDR=127.0.0.1 \
        GF_SERVER_HTTP_PORT="$(port grafana)" GF_PATHS_DATA="$dir/grafana/data" \
        GF_PATHS_LOGS="$dir/grafana/data/log" GF_PATHS_PROVISIONING="$dir/grafana/provisioning" \
        GF_AUTH_ANONYMOUS_ENABLED=true "$program" --homepath "$(grafana_home)"
    wait_for 60 grafana "200 from /api/health" answers "$(url grafana)/api/health"
}

config_sum() {
    { cat "$dir/haproxy.cfg" "$dir/prometheus.yml" 2>/dev/null || true; } | cksum
}

# reload_configs makes running HAProxy and Prometheus take what render_configs wrote.
reload_configs() {
    local pid
    if pid=$(pid_of haproxy); then kill -USR2 "$pid"; fi
    if pid=$(pid_of prometheus); then kill -HUP "$pid"; fi
}
