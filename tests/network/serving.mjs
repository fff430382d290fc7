// Accounts and slots are made; then the times between blocks are measured at one validator, first
// alone, then while followers join one after the other (at the lowest priority: on one machine they
// are rivals for the processors).  Prints a table; fails when nothing was served.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import WebSocket from 'ws';
import { account, call, check, height, main, network, ok, root, sleep, until } from './library.mjs';

const SLOTS_PER_CALL = 150;
const CALLS = Number(process.env.SERVING_CALLS ?? 400);
const SECONDS = Number(process.env.SERVING_SECONDS ?? 40);
// As in join.mjs: the first word of calldata many slots, and as many accounts with one wei.
const RUNTIME = '5f5b805f35111560265780602035018060010181555f5f5f5f6001855ff15050600101600156' +
    '5b00';
const net = network();
const baton = process.env.BATON ?? path.join(root, 'build/release/baton');
const config = JSON.parse(fs.readFileSync(path.join(net.dir, 'sequencer-1/config.json'), 'utf8'));
const word = (number) => BigInt(number).toString(16).padStart(64, '0');

async function fill() {
    const wallet = account(1);
    const chainId = Number(await call(net.rpc, 'eth_chainId'));
    let nonce = Number(await call(net.rpc, 'eth_getTransactionCount', [wallet.address, 'pending']));
    const send = async (transaction) => call(net.rpc, 'eth_sendRawTransaction',
        [await wallet.signTransaction({ chainId, type: 2, nonce: nonce++, gasLimit: 12_000_000,
            maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1_000_000n, ...transaction })],
        { retries: 3 });
    const receipt = (hash) => until(`receipt of ${hash}`, 120, () =>
        call(net.rpc, 'eth_getTransactionReceipt', [hash]));
    const made = await receipt(await send({ data: `0x60288060095f395ff3${RUNTIME}` }));
    for (let i = 0; i < CALLS; i += 16) {
        let last;
        for (let k = i; k < Math.min(i + 16, CALLS); k++) {
            last = await send({ to: made.contractAddress, value: SLOTS_PER_CALL,
                data: `0x${word(SLOTS_PER_CALL)}${word(0x1000000 + k * SLOTS_PER_CALL)}` });
        }
        check((await receipt(last)).status === '0x1', 'accounts and slots are made');
    }
    ok(`${CALLS * SLOTS_PER_CALL} accounts and as many slots are made`);
}

/** intervals are the times between the blocks that a validator shows in some seconds. */
function intervals(seconds) {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${config.ws_port}`);
        const times = [];
        socket.on('error', reject);
        socket.on('open', () => socket.send(
            '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'));
        socket.on('message', () => times.push(performance.now()));
        setTimeout(() => {
            socket.close();
            resolve(times.slice(2).map((time, i) => time - times[i + 1]).sort((a, b) => a - b));
        }, seconds * 1000);
    });
}

async function served() {
    const page = await (await fetch(`http://127.0.0.1:${config.metrics_port}/metrics`)).text();
    const found = page.match(/_snapshot_served_bytes_total(?:\{[^}]*\})? (\d+)/);
    check(found !== null, 'the metric of what was served');
    return Number(found[1]);
}

/** joins has followers take the state, one after the other, until `state.is_over`. */
async function joins(state) {
    const environment = { ...process.env };
    delete environment.BATON;
    for (state.count = 0; !state.is_over; state.count++) {
        const home = path.join(net.dir, `joined-${state.count}`);
        const child = spawn('nice', ['-n', '19', baton, 'join', '--follower', '--bootstrap',
            `127.0.0.1:${config.p2p_port}`, '--data', home, '--l1', net.l1, '--rpc-port',
            String(9980 + net.offset), '--p2p-port', String(9983 + net.offset)],
        { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
        let text = '';
        child.stderr.on('data', (data) => { text += data; });
        const code = await new Promise((resolve) => child.on('close', resolve));
        check(code === 0, `join: ${text}`);
        fs.rmSync(home, { recursive: true });
    }
}

function row(name, list) {
    const at = (part) => list[Math.min(list.length - 1, Math.floor(part * list.length))].toFixed(0);
    console.log(`| ${name} | ${list.length} | ${at(0.5)} | ${at(0.9)} | ${at(0.99)} | ${at(1)} |`);
}

await main('serving', async () => {
    await fill();
    await until('enough blocks', 60, async () => (await height(net.rpc)) > 110);
    await sleep(3000);
    const alone = await intervals(SECONDS);
    const before = await served();
    const state = { is_over: false, count: 0 };
    const joining = joins(state);
    await sleep(1000);
    const serving = await intervals(SECONDS);
    state.is_over = true;
    await joining;
    const bytes = await served() - before;
    check(bytes > 0, 'this validator served');
    console.log('| | blocks | p50, ms | p90, ms | p99, ms | longest, ms |');
    console.log('| --- | --- | --- | --- | --- | --- |');
    row('alone', alone);
    row('while others take the state', serving);
    ok(`${state.count} joins, ${(bytes / 2 ** 20 / SECONDS).toFixed(1)} MiB a second served by one`);
});
