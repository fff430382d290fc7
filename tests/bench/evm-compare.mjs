// Runs the programs that bench_evm timed on revm, through anvil's eth_call with the same code, and
// prints gas per second of both, their ratio and the geometric mean of the ratios.
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
const target = '0x000000000000000000000000000000000000c0de';
const gas = '0xffffffffff';
const url = `http://127.0.0.1:${port}`;

const anvil = spawn(option('--anvil', 'contracts/node_modules/.bin/anvil'),
    ['--port', String(port), '--silent', '--no-mining', '--gas-limit', '1099511627775',
        '--code-size-limit', '1000000', '--no-request-size-limit', '--hardfork', 'prague'],
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

// fastest returns the cheapest of several calls, in nanoseconds.
const fastest = async (code, input, count) => {
    const params = [{ to: target, data: input, gas }, 'latest', { [target]: { code } }];
    let best = Infinity;
    let failed = null;
    const end = Date.now() + 4000;
    for (let run = 0; run < count && (run < 3 || Date.now() < end); run++) {
        const start = processorTime();
        const answer = await rpc('eth_call', params);
        const time = processorTime() - start;
        if (answer.error) failed = answer.error.message;
        if (time < best) best = time;
    }
    return { best, failed };
};

const programs = [];
for await (const line of createInterface({ input: process.stdin })) programs.push(JSON.parse(line));
let logs = 0;
let count = 0;
const speed = (program, ns) => (1000 * program.gas / ns).toFixed(0).padStart(9);
try {
    await ready();
    console.log('program'.padEnd(40), 'gas'.padStart(12), 'Mgas/s'.padStart(9), 'revm'.padStart(9), 'ratio'.padStart(7));
    for (const program of programs) {
        const { best, failed } = await fastest(program.code, program.input, runs);
        // The same code behind a STOP: everything but the program itself.
        const idle = await fastest(`0x00${program.code.slice(2)}`, program.input, 4 * runs);
        const ns = best - idle.best;
        const name = program.name.padEnd(40);
        if ((failed !== null) !== (program.status !== 'success')) {
            console.log(name, `outcomes differ: ${program.status} here, ${failed ?? 'success'} there`);
        } else if (ns < 100000) {
            console.log(name, String(program.gas).padStart(12), speed(program, program.ns), '   too short to measure there');
        } else {
            const ratio = ns / program.ns;
            logs += Math.log(ratio);
            count++;
            console.log(name, String(program.gas).padStart(12), speed(program, program.ns), speed(program, ns), ratio.toFixed(2).padStart(7));
        }
    }
    console.log(`geometric mean of ${count} ratios: ${Math.exp(logs / count).toFixed(2)}`);
} finally {
    anvil.kill();
}
