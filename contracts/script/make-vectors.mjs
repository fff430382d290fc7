// Writes test/vectors/*.json: what validators sign (EIP-712 digests and signatures, by ethers, so
// neither by the contracts nor by the node), and whom CometBFT's proposer-priority rule chooses (by
// the complete rule below).  The forge tests hold the contracts against these files, and C tests
// the node.
//
//   node script/make-vectors.mjs [DIRECTORY]
//
// Integers of 64 bits are decimal strings; one vector is one line.  The keys are the published
// development keys of anvil.
import fs from 'node:fs';
import path from 'node:path';
import { ethers } from 'ethers';
import { contractsDir } from './common.mjs';

const KEYS_COUNT = 10;
const ROOT = ethers.HDNodeWallet.fromPhrase(
    'test test test test test test test test test test test junk', '', "m/44'/60'/0'/0");
const WALLETS = Array.from({ length: KEYS_COUNT },
                           (_, index) => new ethers.Wallet(ROOT.deriveChild(index).privateKey));
const U64_MAX = (1n << 64n) - 1n;
const CONTRACTS = [
    { chainId: 31337n, contract: '0x5FbDB2315678afecb367f032d93F642f64180aa3' },
    { chainId: 1n, contract: '0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512' },
    { chainId: 11155111n, contract: '0x00000000000000000000000000000000000000A1' },
    { chainId: U64_MAX, contract: '0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF' },
];
const hashOf = (text) => ethers.keccak256(ethers.toUtf8Bytes(text));

const VOTE_TYPES = {
    Vote: [
        { name: 'kind', type: 'uint8' },
        { name: 'height', type: 'uint64' },
        { name: 'round', type: 'uint32' },
        { name: 'validRound', type: 'int32' },
        { name: 'blockHash', type: 'bytes32' },
    ],
};
const BATCH_TYPES = {
    Batch: [
        { name: 'firstBlock', type: 'uint64' },
        { name: 'lastBlock', type: 'uint64' },
        { name: 'parentHash', type: 'bytes32' },
        { name: 'lastBlockHash', type: 'bytes32' },
        { name: 'stateRoot', type: 'bytes32' },
        { name: 'daHeight', type: 'uint64' },
        { name: 'daCommitment', type: 'bytes32' },
    ],
};
const TIMEOUT_TYPES = {
    TimeoutReport: [
        { name: 'rotation', type: 'uint64' },
        { name: 'height', type: 'uint64' },
        { name: 'round', type: 'uint32' },
        { name: 'proposer', type: 'address' },
    ],
};

/** signed gives one vector: the statement, its digest and one validator's signature of it. */
function signed(place, name, types, value, wallet) {
    const domain =
        { name, version: '1', chainId: place.chainId, verifyingContract: place.contract };
    const digest = ethers.TypedDataEncoder.hash(domain, types, value);
    const signature = wallet.signingKey.sign(digest);
    const { r, s, v } = signature;
    const text = (field) => typeof field === 'bigint' ? field.toString() : field;
    return {
        chainId: place.chainId.toString(),
        contract: place.contract,
        ...Object.fromEntries(Object.entries(value).map(([key, field]) => [key, text(field)])),
        digest,
        privateKey: wallet.privateKey,
        r,
        s,
        v,
        signature: signature.serialized,
        signer: wallet.address,
    };
}

function votes() {
    const nil = ethers.ZeroHash;
    const values = [
        { kind: 1, height: 1n, round: 0, validRound: -1, blockHash: hashOf('a') },
        { kind: 1, height: 1n, round: 0, validRound: -1, blockHash: nil },
        { kind: 2, height: 100n, round: 3, validRound: -1, blockHash: hashOf('b') },
        { kind: 2, height: U64_MAX, round: 4294967295, validRound: -1, blockHash: hashOf('c') },
        { kind: 32, height: 7n, round: 0, validRound: -1, blockHash: hashOf('d') },
        { kind: 32, height: 7n, round: 5, validRound: 4, blockHash: hashOf('e') },
        { kind: 32, height: 9007199254740993n, round: 2147483647, validRound: 2147483647,
          blockHash: hashOf('f') },
    ];
    return CONTRACTS.flatMap((place, placeIndex) => values.map((value, index) =>
        signed(place, 'AndeConsensus', VOTE_TYPES, value,
               WALLETS[(placeIndex + index) % KEYS_COUNT])));
}

function batches() {
    const values = [
        { firstBlock: 1n, lastBlock: 1n, parentHash: hashOf('genesis'), lastBlockHash: hashOf('1'),
          stateRoot: hashOf('s1'), daHeight: 0n, daCommitment: ethers.ZeroHash },
        { firstBlock: 2n, lastBlock: 101n, parentHash: hashOf('1'), lastBlockHash: hashOf('101'),
          stateRoot: hashOf('s101'), daHeight: 4242n, daCommitment: hashOf('da') },
        { firstBlock: U64_MAX - 1n, lastBlock: U64_MAX, parentHash: hashOf('p'),
          lastBlockHash: hashOf('l'), stateRoot: hashOf('s'), daHeight: U64_MAX,
          daCommitment: hashOf('d') },
    ];
    return CONTRACTS.flatMap((place, placeIndex) => values.map((value, index) =>
        signed(place, 'AndeSequencerCoordinator', BATCH_TYPES, value,
               WALLETS[(placeIndex + index) % KEYS_COUNT])));
}

function timeouts() {
    const values = [
        { rotation: 0n, height: 1n, round: 0, proposer: WALLETS[3].address },
        { rotation: 12n, height: 1234n, round: 7, proposer: WALLETS[4].address },
        { rotation: U64_MAX / 100n, height: U64_MAX, round: 4294967295,
          proposer: WALLETS[5].address },
    ];
    return CONTRACTS.flatMap((place, placeIndex) => values.map((value, index) =>
        signed(place, 'AndeSequencerCoordinator', TIMEOUT_TYPES, value,
               WALLETS[(placeIndex + index) % KEYS_COUNT])));
}

// ------------------------------------------------------------- CometBFT's rule, all of it

const floorDivide = (a, b) => (a - ((a % b) + b) % b) / b;

/** rescale keeps the spread of the priorities within twice the total power. */
function rescale(set, total) {
    const priorities = set.map((one) => one.priority);
    const spread = priorities.reduce((a, b) => (a > b ? a : b)) -
                   priorities.reduce((a, b) => (a < b ? a : b));
    const spreadMax = 2n * total;
    if (spread <= spreadMax) return;
    const ratio = (spread + spreadMax - 1n) / spreadMax;
    for (const one of set) one.priority /= ratio; // BigInt divides towards zero, as Go does
}

function center(set) {
    const sum = set.reduce((partial, one) => partial + one.priority, 0n);
    const average = floorDivide(sum, BigInt(set.length));
    for (const one of set) one.priority -= average;
}

/** merge makes the next set: stayers keep their priority, newcomers enter with -1.125 * total. */
function merge(current, listed) {
    const total = listed.reduce((sum, one) => sum + one.power, 0n);
    const set = listed.map(({ address, power }) => {
        const stayer = current.find((one) => one.address === address);
        return { address, power, priority: stayer?.priority ?? -(total + (total >> 3n)) };
    });
    rescale(set, total);
    center(set);
    return set;
}

/** advance is IncrementProposerPriority(1); it returns the proposer's address. */
function advance(set) {
    const total = set.reduce((sum, one) => sum + one.power, 0n);
    rescale(set, total);
    center(set);
    let proposer = set[0];
    for (const one of set) {
        one.priority += one.power;
        if (one.priority > proposer.priority ||
            (one.priority === proposer.priority &&
             one.address.toLowerCase() < proposer.address.toLowerCase())) proposer = one;
    }
    proposer.priority -= total;
    return proposer.address;
}

/** schedule follows one set through its rotations, merged anew at each as the nodes do it. */
function schedule(powers, rotations) {
    const listed = powers
        .map((power, index) => ({ address: WALLETS[index % KEYS_COUNT].address, power }))
        .sort((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));
    let set = merge([], listed);
    const proposers = [];
    for (let rotation = 0; rotation < rotations; rotation++) {
        proposers.push(advance(set));
        set = merge(set, listed);
    }
    return {
        validators: listed.map((one) => one.address),
        powers: listed.map((one) => one.power.toString()),
        proposers,
    };
}

function proposers() {
    return [
        schedule([1000n], 3),
        schedule([1000n, 1000n, 1000n], 12),
        schedule([1000n, 2000n, 3000n], 24),
        schedule([1001n, 1009n], 40),
        schedule([1000n, 1000n, 1000n, 1000n, 10000n], 40),
        schedule([7n, 3n, 11n, 5n, 2n, 1n, 1n], 64),
        schedule([9007199254740991n, 1000n, 9007199254740990n], 24),
    ];
}

/** write puts each vector on a line of its own. */
function write(name, head, key, list) {
    const lines = list.map((one) => '    ' + JSON.stringify(one)).join(',\n');
    const text = '{\n' + Object.entries(head).map(([field, value]) =>
        `  ${JSON.stringify(field)}: ${JSON.stringify(value)},\n`).join('') +
        `  "count": ${list.length},\n  ${JSON.stringify(key)}: [\n${lines}\n  ]\n}\n`;
    fs.writeFileSync(path.join(directory, name), text);
}

const directory = process.argv[2] ?? path.join(contractsDir, 'test', 'vectors');
const head = (name) => ({ name, version: '1' });
write('votes.json', head('AndeConsensus'), 'votes', votes());
write('batches.json', head('AndeSequencerCoordinator'), 'batches', batches());
write('timeouts.json', head('AndeSequencerCoordinator'), 'timeouts', timeouts());
write('proposers.json', {}, 'cases', proposers());
