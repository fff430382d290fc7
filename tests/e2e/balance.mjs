// HAProxy's share: calls are served by all nodes alike; CORS, limits and errors in one place.
// usage: balance.mjs [CALLS]
import { call, check, main, network, ok, post } from '../network/library.mjs';

const calls = Number(process.argv[2] ?? 3000);
const net = network();

/** served reads from each node's metrics how many eth_blockNumber calls it answered. */
async function served() {
    return Promise.all(net.nodes.map(async (_, index) => {
        const page = await (await fetch(
            `http://127.0.0.1:${9090 + index + net.offset}/metrics`)).text();
        const line = /^ande_rpc_requests_total\{method="eth_blockNumber"\} (\d+)/m.exec(page);
        return line ? Number(line[1]) : 0;
    }));
}

await main('balance', async () => {
    const before = await served();
    const workers = Array.from({ length: 8 }, async (_, worker) => {
        for (let i = worker; i < calls; i += 8) await call(net.rpc, 'eth_blockNumber');
    });
    await Promise.all(workers);
    const shares = (await served()).map((count, index) => count - before[index]);
    const fair = calls / net.count;
    // Eight connections, and a turn in each backend thread: a little beside the exact third.
    check(shares.every((share) => Math.abs(share - fair) <= fair * 0.02),
          `shares of ${calls}: ${shares}`);
    ok(`${calls} eth_blockNumber: ${shares.join(' + ')}`);

    const preflight = await fetch(net.rpc, { method: 'OPTIONS', headers: {
        origin: 'https://wallet.example', 'access-control-request-method': 'POST' } });
    check(preflight.status === 204, `preflight: ${preflight.status}`);
    const answers = [preflight, await fetch(net.rpc, { method: 'POST', body: '{',
        headers: { 'content-type': 'application/json', origin: 'https://wallet.example' } }),
        await fetch(`${net.rpc}/metrics`)];
    for (const answer of answers) {
        const origins = answer.headers.get('access-control-allow-origin');
        check(origins === '*', `CORS of ${answer.status}: ${origins}`);
    }
    check(answers[2].status === 404, 'metrics are not for clients');
    ok('CORS once, for preflight, answers and errors; metrics stay inside');

    const bad = JSON.parse((await post(net.rpc, '{')).text);
    check(bad.error.code === -32700, `bad JSON: ${JSON.stringify(bad)}`);
    const batch = JSON.parse((await post(net.rpc, JSON.stringify([
        { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] },
        { jsonrpc: '2.0', id: 2, method: 'eth_nothing', params: [] }]))).text);
    check(batch[0].result === '0x4f1b' && batch[1].error.code === -32601, 'batch');
    ok('errors and batches pass through');
});
