// Runs the cases of cases.mjs on real nodes in network namespaces and checks every client's history.
// Started by tests/matrix/run, inside the hub's namespace.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { call, check, height, hex, root, sleep, until } from '../network/library.mjs';
import { CASES } from './cases.mjs';
import * as history from './history.mjs';
import { quantiles } from './watch.mjs';
import { World } from './world.mjs';

const USAGE = `usage: tests/matrix/run [BUILDDIR] [OPTION...]

  --kills N        proposers killed for each fault model (20); a quarter as many vanish silently
  --cases A,B      only these (default: all); --list names them
  --models A,B     crash (3 nodes), byzantine (4 nodes) (both)
  --seconds N      how long a partition, a bad link or a changed clock lasts (10)
  --pause N        how long a paused proposer stands still, seconds (30)
  --rounds N       repetitions of stop, kill-all and pause (3)
  --block-time-ms N  (200)
  --clients N      clients, each with one connection through HAProxy (24)
  --rate N         transfers a second, all clients together (60)
  --seed N         of the links' losses and jitter (1)
  --report FILE    the results as JSON`;

const { values: options } = parseArgs({ options: {
    kills: { type: 'string', default: '20' }, cases: { type: 'string' }, models: { type: 'string' },
    seconds: { type: 'string', default: '10' }, pause: { type: 'string', default: '30' },
    rounds: { type: 'string', default: '3' }, 'block-time-ms': { type: 'string', default: '200' },
    clients: { type: 'string', default: '24' }, rate: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' }, report: { type: 'string' },
    help: { type: 'boolean', short: 'h' }, list: { type: 'boolean' },
} });
if (options.help) {
    console.log(USAGE);
    process.exit(0);
}
if (options.list) {
    for (const { name, models } of CASES) console.log(`${name.padEnd(12)} ${models.join(', ')}`);
    process.exit(0);
}
for (const name of ['kills', 'seconds', 'pause', 'rounds', 'block-time-ms', 'clients', 'rate', 'seed']) {
    if (!/^[1-9][0-9]{0,5}$/.test(options[name])) {
        console.error(`matrix: --${name}: "${options[name]}" is no number from 1 to 999999`);
        process.exit(2);
    }
}
const models = options.models?.split(',') ?? ['crash', 'byzantine'];
const names = options.cases?.split(',') ?? CASES.map(({ name }) => name);
for (const name of names) {
    if (!CASES.some((one) => one.name === name)) {
        console.error(`matrix: no case "${name}" (--list names them)`);
        process.exit(2);
    }
}
for (const model of models) {
    if (model !== 'crash' && model !== 'byzantine') {
        console.error(`matrix: no fault model "${model}"`);
        process.exit(2);
    }
}

if (options.report) {
    try {
        fs.closeSync(fs.openSync(options.report, 'a')); // now, and not after half an hour
    } catch (error) {
        console.error(`matrix: --report: cannot write "${options.report}": ${error.code}`);
        process.exit(1);
    }
}

const paint = (code, text) => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);
const started = performance.now();
const stamp = () => `${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s`;
const say = (text) => console.log(`matrix: ${stamp()}  ${text}`);

const dir = process.env.MATRIX_DIR;
const world = new World({ spaces: process.env.MATRIX_SPACES.split(' '), dir,
                          build: path.dirname(process.env.BATON), seed: Number(options.seed) });
const report = {
    date: new Date().toISOString(),
    program: execFileSync(process.env.BATON, ['version'], { encoding: 'utf8' }).trim(),
    machine: { cores: os.cpus().length, cpu: os.cpus()[0].model, memory_gib: Math.round(os.totalmem() / 2 ** 30),
               kernel: os.release(), load_before: os.loadavg()[0] },
    settings: { block_time_ms: Number(options['block-time-ms']), clients: Number(options.clients),
                transfers_per_second: Number(options.rate), seed: Number(options.seed) },
    cases: [],
};

// --- clients

class Clients {
    constructor({ name }) {
        this.dir = path.join(world.dir, `history-${name}`);
        fs.mkdirSync(this.dir);
        this.log = path.join(world.dir, 'logs', `clients-${name}.log`);
        const out = fs.openSync(this.log, 'a');
        this.child = spawn(process.execPath, [path.join(root, 'tests/matrix/client.mjs'),
            '--rpc', world.rpc, '--ws', world.ws, '--dir', this.dir, '--clients', options.clients,
            '--rate', options.rate, '--first-account', '2'],
                           { stdio: ['ignore', out, out] });
        fs.closeSync(out);
        this.ended = new Promise((resolve) => { this.child.on('exit', resolve); });
    }

    ready() {
        return until('all clients at work', 90, () =>
            fs.readFileSync(this.log, 'utf8').includes('ready'));
    }

    async stop() {
        this.child.kill('SIGTERM');
        const code = await this.ended;
        check(code === 0, `the clients ended with ${code}: ` +
              fs.readFileSync(this.log, 'utf8').split('\n').slice(0, 5).join(' '));
    }
}

/** writeNode writes the blocks of one node down, as that node tells them. */
async function writeNode(clients, number, from, to) {
    const lines = [];
    for (let at = from; at <= to; at++) {
        const block = await call(world.url(number), 'eth_getBlockByNumber', [hex(at), false]);
        lines.push(JSON.stringify({ number: Number(block.number), hash: block.hash,
                                    parent: block.parentHash, transactions: block.transactions }));
    }
    fs.writeFileSync(path.join(clients.dir, `node-${number}.jsonl`), `${lines.join('\n')}\n`);
}

/** checkHistories waits until what was acknowledged is in blocks, and lets the checker read. */
async function checkHistories(clients, from, excluded) {
    const numbers = world.numbers.filter((number) => number !== excluded);
    // Pools are empty: what was acknowledged is in blocks, or lost, which the checker will see.
    await until('empty pools', 60, async () => (await Promise.all(numbers.map((number) =>
        world.status(number)))).every(({ poolPending }) => Number(poolPending) === 0)).catch(() => {});
    const heights = await Promise.all(numbers.map((number) => height(world.url(number))));
    const goal = Math.max(...heights) + 2;
    await until(`block ${goal} everywhere`, 60, async () => (await Promise.all(numbers.map((number) =>
        height(world.url(number))))).every((one) => one >= goal));
    await Promise.all(numbers.map((number) => writeNode(clients, number, from, goal)));
    const result = history.check(history.read(clients.dir));
    for (const { kind, text } of result.examples) console.error(`matrix: ${paint(31, kind)}: ${text}`);
    return { ok: result.ok, violations: result.counts, ...result.summary };
}

// --- cases

async function runCase(one, model) {
    const label = `${one.name}, ${model}, ${world.count} nodes`;
    const entry = { name: one.name, model, nodes: world.count, passed: false };
    report.cases.push(entry);
    const began = performance.now();
    say(paint(1, `=== ${label}`));
    let clients;
    try {
        await world.settled();
        const from = await height(world.rpc);
        clients = new Clients(one);
        await clients.ready();
        const result = await one.run(world, { kills: Number(options.kills), seconds: Number(
            one.name === 'pause' ? options.pause : options.seconds), rounds: Number(options.rounds), say });
        if (result.skipped !== undefined) say(`skipped: ${result.skipped}`);
        const { liar, ...measured } = result;
        Object.assign(entry, measured);
        await clients.stop();
        entry.history = await checkHistories(clients, from, liar);
        check(entry.history.ok, `the history is broken: ${JSON.stringify(entry.history.violations)}`);
        check(entry.history.acknowledged > 0, 'no client got anything acknowledged');
        entry.passed = true;
    } catch (error) {
        entry.error = error.message;
        console.error(`matrix: ${error.stack}`);
        await showLogs();
    }
    clients?.child.kill('SIGKILL');
    entry.seconds = Math.round((performance.now() - began) / 1000);
    const { acknowledged = 0, reads = 0, connections = 0 } = entry.history ?? {};
    say(`${entry.passed ? paint(32, 'passed') : paint(31, 'FAILED')}: ${label}: ${acknowledged} ` +
        `acknowledged, ${reads} reads on ${connections} connections, ${entry.seconds} s`);
    return entry.passed;
}

async function showLogs() {
    for (const number of world.numbers ?? []) {
        const lines = fs.readFileSync(path.join(world.dir, 'logs', `node-${number}.log`), 'utf8')
            .trimEnd().split('\n').slice(-8);
        console.error(`--- node ${number}\n${lines.join('\n')}`);
    }
}

/** repair gets the network going again after a case that failed, so that others can be tried. */
async function repair() {
    await world.heal();
    for (const number of world.numbers) {
        const node = world.node(number);
        node.signal('SIGCONT');
        if (!node.isRunning) world.startNode(number);
    }
    await world.settled();
}

async function runModel(model) {
    const count = model === 'crash' ? 3 : 4;
    const wanted = CASES.filter((one) => names.includes(one.name) && one.models.includes(model));
    if (wanted.length === 0) return true;
    say(`${count} nodes, ${model} faults, blocks of ${options['block-time-ms']} ms: starting`);
    await world.up(path.join(dir, model), { count, model, blockTimeMs: Number(options['block-time-ms']) });
    say('the network is up');
    let passed = true;
    for (const one of wanted) {
        if (await runCase(one, model)) continue;
        passed = false;
        await repair();
    }
    await world.stopAll();
    return passed;
}

function writeReport() {
    report.passed = report.cases.length > 0 && report.cases.every((one) => one.passed);
    report.seconds = Math.round((performance.now() - started) / 1000);
    const samplesOf = (name) => report.cases.filter((one) => one.name === name)
        .flatMap(({ samples_nodes_ms: samples }) => samples ?? []);
    for (const name of ['kill', 'vanish']) {
        if (samplesOf(name).length > 0) report[`${name}_gaps`] = quantiles(samplesOf(name));
    }
    report.machine.load_after = os.loadavg()[0];
    // Lists of numbers on one line each.
    const text = JSON.stringify(report, null, 2).replace(/\[[\d\s,]+\]/g, (list) =>
        list.replace(/\s+/g, ' '));
    if (options.report) fs.writeFileSync(options.report, `${text}\n`);
}

let isEnding = false;
async function end(code) {
    if (isEnding) return;
    isEnding = true;
    writeReport();
    const late = setTimeout(() => process.exit(code), 20_000);
    await world.end().catch(() => {});
    clearTimeout(late);
    process.exit(code);
}
process.on('SIGINT', () => end(130));
process.on('SIGTERM', () => end(143));

try {
    await world.connect();
    let passed = true;
    for (const model of models) passed = await runModel(model) && passed;
    const failed = report.cases.filter((one) => !one.passed).map((one) => `${one.name} (${one.model})`);
    if (passed) say(paint(32, `all ${report.cases.length} cases passed`));
    else say(paint(31, `failed: ${failed.join(', ')}`));
    await end(passed ? 0 : 1);
} catch (error) {
    console.error(`matrix: ${error.stack}`);
    await end(1);
}
