// L1 and DA fail, each in its ways: blocks continue, alerts see it, and afterwards every block is on
// the DA layer exactly once; a chain rebuilt from there is the same.
// usage: outages.mjs [SECONDS OF EACH OUTAGE]
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
    call, check, height, hex, main, network, ok, root, sleep, testnet, until,
} from './library.mjs';
import { Load } from './load.mjs';

const seconds = Number(process.argv[2] ?? 60);
const net = network();
const baton = process.env.BATON ?? path.join(root, 'build/release/baton');

/** query asks Prometheus and gives the samples' values. */
async function query(expression) {
    const reply = await fetch(`${net.prometheus}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { status, data, error } = await reply.json();
    check(status === 'success', `${expression}: ${error}`);
    return data.result.map(({ value }) => Number(value[1]));
}

/** during runs an outage and checks that blocks went on at no less than half of their rate. */
async function during(what, begin, end) {
    const before = await height(net.nodes[0]);
    await begin();
    const started = Date.now();
    await sleep(seconds * 1000);
    const after = await height(net.nodes[0]);
    const expected = (Date.now() - started) / net.blockTimeMs;
    await end();
    check(after - before > expected / 2,
          `${what}: only ${after - before} blocks in ${seconds} s, of ${expected.toFixed(0)}`);
    ok(`${what} for ${seconds} s: ${after - before} blocks meanwhile`);
}

async function l1Stops() {
    check((await query('ande_l1_reachable == 0')).length === 0, 'the alert is true before');
    await during('L1 stopped', async () => testnet('stop', 'l1'), async () => {
        await until('the expression true for all nodes', 60, async () =>
            (await query('ande_l1_reachable == 0')).length === net.count);
        await until('the alert', 60, async () =>
            (await query('ALERTS{alertname="L1OriginStale"}')).length > 0);
        testnet('start', 'l1');
    });
    await until('the alert over', 60, async () =>
        (await query('ande_l1_reachable == 0')).length === 0 &&
        (await query('ALERTS{alertname="L1OriginStale"}')).length === 0);
    ok('the alert L1OriginStale came and went');
}

const setFault = (mode) => call(net.da, 'baton.SetFault', [{ mode }]);
const safeBlock = async () =>
    Number((await call(net.nodes[0], 'eth_getBlockByNumber', ['safe', false])).number);

/** recovered waits until what was made up to now is on the DA layer; the height of that. */
async function recovered() {
    const goal = await height(net.nodes[0]);
    await until(`block ${goal} safe`, 180, async () => await safeBlock() >= goal, 500);
    return goal;
}

async function daFails() {
    await during('DA stopped', async () => testnet('stop', 'da'), async () => testnet('start', 'da'));
    let goal = await recovered();
    for (const mode of ['http500', 'hang', 'accept_then_error']) {
        await during(`DA ${mode}`, () => setFault(mode), () => setFault('none'));
        goal = await recovered();
    }
    ok(`all blocks up to ${goal} are safe again after each`);
    return goal;
}

async function rebuild(goal) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'baton-rebuild-'));
    try {
        const text = execFileSync(baton, ['rebuild', '--da', net.da, '--data-dir', dir,
            '--genesis', path.join(net.dir, 'genesis.json')], { encoding: 'utf8' });
        const [, number, hash, stateRoot, duplicates, strangers] =
            /^block (\d+)\nhash +(0x\w+)\nroot +(0x\w+)\n\d+ batches, (\d+) duplicates, (\d+) other/
                .exec(text);
        check(Number(number) >= goal, `rebuilt only up to block ${number} of ${goal}`);
        const block = await call(net.rpc, 'eth_getBlockByNumber', [hex(number), false]);
        check(block.hash === hash && block.stateRoot === stateRoot,
              `rebuilt ${hash} ${stateRoot}, the network has ${block.hash} ${block.stateRoot}`);
        ok(`rebuilt from DA: block ${number}, same hash, same state root`);
        check(Number(duplicates) === 0 && Number(strangers) === 0,
              `${duplicates} batches are on DA twice, ${strangers} other blobs`);
        ok('every block is on the DA layer exactly once');
    } finally {
        fs.rmSync(dir, { recursive: true, force: true });
    }
}

await main('outages', async () => {
    const load = new Load(net, 20);
    await load.start();
    await l1Stops();
    const goal = await daFails();
    await load.stop();
    check(load.failures.length === 0, `${load.failures.length} requests failed`);
    await rebuild(goal);
});
