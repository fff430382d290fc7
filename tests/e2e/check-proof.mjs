// Verifies an eth_getProof answer (standard input) against a state root (argument), from scratch.
import fs from 'node:fs';
import { ethers } from 'ethers';

const nibbles = (hex) => [...hex.slice(2)].map((digit) => parseInt(digit, 16));

/** lookup walks a Merkle Patricia proof; the value's RLP, or null when the proof shows absence. */
function lookup(root, key, nodes) {
    let expected = root;
    let path = nibbles(key);
    for (const node of nodes) {
        const hash = ethers.dataLength(node) >= 32 ? ethers.keccak256(node) : node;
        if (hash !== expected) throw new Error(`node ${hash} is not ${expected}`);
        const items = ethers.decodeRlp(node);
        if (items.length === 17) {
            if (path.length === 0) return items[16];
            expected = reference(items[path.shift()]);
        } else {
            const encoded = nibbles(items[0]);
            const own = encoded.slice(encoded[0] % 2 === 1 ? 1 : 2);
            if (own.some((nibble, index) => nibble !== path[index])) return null;
            path = path.slice(own.length);
            if (encoded[0] >= 2) return path.length === 0 ? items[1] : null;
            expected = reference(items[1]);
        }
        if (expected === '0x') return null;
    }
    throw new Error('the proof ends early');
}
const reference = (item) => (Array.isArray(item) ? ethers.encodeRlp(item) : item);

const proof = JSON.parse(fs.readFileSync(0, 'utf8'));
const account = lookup(process.argv[2], ethers.keccak256(proof.address), proof.accountProof);
if (account === null) throw new Error('the account is not in the state');
const [nonce, balance, storageHash, codeHash] = ethers.decodeRlp(account);
const same = (bytes, quantity) => BigInt(bytes === '0x' ? 0 : bytes) === BigInt(quantity);
if (!same(nonce, proof.nonce) || !same(balance, proof.balance) ||
    storageHash !== proof.storageHash || codeHash !== proof.codeHash) {
    throw new Error('the account differs from its proof');
}
for (const slot of proof.storageProof) {
    const key = ethers.keccak256(ethers.toBeHex(slot.key, 32));
    const value = lookup(storageHash, key, slot.proof);
    if (!same(value === null ? '0x' : ethers.decodeRlp(value), slot.value)) {
        throw new Error(`slot ${slot.key} differs from its proof`);
    }
}
console.log(`ok: the proof of ${proof.address} leads to the state root`);
