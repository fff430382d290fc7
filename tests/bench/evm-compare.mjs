// Runs the programs that bench_evm timed on revm, through anvil's eth_call with the same code, and
// prints gas per second of both, their ratio and the geometric means of the ratios, by group.
//
//   bench_evm FILE... | node tests/bench/evm-compare.mjs [--anvil PATH] [--port N] [--runs N]
//
// Time is the processor time of anvil's process, so that a busy machine changes little.  What a call
// costs around the interpreter (HTTP, JSON, state) is taken off by calls of the same size to code
// that stops at once.  Programs too short to be seen over that are named and left out.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const option = (name, other) => {
    const at = process.argv.indexOf(name);
    return at < 0 ? other : process.argv[at + 1];
};
const port = Number(option('--port', '38545'));
const runs = Number(option('--runs', '15'));
const url = `http://127.0.0.1:${port}`;

// Number and time are those of bench_evm's block: a program may ask for them (`jumpis` loops while
// NUMBER is not zero, and stops at once in anvil's block 0).
const anvil = spawn(option('--anvil', 'contracts/node_modules/.bin/anvil'),
    ['--port', String(port), '--silent', '--no-mining', '--gas-limit', '1099511627775',
        '--number', '1', '--timestamp', '1000',
        '--code-size-limit', '1000000', '--no-request-size-limit', '--hardfork', 'osaka'],
    { stdio: ['ignore', 'inherit', 'inherit'] });

const rpc = async (method, params) => {
    const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    return response.json();
};

const ready = async () => {
    for (let tries = 0; tries < 200; tries++) {
        try {
            return (await rpc('eth_chainId', [])).result;
        } catch {
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }
    throw new Error('anvil did not start');
};

// processorTime is what all of anvil's threads have run, in nanoseconds.
const processorTime = () => {
    const tasks = `/proc/${anvil.pid}/task`;
    return readdirSync(tasks).reduce((sum, task) =>
        sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]), 0);
};

// groupOf says what a program mostly does, by its name.
const groups = [
    [/precompile/, 'precompiles'],
    [/blake2b|sha1|keccak/, 'hash'],
    [/storage|sload|sstore/i, 'storage'],
    [/memory|mstore|mload|returndata/i, 'memory'],
    [/selfdestruct|account_query|structarray|snailtracer|call_|create/, 'calls and contracts'],
    [/./, 'arithmetic and jumps'],
];
const groupOf = (name) => groups.find(([pattern]) => pattern.test(name))[1];

// shortName leaves out what all names of a suite share.
const shortName = (name) =>
    name.replace(/^.*::test_/, '').replace(/fork_Osaka-blockchain_test-|-?benchmark-gas-value_\d+M/g, '').replace('[]', '');

// stateOf writes a program's accounts as eth_call takes them; `prefix` goes before the called code.
const stateOf = (program, prefix) => Object.fromEntries(Object.entries(program.accounts).map(([address, account]) => {
    const out = {};
    const code = account.code ?? '0x';
    const digits = code.startsWith('0x') ? code.slice(2) : code;
    if (digits.trim() !== '' || address.toLowerCase() === program.to) {
        out.code = `0x${address.toLowerCase() === program.to ? prefix : ''}${digits.trim()}`;
    }
    if (account.balance) out.balance = account.balance.replace(/^0x0+(?=.)/, '0x');
    const slots = Object.entries(account.storage ?? {});
    const word = (hex) => `0x${hex.replace(/^0x/, '').padStart(64, '0')}`;
    if (slots.length > 0) out.state = Object.fromEntries(slots.map(([key, value]) => [word(key), word(value)]));
    return [address, out];
}));

// fastest returns the cheapest of several calls, in nanoseconds.
const fastest = async (program, prefix, count) => {
    const gas = `0x${program.gas_limit.toString(16)}`;
    const params = [{ to: program.to, data: program.input, gas }, 'latest', stateOf(program, prefix)];
    let best = Infinity;
    let failed = null;
    const end = Date.now() + 4000;
    for (let run = 0; run < count && (run < 3 || Date.now() < end); run++) {
        const start = processorTime();
        const answer = await rpc('eth_call', params);
        const time = processorTime() - start;
        failed = answer.error?.message ?? null;
        if (time < best) best = time;
    }
    return { best, failed };
};

const programs = [];
for await (const line of createInterface({ input: process.stdin })) programs.push(JSON.parse(line));
const ratios = new Map(); // group -> ratios
const mean = (list) => Math.exp(list.reduce((sum, ratio) => sum + Math.log(ratio), 0) / list.length).toFixed(2);
const speed = (program, ns) => (1000 * program.gas / ns).toFixed(0);
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);
const unmeasured = [];
try {
    await ready();
    row('program', 'group', 'gas', 'here, Mgas/s', 'revm in anvil, Mgas/s', 'ratio');
    row('---', '---', '---:', '---:', '---:', '---:');
    for (const program of programs) {
        const { best, failed } = await fastest(program, '', runs);
        // The same code behind a STOP: everything but the program itself.
        const idle = await fastest(program, '00', 4 * runs);
        const ns = best - idle.best;
        const name = shortName(program.name);
        if ((failed !== null) !== (program.status !== 'success')) {
            unmeasured.push(`${name}: outcomes differ, ${program.status} here, ${failed ?? 'success'} there`);
        } else if (ns < 200000) {
            unmeasured.push(`${name}: too short to measure there (${speed(program, program.ns)} Mgas/s here)`);
        } else {
            const ratio = ns / program.ns;
            const group = groupOf(program.name);
            ratios.set(group, [...(ratios.get(group) ?? []), ratio]);
            row(name, group, program.gas, speed(program, program.ns), speed(program, ns), ratio.toFixed(2));
        }
    }
    for (const line of unmeasured) console.log(`left out: ${line}`);
    for (const [group, list] of [...ratios].sort()) console.log(`${group}: geometric mean of ${list.length} ratios ${mean(list)}`);
    const all = [...ratios.values()].flat();
    console.log(`all: geometric mean of ${all.length} ratios ${mean(all)}`);
} finally {
    anvil.kill();
}
