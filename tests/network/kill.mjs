// kill -9 of the current proposer under load, again and again, and of all nodes at once at the end.
// usage: kill.mjs [REPEATS] [TRANSACTIONS PER SECOND]
import {
    call, check, height, main, network, ok, pidOf, sleep, testnet, until,
} from './library.mjs';
import { Load, where } from './load.mjs';

const repeats = Number(process.argv[2] ?? 20);
const rate = Number(process.argv[3] ?? 200);
const GAP_MAX_MS = 1500;
const net = network();

/** watch polls one node every few milliseconds and remembers when its head grew. */
class Watch {
    constructor(url) {
        Object.assign(this, { url, seen: [], isRunning: true });
        this.done = this.#run();
    }

    async #run() {
        let last = -1;
        while (this.isRunning) {
            const now = await height(this.url).catch(() => last);
            if (now > last) this.seen.push({ height: now, at: performance.now() });
            last = Math.max(last, now);
            await sleep(10);
        }
    }

    /** The longest time without a new block that reaches beyond `since`. */
    gapSince(since) {
        let longest = 0;
        for (let i = 1; i < this.seen.length; i++) {
            if (this.seen[i].at < since) continue;
            longest = Math.max(longest, this.seen[i].at - this.seen[i - 1].at);
        }
        return longest;
    }
}

const statuses = () => Promise.all(net.nodes.map((url) => call(url, 'baton_status')));

/** settled waits until all nodes are ready, at nearly one height and of one mind who leads. */
async function settled() {
    return until('all nodes ready and together', 60, async () => {
        const all = await statuses();
        const heights = all.map((one) => Number(one.height));
        if (!all.every((one) => one.ready)) return null;
        if (Math.max(...heights) - Math.min(...heights) > 1) return null;
        return all.filter((one) => one.isProposer).length === 1 ? all : null;
    });
}

async function killProposer(round) {
    const all = await settled();
    const index = all.findIndex((one) => one.isProposer);
    const name = `sequencer-${index + 1}`;
    const survivor = net.nodes[(index + 1) % net.nodes.length];
    const watch = new Watch(survivor);
    await until('two blocks', 20, () => watch.seen.length > 2, 10);
    const killedAt = performance.now();
    process.kill(pidOf(name), 'SIGKILL');
    const goal = watch.seen.at(-1).height + 8;
    await until(`eight more blocks without ${name}`, 30, () => watch.seen.at(-1).height >= goal, 10);
    const gap = watch.gapSince(killedAt);
    watch.isRunning = false;
    await watch.done;
    testnet('start', name);
    const before = performance.now();
    await until(`${name} back`, 60, async () => {
        const now = await statuses();
        return now.every((one) => one.ready &&
            Math.abs(Number(one.height) - Number(now[0].height)) <= 2);
    });
    const back = performance.now() - before;
    console.log(`kill ${String(round).padStart(2)}: ${name}, gap ${gap.toFixed(0)} ms, ` +
                `back after ${back.toFixed(0)} ms`);
    return gap;
}

/** nothingLost: every acknowledged hash is in exactly one block, the same one on every node. */
async function nothingLost(load, from) {
    const hashes = [...load.acknowledged.keys()];
    const last = hashes.slice(-200);
    await until('the last acknowledged transactions in blocks', 60, async () => {
        for (const hash of last) {
            for (const url of net.nodes) {
                if (!await call(url, 'eth_getTransactionReceipt', [hash])) return false;
            }
        }
        return true;
    }, 500);
    const to = Math.min(...await Promise.all(net.nodes.map(height)));
    const maps = [];
    for (const url of net.nodes) maps.push(await where(url, from, to));
    const missing = [], twice = [], different = [];
    for (const hash of hashes) {
        const places = maps.map((map) => map.get(hash) ?? []);
        if (places.some((list) => list.length === 0)) missing.push(hash);
        else if (places.some((list) => list.length > 1)) twice.push(hash);
        else if (new Set(places.map(([one]) => one)).size !== 1) different.push(hash);
    }
    check(missing.length === 0, `${missing.length} of ${hashes.length} acknowledged transactions ` +
          `are missing, the first one ${missing[0]}`);
    check(twice.length === 0, `${twice.length} transactions are in two blocks`);
    check(different.length === 0, `${different.length} transactions differ between nodes`);
    ok(`${hashes.length} acknowledged transactions are each in exactly one block on all nodes`);
}

/** killAll: under load, too; what was acknowledged waits on the nodes' disks. */
async function killAll() {
    const all = await settled();
    const from = await height(net.rpc);
    const load = new Load(net, rate);
    await load.start();
    await until('acknowledged transactions', 30, () => load.acknowledged.size > rate, 20);
    const heads = await Promise.all(net.nodes.map((url) =>
        call(url, 'eth_getBlockByNumber', ['latest', false])));
    for (let i = 1; i <= net.count; i++) process.kill(pidOf(`sequencer-${i}`), 'SIGKILL');
    await load.stop();
    for (let i = 1; i <= net.count; i++) testnet('start', `sequencer-${i}`);
    await until('blocks after all were killed', 60, async () => {
        const now = await Promise.all(net.nodes.map(height));
        return now.every((one) => one > Math.max(...heads.map((head) => Number(head.number))) + 3);
    });
    for (const [index, url] of net.nodes.entries()) {
        for (const head of heads) {
            const again = await call(url, 'eth_getBlockByNumber', [head.number, false]);
            check(again.hash === head.hash, `node ${index + 1} has another block ${head.number}`);
        }
    }
    ok(`all ${all.length} nodes killed at once: same head afterwards, and on it goes`);
    await load.again(); // what was acknowledged may wait for an earlier one that was not
    await nothingLost(load, from);
}

await main('kill', async () => {
    await settled();
    const from = await height(net.rpc);
    const load = new Load(net, rate);
    await load.start();
    const gaps = [];
    for (let round = 1; round <= repeats; round++) gaps.push(await killProposer(round));
    await load.stop();
    gaps.sort((a, b) => a - b);
    console.log(`gaps: least ${gaps[0].toFixed(0)}, median ${gaps[gaps.length >> 1].toFixed(0)}, ` +
                `largest ${gaps.at(-1).toFixed(0)} ms; ${load.acknowledged.size} transactions ` +
                `acknowledged, ${load.retried} requests tried once more`);
    check(load.failures.length === 0, `${load.failures.length} requests failed even when tried ` +
          `again: ${JSON.stringify(load.failures[0])}`);
    await nothingLost(load, from);
    check(gaps.at(-1) < GAP_MAX_MS, `the largest gap is ${gaps.at(-1).toFixed(0)} ms`);
    ok(`every gap is under ${GAP_MAX_MS} ms`);
    await killAll();
});
