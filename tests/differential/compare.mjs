// Runs random programs here and on revm (anvil, debug_traceCall) and compares outcome, gas, output, logs
// and storage of each.
//
//   node tests/differential/compare.mjs PROGRAM [--seed N] [--count N] [--contracts] [--port N]
//
// PROGRAM is the built evm_programs.  Prints every difference with the code that shows it, and a summary;
// exit code 1 when there was one.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const option = (name, other) => {
    const at = process.argv.indexOf(name);
    return at < 0 ? other : process.argv[at + 1];
};
const port = Number(option('--port', '38546'));
const url = `http://127.0.0.1:${port}`;
const target = '0x000000000000000000000000000000000000c0de';
const sender = '0x11000000000000000000000000000000000000aa';
const batchSize = 100;

const anvil = spawn(option('--anvil', 'contracts/node_modules/.bin/anvil'),
    ['--port', String(port), '--silent', '--no-mining', '--hardfork', 'prague'],
    { stdio: ['ignore', 'inherit', 'inherit'] });
const post = async (body) => {
    const response = await fetch(url, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    return response.json();
};

const ready = async () => {
    for (let tries = 0; tries < 200; tries++) {
        try {
            return await post({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
        } catch {
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }
    throw new Error('anvil did not start');
};

const flatten = (call) => (call.error ? [] :
    [...(call.logs ?? []), ...(call.calls ?? []).flatMap(flatten)]);

// differences lists what of one program is not the same.
const differences = (program, call) => {
    const status = !call.error ? 'success' : /revert/i.test(call.error) ? 'revert' : 'failure';
    const found = [];
    if (status !== program.status) found.push(`status ${program.status}, there ${status} (${call.error})`);
    if (Number(call.gasUsed) !== program.gas) found.push(`gas ${program.gas}, there ${Number(call.gasUsed)}`);
    if ((call.output ?? '0x') !== program.output) found.push(`output ${program.output}, there ${call.output}`);
    const logs = status === 'success' ? flatten(call) : [];
    if (logs.length !== program.logs.length) {
        found.push(`${program.logs.length} logs, there ${logs.length}`);
    } else {
        const sum = (list, data) => list.map(data).sort().join();
        const here = sum(program.logs, (log) => `${log.address}${log.data}${log.topics}`);
        const there = sum(logs, (log) => `${log.address}${log.data}${(log.topics ?? []).length}`);
        if (here !== there) found.push(`logs ${here}, there ${there}`);
    }
    return found;
};

const overrides = (program) => ({
    [target]: { code: program.code },
    [sender]: { balance: '0xde0b6b3a7640000' },
});

// stored is the value of a slot after the call, out of what the call changed.
const stored = (difference, slot) => {
    const key = `0x${slot.toString(16).padStart(64, '0')}`;
    return difference.post?.[target]?.storage?.[key] ?? `0x${'0'.repeat(64)}`;
};

const trace = (batch, tracer, tracerConfig) => post(batch.map((program, id) => ({
    jsonrpc: '2.0',
    id,
    method: 'debug_traceCall',
    params: [
        { from: sender, to: target, data: program.input, gas: `0x${program.gas_limit.toString(16)}`, gasPrice: '0x0' },
        'latest',
        { tracer, tracerConfig, stateOverrides: overrides(program) },
    ],
})));

let total = 0;
let different = 0;
const compare = async (batch) => {
    const calls = await trace(batch, 'callTracer', { withLog: true });
    const changes = await trace(batch, 'prestateTracer', { diffMode: true });
    batch.forEach((program, id) => {
        const call = calls.find((answer) => answer.id === id);
        const change = changes.find((answer) => answer.id === id);
        const error = call.error ?? change.error;
        const found = error ? [`no answer: ${error.message}`] : differences(program, call.result);
        if (!error) {
            program.slots.forEach((value, slot) => {
                const there = stored(change.result, slot);
                if (there !== value) found.push(`slot ${slot} is ${value}, there ${there}`);
            });
        }
        total++;
        if (found.length === 0) return;
        different++;
        if (different <= 20) console.log(`code ${program.code} input ${program.input}: ${found.join('; ')}`);
    });
};

let programs;
try {
    await ready();
    programs = spawn(process.argv[2],
        ['--seed', option('--seed', '1'), '--count', option('--count', '10000'),
            ...(process.argv.includes('--contracts') ? ['--contracts'] : [])],
        { stdio: ['ignore', 'pipe', 'inherit'] });
    let batch = [];
    for await (const line of createInterface({ input: programs.stdout })) {
        batch.push(JSON.parse(line));
        if (batch.length < batchSize) continue;
        await compare(batch);
        batch = [];
    }
    if (batch.length > 0) await compare(batch);
    console.log(`${total} programs, ${different} differences`);
} finally {
    anvil.kill();
    programs?.kill();
}
process.exitCode = different > 0 || total === 0 ? 1 : 0;
