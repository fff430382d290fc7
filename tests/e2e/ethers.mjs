// ethers 6 through HAProxy, over HTTP and WebSocket.
import fs from 'node:fs';
import path from 'node:path';
import { ethers } from 'ethers';
import { account, check, main, network, ok, root } from '../network/library.mjs';

const net = network();
const { abi, bytecode } = JSON.parse(
    fs.readFileSync(path.join(root, 'build/e2e/out/Ledger.sol/Ledger.json'), 'utf8'));

async function through(kind, provider) {
    const wallet = new ethers.NonceManager(account(0).connect(provider));
    const { chainId } = await provider.getNetwork();
    check(chainId === 20251n, `${kind}: chain id ${chainId}`);

    const factory = new ethers.ContractFactory(abi, bytecode.object, wallet);
    const ledger = await factory.deploy(5);
    await ledger.waitForDeployment();
    check(await ledger.total() === 5n, `${kind}: total after deployment`);

    const heard = kind === 'WebSocket' ? new Promise((resolve) => {
        ledger.once('Added', (who, amount, note) => resolve({ who, amount, note }));
    }) : null;
    const sent = await ledger.add(37, 'by ethers');
    const receipt = await sent.wait();
    check(receipt.status === 1 && receipt.logs.length === 1, `${kind}: receipt`);
    check((await ledger.total({ blockTag: receipt.blockNumber })) === 42n, `${kind}: total after add`);
    const events = await ledger.queryFilter(
        ledger.filters.Added(account(0).address), receipt.blockNumber, receipt.blockNumber);
    check(events.length === 1 && events[0].args.note === 'by ethers', `${kind}: logs`);
    if (heard) {
        const event = await heard;
        check(event.amount === 37n, `${kind}: subscription to logs`);
        const block = await new Promise((resolve) => { provider.once('block', resolve); });
        check(block >= receipt.blockNumber, `${kind}: subscription to blocks`);
    }
    try {
        await ledger.add.staticCall(5000, 'x');
        check(false, `${kind}: a call that reverts succeeded`);
    } catch (error) {
        check(error.revert?.name === 'TooMuch' && error.revert.args[1] === 1000n,
              `${kind}: custom error: ${error.message}`);
    }
    try {
        await ledger.add(0, 'x');
        check(false, `${kind}: a transaction that reverts was sent`);
    } catch (error) {
        check(error.reason === 'nothing to add', `${kind}: reason: ${error.message}`);
    }
    const proof = await provider.send('eth_getProof', [ledger.target, ['0x0'], 'latest']);
    check(BigInt(proof.storageProof[0].value) === 42n, `${kind}: proof`);
    const fees = await provider.getFeeData();
    check(fees.maxFeePerGas > 0n, `${kind}: fee data`);
    const block = await provider.getBlock(receipt.blockNumber, true);
    check(block.prefetchedTransactions.some(({ hash }) => hash === receipt.hash), `${kind}: block`);
    ok(`ethers over ${kind}: deploy, send, call, logs, proof, receipt, custom error, reason`);
}

await main('ethers', async () => {
    const http = new ethers.JsonRpcProvider(net.rpc, undefined, { cacheTimeout: -1 });
    http.pollingInterval = 100;
    await through('HTTP', http);
    const socket = new ethers.WebSocketProvider(net.ws);
    await through('WebSocket', socket);
    await socket.destroy();
});
