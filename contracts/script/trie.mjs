// The Merkle Patricia trie of a block's transactions, and the RLP of a block's header, from what
// JSON-RPC answers: enough to prove a transaction to ForcedInclusion.proveForceInclusion.
import { ethers } from 'ethers';

const nibblesOf = (hex) => [...hex.slice(2)].map((digit) => parseInt(digit, 16));

/** compact is the hex-prefix encoding of a path (Yellow Paper, appendix C). */
function compact(nibbles, isLeaf) {
    const flag = (isLeaf ? 2 : 0) + (nibbles.length % 2);
    const head = nibbles.length % 2 ? [flag] : [flag, 0];
    return '0x' + [...head, ...nibbles].map((nibble) => nibble.toString(16)).join('');
}

/** reference is how a parent names a node: its hash, or the node itself when that is shorter. */
function reference(node) {
    const encoded = ethers.encodeRlp(node.items);
    return ethers.dataLength(encoded) < 32 ? node.items : ethers.keccak256(encoded);
}

function prefixLength(first, second) {
    let length = 0;
    while (length < first.length && first[length] === second[length]) length++;
    return length;
}

/** build makes the node of sorted {path, value} entries, of which no path is another's prefix. */
function build(entries) {
    if (entries.length === 1) {
        const [{ path, value }] = entries;
        return { items: [compact(path, true), value], children: new Map() };
    }
    const shared = Math.min(...entries.map(({ path }) => prefixLength(entries[0].path, path)));
    const cut = (list, count) =>
        list.map(({ path, value }) => ({ path: path.slice(count), value }));
    if (shared > 0) {
        const child = build(cut(entries, shared));
        return {
            items: [compact(entries[0].path.slice(0, shared), false), reference(child)],
            extension: { length: shared, child },
        };
    }
    const items = Array(17).fill('0x');
    const children = new Map();
    for (let nibble = 0; nibble < 16; nibble++) {
        const below = entries.filter(({ path }) => path[0] === nibble);
        if (below.length === 0) continue;
        const child = build(cut(below, 1));
        children.set(nibble, child);
        items[nibble] = reference(child);
    }
    return { items, children };
}

/** proveTransaction gives the trie's root and the nodes from the root to transaction `index`. */
export function proveTransaction(rawTransactions, index) {
    const keyOf = (place) => nibblesOf(ethers.encodeRlp(ethers.toBeArray(place)));
    const root = build(rawTransactions.map((value, place) => ({ path: keyOf(place), value })));
    const proof = [];
    let path = keyOf(index);
    for (let node = root; node;) {
        const encoded = ethers.encodeRlp(node.items);
        if (node === root || ethers.dataLength(encoded) >= 32) proof.push(encoded);
        if (node.extension) {
            path = path.slice(node.extension.length);
            node = node.extension.child;
        } else {
            node = node.children.get(path[0]);
            path = path.slice(1);
        }
    }
    return { root: ethers.keccak256(proof[0]), proof };
}

const HEADER_FIELDS = [
    ['parentHash'], ['sha3Uncles'], ['miner'], ['stateRoot'], ['transactionsRoot'],
    ['receiptsRoot'], ['logsBloom'], ['difficulty', 'number'], ['number', 'number'],
    ['gasLimit', 'number'], ['gasUsed', 'number'], ['timestamp', 'number'], ['extraData'],
    ['mixHash'], ['nonce'], ['baseFeePerGas', 'number'], ['withdrawalsRoot'],
    ['blobGasUsed', 'number'], ['excessBlobGas', 'number'], ['parentBeaconBlockRoot'],
    ['requestsHash'],
];

/** headerRlp is the RLP of the header of a block as eth_getBlockByNumber gives it. */
export function headerRlp(block) {
    const present = HEADER_FIELDS.filter(([name]) => block[name] !== undefined &&
                                                     block[name] !== null);
    const encoded = ethers.encodeRlp(present.map(([name, kind]) =>
        kind === 'number' ? ethers.toBeArray(BigInt(block[name])) : block[name]));
    if (ethers.keccak256(encoded) !== block.hash) {
        throw new Error(`the header of block ${BigInt(block.number)} is of an unknown fork`);
    }
    return encoded;
}

/** rawTransaction is the signed encoding of a transaction as eth_getBlockByNumber gives it. */
export function rawTransaction(json) {
    const authorizations = json.authorizationList?.map((one) => ({
        address: one.address,
        chainId: BigInt(one.chainId),
        nonce: BigInt(one.nonce),
        signature: ethers.Signature.from(
            { r: word(one.r), s: word(one.s), yParity: Number(one.yParity) }),
    }));
    const type = Number(json.type);
    const signature =
        ethers.Signature.from({ r: word(json.r), s: word(json.s), v: BigInt(json.v) });
    const transaction = ethers.Transaction.from({
        type,
        to: json.to,
        nonce: Number(json.nonce),
        gasLimit: BigInt(json.gas),
        data: json.input,
        value: BigInt(json.value),
        chainId: json.chainId === undefined ? signature.legacyChainId ?? 0n : BigInt(json.chainId),
        ...(type < 2 ? { gasPrice: BigInt(json.gasPrice) } : {
            maxFeePerGas: BigInt(json.maxFeePerGas),
            maxPriorityFeePerGas: BigInt(json.maxPriorityFeePerGas),
        }),
        ...(type > 0 ? { accessList: json.accessList } : {}),
        ...(authorizations ? { authorizationList: authorizations } : {}),
        signature,
    });
    if (transaction.hash !== json.hash) {
        throw new Error(`the transaction ${json.hash} cannot be encoded from its fields`);
    }
    return transaction.serialized;
}

const word = (quantity) => ethers.toBeHex(BigInt(quantity), 32);
