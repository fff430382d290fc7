// Runs the transitions of go-ethereum's t8n vectors, each with the fork, inputs and outputs that its
// readme (or the suite's own table) names, and compares exit code, standard output and traces.
import { spawnSync } from 'node:child_process';
import { readFileSync, mkdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';

const [baton, suite, scratch] = process.argv.slice(2);

// folder, fork, expected output or exit code; where not the usual: inputs, outputs, reward.
const CASES = [
    { at: 3, fork: 'Berlin', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 4, fork: 'Berlin', exit: 4 },
    { at: 5, fork: 'Byzantium', reward: '0x80', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 13, fork: 'London', expect: 'exp.json', outputs: ['body'] },
    { at: 13, fork: 'London', txs: 'signed_txs.rlp', expect: 'exp2.json', outputs: ['result'] },
    { at: 14, fork: 'London', expect: 'exp.json', outputs: ['result'] },
    { at: 14, fork: 'London', env: 'env.uncles.json', expect: 'exp2.json', outputs: ['result'] },
    { at: 14, fork: 'Berlin', env: 'env.uncles.json', expect: 'exp_berlin.json', outputs: ['result'] },
    { at: 19, fork: 'London', expect: 'exp_london.json', outputs: ['result'] },
    { at: 19, fork: 'ArrowGlacier', expect: 'exp_arrowglacier.json', outputs: ['result'] },
    { at: 19, fork: 'GrayGlacier', expect: 'exp_grayglacier.json', outputs: ['result'] },
    { at: 23, fork: 'Berlin', expect: 'exp.json', outputs: ['result'] },
    { at: 24, fork: 'Merge', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 24, fork: 'Merge', env: 'env-missingrandom.json', exit: 3 },
    { at: 25, fork: 'Merge', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 26, fork: 'Shanghai', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 28, fork: 'Cancun', txs: 'txs.rlp', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 29, fork: 'Cancun', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 30, fork: 'Cancun', txs: 'txs_more.rlp', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 31, fork: 'Cancun', traces: [
        'trace-0-0x88f5fbd1524731a81e49f637aa847543268a5aaf2a6b32a69d2c6d978c45dcfb.jsonl',
        'trace-1-0x03a7b0a91e61a170d64ea94b8263641ef5a8bbdb10ac69f466083a6789c77fb8.jsonl',
        'trace-2-0xd96e0ce6418ee3360e11d3c7b6886f5a9a08f7ef183da72c23bb3b2374530128.jsonl',
    ] },
    { at: 33, fork: 'Prague', expect: 'exp.json', outputs: ['alloc', 'result'] },
    { at: 34, fork: 'Osaka', expect: 'exp.json', outputs: ['alloc', 'result'] },
];

// The tools beside it: t9n judges transactions, b11r puts blocks together (unsealed: 21's block of
// proof of authority is left out).
const OTHERS = [
    { tool: 't9n', at: 15, fork: 'Homestead', expect: 'exp.json' },
    { tool: 't9n', at: 15, fork: 'London', expect: 'exp2.json' },
    { tool: 't9n', at: 15, fork: 'London', txs: 'blockheader.rlp', expect: 'exp3.json' },
    { tool: 't9n', at: 16, fork: 'London', expect: 'exp.json' },
    { tool: 't9n', at: 17, fork: 'London', expect: 'exp.json' },
    { tool: 't9n', at: 18, fork: 'London', txs: 'invalid.rlp', exit: 11 },
    { tool: 'b11r', at: 20, expect: 'exp.json' },
    { tool: 'b11r', at: 21, expect: 'exp.json' },
    { tool: 'b11r', at: 27, expect: 'exp.json', withdrawals: 'withdrawals.json' },
];

// differences lists the paths of what is expected and not there, or another value.  The words of a
// rejection are each program's own.
function differences(wanted, got, path, found) {
    if (path.endsWith('.error')) {
        if (!got) found.push(`${path}: wanted ${wanted}`);
        return found;
    }
    if (wanted === null || typeof wanted !== 'object') {
        const nothing = (value) => value === null || value === undefined;
        if (wanted !== got && !(nothing(wanted) && nothing(got))) {
            found.push(`${path}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
        }
        return found;
    }
    if (got === null || typeof got !== 'object' || Array.isArray(wanted) !== Array.isArray(got)) {
        found.push(`${path}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
        return found;
    }
    for (const key of Object.keys(wanted)) differences(wanted[key], got[key], `${path}.${key}`, found);
    // what is more than expected matters in lists and in the state
    const isExact = Array.isArray(wanted) || path.startsWith('output.alloc');
    for (const key of isExact || 'hash' in wanted ? Object.keys(got) : []) {
        if (!(key in wanted)) found.push(`${path}.${key}: not wanted, got ${JSON.stringify(got[key])}`);
    }
    return found;
}

function runOther(one) {
    const input = (name) => join(suite, String(one.at), name);
    const flags = one.tool === 't9n'
        ? ['--input.txs', input(one.txs ?? 'signed_txs.rlp'), '--state.fork', one.fork]
        : ['--input.header', input('header.json'), '--input.txs', input('txs.rlp'),
            '--input.ommers', input('ommers.json'),
            ...(one.withdrawals ? [`--input.withdrawals=${input(one.withdrawals)}`] : [])];
    return spawnSync(baton, [one.tool, ...flags], { encoding: 'utf8' });
}

function run(one, folder) {
    const input = (name) => join(suite, String(one.at), name);
    const outputs = one.outputs ?? ['result'];
    return spawnSync(baton, ['t8n',
        '--input.alloc', input('alloc.json'), '--input.env', input(one.env ?? 'env.json'),
        '--input.txs', input(one.txs ?? 'txs.json'), '--state.fork', one.fork,
        `--state.reward=${one.reward ?? '0'}`, '--output.basedir', folder,
        ...['alloc', 'result', 'body'].map((name) =>
            `--output.${name}=${outputs.includes(name) ? 'stdout' : ''}`),
        ...(one.traces ? ['--trace'] : [])], { encoding: 'utf8' });
}

function check(one, folder) {
    const process_ = one.tool ? runOther(one) : run(one, folder);
    if (process_.status !== (one.exit ?? 0)) {
        return [`exit code ${process_.status}, wanted ${one.exit ?? 0}: ${process_.stderr}`];
    }
    const found = [];
    if (one.expect) {
        const wanted = JSON.parse(readFileSync(join(suite, String(one.at), one.expect), 'utf8'));
        differences(wanted, JSON.parse(process_.stdout), 'output', found);
    }
    for (const name of one.traces ?? []) {
        const path = join(folder, name);
        const wanted = readFileSync(join(suite, String(one.at), name), 'utf8');
        if (!existsSync(path)) found.push(`${name} is not written`);
        else if (readFileSync(path, 'utf8') !== wanted) found.push(`${name} differs`);
    }
    return found;
}

let passed = 0;
let failed = 0;
[...CASES, ...OTHERS].forEach((one, index) => {
    const name = `${one.tool ?? 't8n'}/${one.at} ${one.fork ?? ''} ${one.expect ?? one.env ?? ''}`.trim();
    const folder = join(scratch, `out-${index}`);
    mkdirSync(folder);
    const found = check(one, folder);
    if (found.length === 0) {
        passed++;
        return;
    }
    failed++;
    console.log(`FAIL ${name}: ${found.slice(0, 3).join('; ')}`);
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
