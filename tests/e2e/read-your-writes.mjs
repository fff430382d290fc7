// A client behind the balancer sends a transaction and at once asks for its nonce and itself, later
// for its receipt: no answer may deny what it did.
// usage: read-your-writes.mjs [TRIES]
import { account, call, check, main, network, ok, until } from '../network/library.mjs';
import { Signer } from '../network/load.mjs';

const tries = Number(process.argv[2] ?? 10_000);
const WORKERS = 8;
const PENDING_MAX = 400; // of one sender, below the pool's bound for one account
const net = network();
const denials = [];

async function work(signer, index, count) {
    const { address, privateKey } = account(index);
    let nonce = Number(await call(net.rpc, 'eth_getTransactionCount', [address, 'pending']));
    const waiting = [];
    for (let done = 0; done < count; done++, nonce++) {
        const [{ hash, raw }] = await signer.sign(privateKey, nonce, 1);
        const answer = await call(net.rpc, 'eth_sendRawTransaction', [raw]);
        check(answer === hash, `hash ${answer}, not ${hash}`);
        const [next, transaction] = await Promise.all([
            call(net.rpc, 'eth_getTransactionCount', [address, 'pending']),
            call(net.rpc, 'eth_getTransactionByHash', [hash]),
        ]);
        if (Number(next) < nonce + 1) denials.push(`nonce ${Number(next)} after sending ${nonce}`);
        if (transaction === null) denials.push(`no transaction ${hash}`);
        else if (transaction.hash !== hash || Number(transaction.nonce) !== nonce) {
            denials.push(`another transaction for ${hash}`);
        }
        waiting.push({ hash, nonce });
        while (waiting.length > PENDING_MAX) await receipt(address, waiting.shift());
    }
    for (const one of waiting) await receipt(address, one);
}

/** receipt waits for one; while there is none the transaction must be known, afterwards mined. */
async function receipt(address, { hash, nonce }) {
    const found = await until(`receipt of ${hash}`, 60, async () => {
        const answer = await call(net.rpc, 'eth_getTransactionReceipt', [hash]);
        if (answer) return answer;
        if (await call(net.rpc, 'eth_getTransactionByHash', [hash]) === null) {
            denials.push(`transaction ${hash} was forgotten before its receipt`);
        }
        return null;
    });
    if (found.status !== '0x1') denials.push(`status ${found.status} of ${hash}`);
    const [transaction, next] = await Promise.all([
        call(net.rpc, 'eth_getTransactionByHash', [hash]),
        call(net.rpc, 'eth_getTransactionCount', [address, 'pending']),
    ]);
    if (transaction === null) denials.push(`transaction ${hash} was forgotten after its receipt`);
    if (Number(next) < nonce + 1) denials.push(`nonce ${Number(next)} after the receipt of ${nonce}`);
}

await main('read-your-writes', async () => {
    const signer = new Signer(Number(await call(net.rpc, 'eth_chainId')));
    const share = Math.ceil(tries / WORKERS);
    await Promise.all(Array.from({ length: WORKERS }, (_, index) => work(signer, index + 2, share)));
    signer.close();
    check(denials.length === 0,
          `${denials.length} of ${tries} tries were denied:\n  ${denials.slice(0, 10).join('\n  ')}`);
    ok(`${share * WORKERS} tries: nonce, transaction and receipt were never denied`);
});
