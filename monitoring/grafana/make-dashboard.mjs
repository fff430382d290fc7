#!/usr/bin/env node
// Writes dashboards/ande-chain-overview.json out of the list of panels below.
// usage: monitoring/grafana/make-dashboard.mjs [--check]
import fs from 'node:fs';

const OUT = new URL('dashboards/ande-chain-overview.json', import.meta.url);
const source = { type: 'prometheus', uid: 'prometheus' };
const NODES = 'job=~"sequencer.*"';

// [title, type, width, unit, [[expression, legend]...], options]; 24 columns are one row.
const ROWS = [
    ['Overview', 5, [
        ['Current Block Height', 'stat', 6, 'none', [['max(ande_chain_block_height)', 'height']]],
        ['Average Block Time', 'stat', 6, 's', [[
            'sum(rate(ande_consensus_block_time_seconds_sum[1m])) / sum(rate(ande_consensus_block_time_seconds_count[1m]))', 'block time']]],
        ['Transactions Per Second', 'stat', 6, 'none', [['max(rate(ande_evm_transactions_total[1m]))', 'tps']]],
        ['Sequencer Health', 'stat', 6, 'bool_on_off', [[`up{${NODES}}`, '{{job}}']]],
    ]],
    ['Blocks', 8, [
        ['Block Production', 'timeseries', 12, 'none', [
            ['rate(ande_consensus_blocks_produced_total[1m])', '{{job}} proposed'],
            ['max(rate(ande_consensus_block_time_seconds_count[1m]))', 'all']]],
        ['Transaction Throughput', 'timeseries', 12, 'none', [['rate(ande_evm_transactions_total[1m])', '{{job}}']]],
        ['Block Height and Lag', 'timeseries', 12, 'none', [
            ['ande_chain_block_height', '{{job}}'], ['ande_chain_sync_lag_blocks', '{{job}} behind']]],
        ['Block Time', 'timeseries', 12, 's', [
            ['histogram_quantile(0.5, sum by (le) (rate(ande_consensus_block_time_seconds_bucket[1m])))', 'median'],
            ['histogram_quantile(0.99, sum by (le) (rate(ande_consensus_block_time_seconds_bucket[1m])))', '99 %'],
            ['histogram_quantile(0.99, sum by (le) (rate(ande_evm_block_execute_seconds_bucket[1m])))', 'execution 99 %'],
            ['histogram_quantile(0.99, sum by (le) (rate(ande_store_commit_seconds_bucket[1m])))', 'disk 99 %']]],
    ]],
    ['Consensus', 8, [
        ['Consensus - Active Validators', 'timeseries', 8, 'none', [
            ['max(ande_consensus_active_validators)', 'validators'],
            ['max(ande_consensus_total_voting_power)', 'voting power']]],
        ['Consensus - Sequencer Rotations', 'timeseries', 8, 'none', [
            ['max(ande_consensus_rotation_count)', 'rotation'], ['ande_consensus_is_proposer', '{{job}} leads']]],
        ['Consensus - Current Proposer', 'table', 8, 'none', [['max by (address) (ande_consensus_current_proposer)', '{{address}}']], { instant: true }],
        ['Consensus - Rounds and Timeouts', 'timeseries', 8, 'none', [
            ['increase(ande_consensus_timeout_events_total[1m])', '{{job}} failed rounds'],
            ['ande_consensus_round', '{{job}} round']]],
        ['Consensus - Votes', 'timeseries', 8, 'none', [
            ['rate(ande_consensus_votes_total[1m])', '{{job}} {{kind}}'],
            ['ande_consensus_evidence_total', '{{job}} evidence']]],
        ['Peers', 'timeseries', 8, 'none', [
            ['ande_p2p_peers_count', '{{job}}'],
            ['rate(ande_p2p_messages_received_total[1m])', '{{job}} received/s'],
            ['rate(ande_p2p_messages_sent_total[1m])', '{{job}} sent/s']]],
    ]],
    ['Execution', 8, [
        ['Transaction Pool', 'timeseries', 12, 'none', [
            ['ande_evm_txpool_pending', '{{job}} pending'], ['ande_evm_txpool_queued', '{{job}} queued']]],
        ['EVM - Gas Usage', 'timeseries', 12, 'none', [['rate(ande_evm_gas_used_total[1m])', '{{job}} gas/s']]],
    ]],
    ['DA and L1', 8, [
        ['Celestia - Data Availability', 'timeseries', 12, 'none', [
            ['increase(ande_celestia_da_submissions_total[5m])', '{{job}} batches in 5 min'],
            ['increase(ande_celestia_da_bytes_total[5m])', '{{job}} bytes in 5 min'],
            ['ande_celestia_da_pending_batches', '{{job}} pending'],
            ['increase(ande_celestia_da_failures_total[5m])', '{{job}} failures in 5 min']]],
        ['Celestia - Latency', 'timeseries', 12, 's', [
            ['sum by (job) (increase(ande_celestia_da_latency_seconds_sum[5m])) / sum by (job) (increase(ande_celestia_da_latency_seconds_count[5m]))', '{{job}} mean']]],
        ['L1 Settlement', 'timeseries', 12, 'none', [
            ['max(ande_chain_block_height)', 'latest'], ['max(ande_chain_safe_block)', 'safe: on DA'],
            ['max(ande_chain_finalized_block)', 'finalized: settled on L1'],
            ['sum(increase(ande_settlement_batches_total[10m]))', 'settlements in 10 min']]],
        ['L1 Origin', 'timeseries', 12, 's', [
            ['ande_consensus_l1_origin_lag_seconds', '{{job}} age'], ['ande_l1_reachable', '{{job}} reachable']]],
    ]],
    ['RPC', 8, [
        ['RPC - Rate by Method', 'timeseries', 12, 'reqps', [['sum by (method) (rate(ande_rpc_requests_total[1m]))', '{{method}}']]],
        ['RPC - Latency by Method (95 %)', 'timeseries', 12, 's', [[
            'histogram_quantile(0.95, sum by (method, le) (rate(ande_rpc_request_duration_seconds_bucket[1m])))', '{{method}}']]],
        ['RPC - Errors and Connections', 'timeseries', 12, 'none', [
            ['sum by (job) (rate(ande_rpc_errors_total[1m]))', '{{job}} errors/s'],
            ['ande_rpc_active_connections', '{{job}} connections']]],
        ['HAProxy', 'timeseries', 12, 'none', [
            ['sum by (proxy) (rate(haproxy_frontend_http_requests_total{proxy="rpc"}[1m]))', 'requests/s'],
            ['sum by (code) (rate(haproxy_frontend_http_responses_total{proxy="rpc"}[1m]))', 'answers {{code}}/s'],
            ['sum by (server) (rate(haproxy_server_http_responses_total{proxy="rpc"}[1m]))', '{{server}} answers/s'],
            ['haproxy_backend_response_time_average_seconds{proxy="rpc"}', 'response time (s)'],
            ['haproxy_backend_active_servers{proxy="rpc"}', 'ready nodes']]],
    ]],
    ['Machines', 8, [
        ['Memory', 'timeseries', 12, 'bytes', [['ande_process_resident_memory_bytes', '{{job}}']]],
        ['Disk', 'timeseries', 12, 'bytes', [
            ['ande_store_file_bytes', '{{job}} database'], ['ande_store_disk_free_bytes', '{{job}} free']]],
    ]],
];

function panel(id, [title, type, w, unit, targets, options = {}], x, y, h) {
    return {
        id, title, type, datasource: source, gridPos: { x, y, w, h },
        fieldConfig: { defaults: { unit, ...(type === 'stat' && unit === 'bool_on_off' ? {
            mappings: [{ type: 'value', options: {
                0: { text: 'down', color: 'red' }, 1: { text: 'up', color: 'green' } } }],
        } : {}) }, overrides: [] },
        options: type === 'timeseries' ? { legend: { displayMode: 'list', placement: 'bottom' } } : {},
        targets: targets.map(([expr, legendFormat], index) => ({
            refId: String.fromCharCode(65 + index), datasource: source, expr, legendFormat,
            ...(options.instant ? { instant: true, format: 'table' } : {}),
        })),
    };
}

function dashboard() {
    const panels = [];
    let id = 1, y = 0;
    for (const [title, height, list] of ROWS) {
        panels.push({ id: id++, type: 'row', title, collapsed: false, panels: [],
                      gridPos: { x: 0, y: y++, w: 24, h: 1 } });
        let x = 0;
        for (const one of list) {
            if (x + one[2] > 24) { x = 0; y += height; }
            panels.push(panel(id++, one, x, y, height));
            x += one[2];
        }
        y += height;
    }
    return {
        uid: 'ande-chain-overview', title: 'ANDE Chain - Testnet Overview', tags: ['ande', 'baton'],
        schemaVersion: 38, version: 1, editable: false, refresh: '5s', timezone: 'browser',
        time: { from: 'now-30m', to: 'now' }, annotations: { list: [] }, templating: { list: [] },
        panels,
    };
}

const text = `${JSON.stringify(dashboard(), null, 1)}\n`;
if (process.argv[2] === '--check') {
    if (fs.readFileSync(OUT, 'utf8') !== text) {
        console.error('ande-chain-overview.json is not what make-dashboard.mjs writes: run it');
        process.exit(1);
    }
} else {
    fs.writeFileSync(OUT, text);
}
