// viem through HAProxy, over HTTP and WebSocket.
import fs from 'node:fs';
import path from 'node:path';
import {
    BaseError, ContractFunctionRevertedError, createPublicClient, createWalletClient, defineChain,
    http, webSocket,
} from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { check, main, network, ok, root } from '../network/library.mjs';

const net = network();
const { abi, bytecode } = JSON.parse(
    fs.readFileSync(path.join(root, 'build/e2e/out/Ledger.sol/Ledger.json'), 'utf8'));
const me = mnemonicToAccount('test test test test test test test test test test test junk',
                             { addressIndex: 0 });
const chain = defineChain({
    id: 20251, name: 'ande', nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [net.rpc], webSocket: [net.ws] } },
});

const revertOf = (error) => (error instanceof BaseError
    ? error.walk((one) => one instanceof ContractFunctionRevertedError) : null);

async function through(kind, transport) {
    const client = createPublicClient({ chain, transport, pollingInterval: 100, cacheTime: 0 });
    const wallet = createWalletClient({ chain, transport, account: me });
    check(await client.getChainId() === 20251, `${kind}: chain id`);

    const deployed = await client.waitForTransactionReceipt({
        hash: await wallet.deployContract({ abi, bytecode: bytecode.object, args: [5n] }) });
    const address = deployed.contractAddress;
    const read = (functionName, extra) =>
        client.readContract({ address, abi, functionName, ...extra });
    check(await read('total') === 5n, `${kind}: total after deployment`);

    const heads = [];
    const stopHeads = client.watchBlockNumber({ onBlockNumber: (number) => heads.push(number) });
    let heard;
    const event = new Promise((resolve) => { heard = resolve; });
    const stopEvents = client.watchContractEvent(
        { address, abi, eventName: 'Added', onLogs: (logs) => heard(logs[0]) });
    const { request } = await client.simulateContract(
        { address, abi, functionName: 'add', args: [37n, 'by viem'], account: me });
    const receipt = await client.waitForTransactionReceipt(
        { hash: await wallet.writeContract(request) });
    check(receipt.status === 'success' && receipt.logs.length === 1, `${kind}: receipt`);
    const at = { blockNumber: receipt.blockNumber };
    check(await read('total', at) === 42n, `${kind}: total after add`);
    check((await event).args.note === 'by viem', `${kind}: watched event`);
    stopEvents();
    stopHeads();
    check(heads.length > 0, `${kind}: watched blocks`);
    const logs = await client.getContractEvents({
        address, abi, eventName: 'Added', args: { who: me.address },
        fromBlock: receipt.blockNumber, toBlock: receipt.blockNumber });
    check(logs.length === 1 && logs[0].args.amount === 37n, `${kind}: logs`);

    const refused = async (args) => {
        try {
            await client.simulateContract({ address, abi, functionName: 'add', args, account: me });
        } catch (error) {
            return revertOf(error);
        }
        return null;
    };
    check((await refused([5000n, 'x']))?.data?.errorName === 'TooMuch', `${kind}: custom error`);
    check((await refused([0n, 'x']))?.reason === 'nothing to add', `${kind}: reason`);
    const proof = await client.getProof({ address, storageKeys: [`0x${'0'.repeat(64)}`], ...at });
    check(proof.storageProof[0].value === 42n, `${kind}: proof`);
    const fees = await client.estimateFeesPerGas();
    check(fees.maxFeePerGas > 0n, `${kind}: fees`);
    const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [50] });
    check(history.gasUsedRatio.length > 0, `${kind}: fee history`);
    ok(`viem over ${kind}: deploy, send, call, events, logs, proof, receipt, custom error, reason`);
}

await main('viem', async () => {
    await through('HTTP', http(net.rpc));
    await through('WebSocket', webSocket(net.ws));
});
