// Prepares what scripts/prove-inclusion is tried on: a rollup (an anvil of its own) whose block 2
// holds transactions of all types, requests for two of them and for one that is nowhere, and a
// settled batch that ends two blocks later.  Called by tests/contracts/test-deployment:
//
//   node inclusion.mjs L1_URL ROLLUP_URL ADDRESSES KEYFILE...  (the keys of all active validators)
import { ethers } from 'ethers';
import { artifact, connect, loadKey, main, readJson } from '../script/common.mjs';

const DEVELOPMENT_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const TRANSACTIONS_COUNT = 150; // rlp(127) = 7f and rlp(128) = 8180: keys of two lengths
const BATCH_TYPES = {
    Batch: [
        ['firstBlock', 'uint64'], ['lastBlock', 'uint64'], ['parentHash', 'bytes32'],
        ['lastBlockHash', 'bytes32'], ['stateRoot', 'bytes32'], ['daHeight', 'uint64'],
        ['daCommitment', 'bytes32'],
    ].map(([name, type]) => ({ name, type })),
};

/** fillBlock sends transactions of every type that the rollup takes and mines them as one block. */
async function fillBlock(rollup, wallet) {
    const to = ethers.getAddress('0x' + '12'.repeat(20));
    const fees = { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n };
    const accessList = [{ address: to, storageKeys: [ethers.ZeroHash] }];
    const authorization = await wallet.authorize({ address: to, nonce: 5000, chainId: 0 });
    const shapes = [
        { type: 0, gasPrice: 10n ** 11n },
        { type: 1, gasPrice: 10n ** 11n, accessList },
        { type: 2, ...fees, data: '0x' + 'ab'.repeat(300), accessList },
        { type: 4, ...fees, authorizationList: [authorization] },
    ];
    const hashes = [];
    for (let nonce = 0; nonce < TRANSACTIONS_COUNT; nonce++) {
        const raw = await wallet.signTransaction({
            ...shapes[nonce % shapes.length], to, nonce, value: BigInt(nonce), chainId: 9001,
            gasLimit: 100_000,
        });
        hashes.push({ raw, hash: await rollup.send('eth_sendRawTransaction', [raw]) });
    }
    await rollup.send('evm_mine', []);
    return hashes;
}

main('inclusion', async ([l1Url, rollupUrl, addressesFile, ...keyFiles]) => {
    const addresses = readJson(addressesFile);
    const { provider, chainId } = await connect(l1Url);
    const rollup = (await connect(rollupUrl)).provider;
    const wallet = new ethers.Wallet(DEVELOPMENT_KEY);
    await rollup.send('evm_mine', []);
    const sent = await fillBlock(rollup, wallet);
    for (let block = 0; block < 2; block++) await rollup.send('evm_mine', []);

    const coordinator = new ethers.Contract(
        addresses.coordinator, artifact('AndeSequencerCoordinator').abi, wallet.connect(provider));
    const nowhere = await wallet.signTransaction(
        { type: 2, nonce: 9999, chainId: 9001, gasLimit: 21000, to: wallet.address });
    const value = await coordinator.FORCE_INCLUSION_BOND();
    for (const raw of [sent[3].raw, sent[TRANSACTIONS_COUNT - 2].raw, nowhere]) {
        await (await coordinator.requestForceInclusion(raw, { value })).wait();
    }

    const genesis = await rollup.send('eth_getBlockByNumber', ['0x0', false]);
    const last = await rollup.send('eth_getBlockByNumber', ['latest', false]);
    const batch = {
        firstBlock: 1n, lastBlock: BigInt(last.number), parentHash: genesis.hash,
        lastBlockHash: last.hash, stateRoot: last.stateRoot, daHeight: 1n,
        daCommitment: ethers.id('commitment'),
    };
    const domain = { name: 'AndeSequencerCoordinator', version: '1', chainId,
                     verifyingContract: addresses.coordinator };
    const signers = keyFiles.map((file) => loadKey(file, chainId))
        .sort((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));
    const signatures =
        await Promise.all(signers.map((one) => one.signTypedData(domain, BATCH_TYPES, batch)));
    const receipt = await (await coordinator.submitBatch(batch, signatures)).wait();
    console.log(`settled blocks 1 to ${batch.lastBlock} with ${receipt.gasUsed} gas, ` +
                `${TRANSACTIONS_COUNT} transactions in block 2`);
});
