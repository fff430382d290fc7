// Clients that send, read, and write down what they were told, one file each (format: history.mjs).
//
// usage: client.mjs --rpc URL --ws URL --dir DIR --clients N --rate R --first-account A
//
// Each client has one keep-alive connection and asks one thing at a time: it sends a transfer, reads
// the height, the newest block, the receipt of an earlier transfer of its own.  Every fourth also
// listens to newHeads.  "ready" is printed once each has had a transfer acknowledged.  SIGTERM lets
// all finish what they are at.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { account, sleep, until } from '../network/library.mjs';
import { Signer } from '../network/load.mjs';

const { values: options } = parseArgs({ options: {
    rpc: { type: 'string' }, ws: { type: 'string' }, dir: { type: 'string' },
    clients: { type: 'string' }, rate: { type: 'string' }, 'first-account': { type: 'string' },
} });
const count = Number(options.clients);
const period = 1000 * count / Number(options.rate);
const first = Number(options['first-account']);
const CHAIN_ID = 20251;
const AHEAD = 32; // transfers signed at once
const GIVE_UP_MS = 60_000;
const REQUEST_MS = 5_000;
let isStopping = false;
process.on('SIGTERM', () => { isStopping = true; });
process.on('SIGINT', () => { isStopping = true; });

class Client {
    constructor(number, signer) {
        this.name = `client ${number}`;
        this.wallet = account(first + number);
        this.signer = signer;
        this.file = fs.createWriteStream(path.join(options.dir, `client-${number}.jsonl`));
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        this.sockets = new WeakMap();
        this.connections = 0;
        this.nonce = 0;
        this.signed = [];
        this.sent = []; // hashes whose receipt is asked for
    }

    log(operation) {
        this.file.write(`${JSON.stringify({ client: this.name, ...operation })}\n`);
    }

    /** ask gives {connection, start, end, result} or {..., error}; error.code: the node's own. */
    ask(method, params) {
        const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
        const start = Date.now();
        let connection = 0;
        return new Promise((resolve) => {
            const done = (more) => resolve({ connection, start, end: Date.now(), ...more });
            const request = http.request(options.rpc, {
                agent: this.agent, method: 'POST', timeout: REQUEST_MS,
                headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
            }, (reply) => {
                const parts = [];
                reply.on('data', (part) => parts.push(part));
                reply.on('error', (error) => done({ error }));
                reply.on('end', () => {
                    const text = Buffer.concat(parts).toString();
                    if (reply.statusCode !== 200) return done({ error: new Error(text) });
                    const { result, error } = JSON.parse(text);
                    return done(error ? { error } : { result });
                });
            });
            request.on('socket', (socket) => {
                if (!this.sockets.has(socket)) this.sockets.set(socket, ++this.connections);
                connection = this.sockets.get(socket);
            });
            request.on('timeout', () => request.destroy(new Error('no answer')));
            request.on('error', (error) => done({ error }));
            request.end(body);
        });
    }

    /** send sends one transfer until it is acknowledged: the same bytes, however often. */
    async send() {
        if (this.signed.length === 0) {
            this.signed = await this.signer.sign(this.wallet.privateKey, this.nonce, AHEAD);
            this.nonce += AHEAD;
        }
        const { hash, raw } = this.signed.shift();
        const until = Date.now() + GIVE_UP_MS;
        for (;;) {
            const { result, error, ...when } = await this.ask('eth_sendRawTransaction', [raw]);
            let acknowledged = result === hash || error?.message === 'already known';
            if (error?.message === 'nonce too low') { // it was taken by a node that died afterwards
                const again = await this.ask('eth_getTransactionByHash', [hash]);
                acknowledged = again.result?.hash === hash;
            }
            if (acknowledged || Date.now() > until) {
                this.log({ ...when, op: 'send', hash, acknowledged, error: error?.message });
                if (acknowledged) this.sent.push(hash);
                return;
            }
            await sleep(100);
        }
    }

    async read(turn) {
        if (turn % 3 === 0) {
            const { result, error, ...when } = await this.ask('eth_blockNumber', []);
            if (!error) this.log({ ...when, op: 'height', height: Number(result) });
        } else if (turn % 3 === 1) {
            const { result, error, ...when } = await this.ask('eth_getBlockByNumber', ['latest', false]);
            if (error) return;
            this.log({ ...when, op: 'block', height: Number(result.number), hash: result.hash });
        } else if (this.sent.length > 0) {
            const hash = this.sent[this.sent.length > 8 ? this.sent.length - 8 : 0];
            const { result, error, ...when } = await this.ask('eth_getTransactionReceipt', [hash]);
            if (error) return;
            this.log({ ...when, op: 'receipt', hash, height: result ? Number(result.blockNumber) : null });
        }
    }

    /** listen writes newHeads down; connections of this kind are numbered from 1,000,000 on. */
    listen() {
        const connection = 1_000_000 + this.connections++;
        const socket = new WebSocket(options.ws);
        this.socket = socket;
        socket.on('open', () => socket.send(JSON.stringify(
            { jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] })));
        socket.on('message', (data) => {
            const head = JSON.parse(data).params?.result;
            if (!head) return;
            const now = Date.now();
            this.log({ connection, start: now, end: now, op: 'block', height: Number(head.number),
                       hash: head.hash });
        });
        socket.on('error', () => {});
        socket.on('close', () => { if (!isStopping) setTimeout(() => this.listen(), 200); });
    }

    async run(offset) {
        this.nonce = Number(await until('a nonce', GIVE_UP_MS / 1000, async () =>
            (await this.ask('eth_getTransactionCount', [this.wallet.address, 'pending'])).result));
        if (offset % 4 === 0) this.listen();
        const started = Date.now() + offset * period / count;
        for (let turn = 0; !isStopping; turn++) {
            const wait = started + turn * period - Date.now();
            if (wait > 0) await sleep(wait);
            await this.send();
            if (turn === 0) onReady();
            await this.read(turn);
            await this.read(turn + 1);
        }
        this.socket?.terminate();
        await new Promise((resolve) => { this.file.end(resolve); });
        this.agent.destroy();
    }
}

let readyCount = 0;
function onReady() {
    readyCount += 1;
    if (readyCount === count) console.log('ready');
}

const signer = new Signer(CHAIN_ID);
const clients = Array.from({ length: count }, (_, number) => new Client(number, signer));
await Promise.all(clients.map((client, number) => client.run(number)));
signer.close();
process.exit(0);
