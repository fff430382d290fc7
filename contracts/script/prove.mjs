// Proves to the coordinator that a requested transaction is in the rollup.  scripts/prove-inclusion
// has the usage.
import { ethers } from 'ethers';
import {
    UserError, artifact, connect, loadKey, main, parseOptions, readJson, required,
} from './common.mjs';
import { headerRlp, proveTransaction, rawTransaction } from './trie.mjs';

const KNOWN = {
    'rpc-url': { env: 'CONSENSUS_RPC_URL' },
    'rollup-rpc-url': {},
    'addresses': { env: 'CONSENSUS_ADDRESSES_FILE' },
    'private-key-file': { env: 'CONSENSUS_PRIVATE_KEY_FILE' },
    'id': {},
};
const STATUS_PENDING = 1n;

/** settledBlockFrom finds the first last-of-batch block that is not before `number`. */
async function settledBlockFrom(coordinator, deployBlock, number) {
    const events = await coordinator.queryFilter('BatchSubmitted', deployBlock);
    const ends = events.map((event) => event.args.lastBlock).filter((end) => end >= number);
    if (ends.length === 0) throw new UserError(`block ${number} is not settled yet`);
    return ends.reduce((a, b) => (a < b ? a : b));
}

main('prove-inclusion', async (argv) => {
    const options = parseOptions(argv, KNOWN);
    const addresses = readJson(required(options, KNOWN, 'addresses'));
    const { provider, chainId } = await connect(required(options, KNOWN, 'rpc-url'));
    const rollup = (await connect(required(options, KNOWN, 'rollup-rpc-url'))).provider;
    const wallet = loadKey(required(options, KNOWN, 'private-key-file'), chainId).connect(provider);
    const id = BigInt(required(options, KNOWN, 'id'));
    const coordinator = new ethers.Contract(
        addresses.coordinator, artifact('AndeSequencerCoordinator').abi, wallet);

    const request = await coordinator.forceInclusions(id);
    if (request.status !== STATUS_PENDING) throw new UserError(`request ${id} is not pending`);
    const found = await rollup.send('eth_getTransactionByHash', [request.txHash]);
    if (!found?.blockNumber) throw new UserError(`${request.txHash} is in no block of the rollup`);
    const first = BigInt(found.blockNumber);
    const last = await settledBlockFrom(coordinator, addresses.deploy_block, first);

    const block = await rollup.send('eth_getBlockByNumber', [found.blockNumber, true]);
    const index = Number(found.transactionIndex);
    const { root, proof } = proveTransaction(block.transactions.map(rawTransaction), index);
    if (root !== block.transactionsRoot) throw new Error('the transactions do not give their root');
    const headers = [headerRlp(block)];
    for (let number = first + 1n; number <= last; number++) {
        headers.push(headerRlp(await rollup.send('eth_getBlockByNumber',
                                                 [ethers.toQuantity(number), false])));
    }
    const sent = await coordinator.proveForceInclusion(id, headers, index, proof);
    const receipt = await sent.wait();
    console.log(`request ${id}: ${request.txHash} is transaction ${index} of block ${first}, ` +
                `settled with block ${last}; proved with ${receipt.gasUsed} gas`);
});
