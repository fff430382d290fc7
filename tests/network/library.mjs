// What the network tests share: JSON-RPC by fetch, the test accounts, checks, the network's place.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ethers } from 'ethers';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const MNEMONIC = 'test test test test test test test test test test test junk';

/** Where the network under test is: out of what tests/network/network.sh exports. */
export function network() {
    const offset = Number(process.env.TESTNET_PORTS_OFFSET ?? 0);
    const dir = process.env.TESTNET_DIR ?? path.join(root, 'testnet-data');
    const settings = Object.fromEntries(fs.readFileSync(path.join(dir, 'settings'), 'utf8')
        .trim().split('\n').map((line) => line.split('=')));
    const count = Number(settings.validators);
    const local = (port) => `http://127.0.0.1:${port + offset}`;
    return {
        dir, count, offset,
        blockTimeMs: Number(settings.block_time_ms),
        rpc: local(8080),
        ws: `ws://127.0.0.1:${8080 + offset}`,
        l1: local(9545),
        da: local(offset === 0 ? 26658 : 9700),
        prometheus: local(9093),
        nodes: Array.from({ length: count }, (_, index) => local(8545 + 2 * index)),
    };
}

/** testnet runs a command of scripts/testnet on the network under test. */
export function testnet(...argv) {
    return execFileSync(path.join(root, 'scripts/testnet'), [...argv, '--dir', network().dir],
                        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** pidOf reads the process id of a service of the network. */
export function pidOf(name) {
    const file = path.join(network().dir, 'run', `${name}.pid`);
    return Number(fs.readFileSync(file, 'utf8').split(' ')[0]);
}

export class RpcError extends Error {
    constructor(method, error) {
        super(`${method}: ${error.message} (${error.code})`);
        Object.assign(this, { code: error.code, data: error.data, text: error.message });
    }
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

/** post sends a body and gives back {status, text}; once more where the server had just closed the
 *  connection that the request went to. */
export function post(url, body, timeoutMs = 15_000) {
    return new Promise((resolve, reject) => {
        const request = http.request(url, {
            agent, method: 'POST', timeout: timeoutMs,
            headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        }, (reply) => {
            const parts = [];
            reply.on('data', (part) => parts.push(part));
            reply.on('error', reject);
            reply.on('end', () => resolve({
                status: reply.statusCode, headers: reply.headers, text: Buffer.concat(parts).toString(),
            }));
        });
        request.on('timeout', () => request.destroy(new Error(`no answer after ${timeoutMs} ms`)));
        request.on('error', (error) => {
            if (request.reusedSocket && error.code === 'ECONNRESET') {
                resolve(post(url, body, timeoutMs));
            } else {
                reject(error);
            }
        });
        request.end(body);
    });
}

/** call asks once; retries: how often a failed transport (never an answer) is tried again. */
export async function call(url, method, params = [], { retries = 0, timeoutMs = 15_000 } = {}) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    for (let attempt = 0; ; attempt++) {
        try {
            const { status, text } = await post(url, body, timeoutMs);
            if (status !== 200) throw new Error(`HTTP ${status}: ${text.slice(0, 200)}`);
            const answer = JSON.parse(text);
            if (answer.error) throw new RpcError(method, answer.error);
            return answer.result;
        } catch (error) {
            if (error instanceof RpcError || attempt >= retries) throw error;
        }
    }
}

export const hex = (number) => `0x${BigInt(number).toString(16)}`;
export const height = async (url) => Number(await call(url, 'eth_blockNumber'));
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** until polls `condition` and returns what it returned once that is truthy. */
export async function until(what, seconds, condition, pollMs = 100) {
    const deadline = Date.now() + seconds * 1000;
    let last;
    for (;;) {
        try {
            const value = await condition();
            if (value) return value;
        } catch (error) {
            last = error;
        }
        if (Date.now() > deadline) {
            throw new Error(`${what}: not after ${seconds} s${last ? ` (${last.message})` : ''}`);
        }
        await sleep(pollMs);
    }
}

/** account is the index-th of the test mnemonic, as an ethers wallet. */
export function account(index) {
    return ethers.HDNodeWallet.fromPhrase(MNEMONIC, undefined, `m/44'/60'/0'/0/${index}`);
}

export function check(condition, what) {
    if (!condition) throw new Error(`FAILED: ${what}`);
}
export const ok = (what) => console.log(`ok: ${what}`);

/** artifact builds one of tests/e2e's contracts with the repository's solc. */
export function artifact(name) {
    const out = path.join(root, 'contracts/out', `${name}.sol`, `${name}.json`);
    return JSON.parse(fs.readFileSync(out, 'utf8'));
}

/** main runs a test: prints what failed, ends with its exit code. */
export async function main(name, run) {
    const started = Date.now();
    try {
        await run();
        console.log(`${name}: passed after ${((Date.now() - started) / 1000).toFixed(1)} s`);
        process.exit(0);
    } catch (error) {
        console.error(`${name}: ${error.stack ?? error}`);
        process.exit(1);
    }
}
