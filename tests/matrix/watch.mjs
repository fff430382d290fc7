// Watching heads: who saw which block when, and how long nobody saw a new one.
import WebSocket from 'ws';
import { call, sleep } from '../network/library.mjs';

/** HeadWatch listens to newHeads of one node and connects again when it is gone. */
export class HeadWatch {
    constructor(url) {
        Object.assign(this, { url, seen: [], isRunning: true });
        this.#connect();
    }

    #connect() {
        const socket = new WebSocket(this.url, { handshakeTimeout: 1000 });
        this.socket = socket;
        socket.on('open', () => socket.send(JSON.stringify(
            { jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] })));
        socket.on('message', (data) => {
            const head = JSON.parse(data).params?.result;
            if (head) this.seen.push({ height: Number(head.number), at: performance.now() });
        });
        socket.on('error', () => {});
        socket.on('close', () => { if (this.isRunning) setTimeout(() => this.#connect(), 50); });
    }

    stop() {
        this.isRunning = false;
        this.socket.terminate();
    }
}

/** PollWatch asks the balancer for the height every few milliseconds. */
export class PollWatch {
    constructor(url, periodMs = 20) {
        Object.assign(this, { url, seen: [], isRunning: true });
        this.done = this.#run(periodMs);
    }

    async #run(periodMs) {
        let last = -1;
        while (this.isRunning) {
            const answer = await call(this.url, 'eth_blockNumber', [], { timeoutMs: 2000 })
                .catch(() => null);
            const now = answer === null ? last : Number(answer);
            if (now > last) this.seen.push({ height: now, at: performance.now() });
            last = Math.max(last, now);
            await sleep(periodMs);
        }
    }

    stop() {
        this.isRunning = false;
    }
}

/** growth merges what watches saw into the moments at which anybody first saw a higher block. */
function growth(watches) {
    const all = watches.flatMap(({ seen }) => seen).sort((a, b) => a.at - b.at);
    const grown = [];
    for (const one of all) {
        if (grown.length === 0 || one.height > grown.at(-1).height) grown.push(one);
    }
    return grown;
}

/** gap is the longest time without a new block that reaches beyond `since`, up to `until`. */
export function gap(watches, since, until = performance.now()) {
    const grown = growth(watches).filter(({ at }) => at <= until);
    let longest = 0;
    for (let i = 1; i < grown.length; i++) {
        if (grown[i].at < since) continue;
        longest = Math.max(longest, grown[i].at - grown[i - 1].at);
    }
    if (grown.length > 0) longest = Math.max(longest, until - grown.at(-1).at);
    return longest;
}

export const highest = (watches) => growth(watches).at(-1)?.height ?? -1;

/** quantiles gives {runs, p50, p99, worst} of milliseconds, by the nearest-rank method. */
export function quantiles(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const rank = (q) => Math.round(sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN);
    return { runs: sorted.length, p50_ms: rank(0.5), p99_ms: rank(0.99), worst_ms: rank(1) };
}
