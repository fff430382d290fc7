// A load of transfers at a rate, through the balancer, that remembers what was acknowledged.
import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { account, call, hex, root, sleep } from './library.mjs';

const SENDERS = 8; // accounts 2 to 9: the first two are left to the tests
const AHEAD = 64;  // transfers signed at once for one sender

/** Signer runs tests/bench/sign_transfers: signatures in C, so that JavaScript can keep the rate. */
export class Signer {
    constructor(chainId) {
        const program = path.join(
            path.dirname(process.env.BATON ?? path.join(root, 'build/release/baton')),
            'sign_transfers');
        this.child = spawn(program, [String(chainId)], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
        this.turn = Promise.resolve();
    }

    /** sign gives `count` transfers of a key from `nonce` on: [{hash, raw}]. */
    sign(secret, nonce, count) {
        const result = this.turn.then(async () => {
            this.child.stdin.write(`${secret} ${nonce} ${count}\n`);
            const transfers = [];
            while (transfers.length < count) {
                const { value, done } = await this.lines.next();
                if (done) throw new Error('sign_transfers ended');
                const [hash, raw] = value.split(' ');
                transfers.push({ hash, raw });
            }
            return transfers;
        });
        this.turn = result.catch(() => {});
        return result;
    }

    close() {
        this.child.stdin.end();
    }
}

/** Load sends until stop(); acknowledged: the hashes that were answered, with when. */
export class Load {
    constructor(network, rate) {
        Object.assign(this, { network, rate, isRunning: false, sent: 0, retried: 0 });
        this.acknowledged = new Map();
        this.failures = []; // requests that failed even when tried once more
        this.senders = [];
    }

    async start() {
        this.signer = new Signer(Number(await call(this.network.rpc, 'eth_chainId')));
        for (let index = 2; index < 2 + SENDERS; index++) {
            const { address, privateKey } = account(index);
            const nonce = Number(await call(this.network.rpc, 'eth_getTransactionCount',
                                            [address, 'pending']));
            this.senders.push({ secret: privateKey, address, nonce, ready: [] });
        }
        this.isRunning = true;
        this.done = this.#run();
    }

    async stop() {
        this.isRunning = false;
        await this.done;
        this.signer.close();
    }

    /** again sends once more what failed, as a client does. */
    async again() {
        for (const { hash, raw } of this.failures.splice(0)) {
            await call(this.network.rpc, 'eth_sendRawTransaction', [raw]).catch((error) => {
                if (!['already known', 'nonce too low'].includes(error.text)) throw error;
            });
            this.acknowledged.set(hash, Date.now());
        }
    }

    async #run() {
        const started = Date.now();
        const flying = new Set();
        for (let sent = 0; this.isRunning; sent++) {
            await sleep(Math.max(0, started + sent * 1000 / this.rate - Date.now()));
            const sender = this.senders[sent % this.senders.length];
            if (sender.ready.length === 0) {
                sender.ready = await this.signer.sign(sender.secret, sender.nonce, AHEAD);
                sender.nonce += AHEAD;
            }
            const one = this.#send(sender, sender.ready.shift()).finally(() => flying.delete(one));
            flying.add(one);
        }
        await Promise.all(flying);
    }

    async #send(sender, { hash, raw }) {
        this.sent += 1;
        for (let attempt = 0; attempt < 2; attempt++) {
            try {
                const answer = await call(this.network.rpc, 'eth_sendRawTransaction', [raw]);
                if (answer !== hash) throw new Error(`hash ${answer}, not ${hash}`);
                this.acknowledged.set(hash, Date.now());
                return;
            } catch (error) {
                // HAProxy or this loop asked again after a node died that had taken it: it is in a
                // pool, or in a block already, and so was acknowledged after all.
                if (error.text === 'already known' || (error.text === 'nonce too low' &&
                    await call(this.network.rpc, 'eth_getTransactionByHash', [hash], { retries: 1 }))) {
                    this.acknowledged.set(hash, Date.now());
                    return;
                }
                if (attempt === 0) this.retried += 1;
                else this.failures.push({ hash, raw, from: sender.address, error: error.message });
            }
        }
    }
}

/** where finds every hash of `hashes` in the blocks from..to of one node: hash -> [number...]. */
export async function where(url, from, to) {
    const places = new Map();
    for (let number = from; number <= to; number++) {
        const block = await call(url, 'eth_getBlockByNumber', [hex(number), false]);
        for (const hash of block.transactions) {
            if (!places.has(hash)) places.set(hash, []);
            places.get(hash).push(`${number}:${block.hash}`);
        }
    }
    return places;
}
