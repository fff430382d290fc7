// Sends every request of the Execution API's .io files to a node that serves the suite's chain, and
// holds the responses against those of the files.
//
// The suite's own rule: responses are equal as JSON once error.message is dropped.  Files with a
// `speconly` comment only fix the kind of the answer: a result of the same shape, or an error.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [url, suite, server] = process.argv.slice(2);
const READY_MS = 30_000;

// What the node does not offer, with the reason that the summary names: whole methods, or files.
const OLD_STATE = 'blocks are simulated on the latest block: older states have no trie here';
const SKIPPED_FILES = {
    'eth_simulateV1/ethSimulate-empty-with-block-num-set-firstblock.io': OLD_STATE,
    'eth_simulateV1/ethSimulate-empty-with-block-num-set-minusone.io': OLD_STATE,
};
const SKIPPED = {
    testing_buildBlockV1: 'blocks are built by consensus alone',
    eth_sendRawTransaction: 'an imported chain has no pool',
    txpool_content: 'an imported chain has no pool',
};

function isAlive(pid) {
    try {
        process.kill(Number(pid), 0);
        return true;
    } catch {
        return false;
    }
}

async function send(body) {
    const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
    });
    return response.json();
}

async function waitUntilReady() {
    const until = Date.now() + READY_MS;
    const body = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}';
    for (;;) {
        try {
            return await send(body);
        } catch (error) {
            if (Date.now() > until || !isAlive(server)) {
                throw new Error('the node does not answer', { cause: error });
            }
        }
        await new Promise((done) => setTimeout(done, 50));
    }
}

function withoutMessage(response) {
    if (!response.error) return response;
    const { message, ...error } = response.error;
    return { ...response, error };
}

// difference names the first path at which two values differ, or nothing.
function difference(wanted, got, path) {
    const isObject = (value) => value !== null && typeof value === 'object';
    if (!isObject(wanted) || !isObject(got) || Array.isArray(wanted) !== Array.isArray(got)) {
        if (wanted === got) return undefined;
        return `${path}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`;
    }
    for (const key of new Set([...Object.keys(wanted), ...Object.keys(got)])) {
        const found = difference(wanted[key], got[key], `${path}.${key}`);
        if (found !== undefined) return found;
    }
    return undefined;
}

// Keys that their schema makes optional, and that only a node with something to say there has.
const OPTIONAL = new Set(['deleteStrategy']);

// shape reduces a value to types and keys.
function shape(value) {
    if (Array.isArray(value)) return value.length > 0 ? [shape(value[0])] : [];
    if (value === null || typeof value !== 'object') return typeof value;
    const keys = Object.keys(value).filter((key) => !OPTIONAL.has(key));
    return Object.fromEntries(keys.map((key) => [key, shape(value[key])]));
}

function compare(wanted, got, isSpecOnly) {
    if (!isSpecOnly) return difference(withoutMessage(wanted), withoutMessage(got), 'response');
    if (('error' in wanted) !== ('error' in got)) {
        return `wanted ${'error' in wanted ? 'an error' : 'a result'}, got ${JSON.stringify(got)}`;
    }
    if ('error' in wanted) return undefined;
    return difference(shape(wanted.result), shape(got.result), 'shape of result');
}

// roundTrips reads a file's requests and responses.
function roundTrips(text) {
    const trips = [];
    for (const line of text.split('\n')) {
        if (line.startsWith('>> ')) trips.push({ request: line.slice(3) });
        if (line.startsWith('<< ')) trips.at(-1).response = JSON.parse(line.slice(3));
    }
    return trips;
}

async function runFile(name) {
    const text = readFileSync(join(suite, 'tests', name), 'utf8');
    const isSpecOnly = /^\/\/.*speconly/m.test(text);
    const trips = roundTrips(text);
    if (trips.length === 0) return 'no request in the file';
    for (const { request, response } of trips) {
        const found = compare(response, await send(request), isSpecOnly);
        if (found !== undefined) return found;
    }
    return undefined;
}

await waitUntilReady();
const skipped = new Map();
let passed = 0;
let failed = 0;
for (const method of readdirSync(join(suite, 'tests')).sort()) {
    for (const file of readdirSync(join(suite, 'tests', method)).sort()) {
        if (!file.endsWith('.io')) continue;
        const name = join(method, file);
        const reason = SKIPPED_FILES[name] ?? SKIPPED[method];
        if (reason !== undefined) {
            skipped.set(`${method}: ${reason}`, (skipped.get(`${method}: ${reason}`) ?? 0) + 1);
            continue;
        }
        const found = await runFile(name);
        if (found === undefined) {
            passed += 1;
        } else {
            failed += 1;
            console.log(`FAIL ${name}: ${found}`);
        }
    }
}
for (const [reason, count] of skipped) console.log(`skipped ${count} of ${reason}`);
const skippedCount = [...skipped.values()].reduce((sum, count) => sum + count, 0);
console.log(`${passed} passed, ${failed} failed, ${skippedCount} skipped`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
