// The history checker: an independent reader of what clients and nodes wrote down.
//
// usage: history.mjs DIR        prints what is wrong, exit code 1; or a summary, exit code 0
//
// DIR holds client-*.jsonl (one line per finished operation) and node-*.jsonl (one line per block):
//   {"client", "connection", "start", "end", "op": "send", "hash", "acknowledged": true | false}
//   {..., "op": "height", "height"}               an answer of eth_blockNumber
//   {..., "op": "block", "height", "hash"}        an answer that shows a block as committed
//   {..., "op": "receipt", "hash", "height"}      height null: no receipt yet
//   {"number", "hash", "parent", "transactions": [hash...]}
// Operations of one connection are in the order of their lines; the checker trusts nothing else.
//
// What must hold:
//   chain       every node's blocks are numbered without a hole, each the child of the one before
//   fork        all nodes have the same block at a height
//   missing     an acknowledged transaction is in a block, on every node
//   twice       no transaction is in two blocks of a node
//   different   a transaction is in the same block on all nodes
//   undone      a block that a client saw is the one that the nodes have
//   backwards   heights that one connection is told never fall
//   vanished    a receipt that one connection has seen stays, in the same block
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const EXAMPLES_MAX = 20;

class Findings {
    constructor() {
        this.counts = {};
        this.examples = [];
    }

    add(kind, text) {
        this.counts[kind] = (this.counts[kind] ?? 0) + 1;
        if (this.counts[kind] <= EXAMPLES_MAX) this.examples.push({ kind, text });
    }
}

/** nodeIndex checks one node's own chain and gives {byHeight, byTransaction}. */
function nodeIndex(name, blocks, findings) {
    const byHeight = new Map();
    const byTransaction = new Map();
    let previous = null;
    for (const block of blocks) {
        if (previous !== null &&
            (block.number !== previous.number + 1 || block.parent !== previous.hash)) {
            findings.add('chain', `${name}: block ${block.number} does not follow ${previous.number}`);
        }
        previous = block;
        byHeight.set(block.number, block.hash);
        for (const hash of block.transactions) {
            if (byTransaction.has(hash)) {
                findings.add('twice', `${name}: ${hash} in blocks ${byTransaction.get(hash)} and ` +
                             `${block.number}`);
            }
            byTransaction.set(hash, block.number);
        }
    }
    return { name, byHeight, byTransaction };
}

function checkFork(nodes, findings) {
    const [first, ...others] = nodes;
    for (const other of others) {
        for (const [height, hash] of other.byHeight) {
            const same = first.byHeight.get(height);
            if (same !== undefined && same !== hash) {
                findings.add('fork', `block ${height}: ${first.name} has ${same}, ${other.name} ${hash}`);
            }
        }
    }
}

function checkAcknowledged(operation, nodes, findings) {
    const places = nodes.map((node) => node.byTransaction.get(operation.hash));
    const lacking = nodes.filter((_, index) => places[index] === undefined);
    if (lacking.length > 0) {
        findings.add('missing', `${operation.hash}, acknowledged to ${operation.client} at ` +
                     `${operation.end}, is not on ${lacking.map(({ name }) => name).join(', ')}`);
        return;
    }
    if (new Set(places).size > 1) {
        findings.add('different', `${operation.hash} is in blocks ${places.join(', ')}`);
    }
}

function checkSeenBlock(operation, nodes, findings) {
    for (const node of nodes) {
        const has = node.byHeight.get(operation.height);
        if (has !== undefined && has !== operation.hash) {
            findings.add('undone', `${operation.client} saw block ${operation.height} as ` +
                         `${operation.hash}, ${node.name} has ${has}`);
        }
    }
}

/** checkConnection follows what one connection was told. */
function checkConnection(state, operation, findings) {
    const where = `${operation.client}, connection ${operation.connection}`;
    if (operation.op === 'receipt') {
        const before = state.receipts.get(operation.hash);
        if (before !== undefined && before !== operation.height) {
            findings.add('vanished', `${where}: the receipt of ${operation.hash} was in block ` +
                         `${before}, then ${operation.height ?? 'nowhere'}`);
        }
        if (operation.height !== null) state.receipts.set(operation.hash, operation.height);
    }
    if (operation.op !== 'height' && operation.op !== 'block') return;
    if (operation.height < state.height) {
        findings.add('backwards', `${where}: ${state.height}, then ${operation.height} at ` +
                     `${operation.end}`);
    }
    state.height = Math.max(state.height, operation.height);
}

/**
 * check reads histories: {clients: {name: [operation]}, nodes: {name: [block]}}; gives {ok, counts,
 * examples, summary}.  Nothing is taken from outside but these two.
 */
export function check({ clients, nodes: chains }) {
    const findings = new Findings();
    const summary = { acknowledged: 0, unanswered: 0, reads: 0, connections: 0, blocks: 0 };
    const nodes = Object.entries(chains).map(([name, blocks]) => nodeIndex(name, blocks, findings));
    checkFork(nodes, findings);
    summary.blocks = Math.max(0, ...nodes.map(({ byHeight }) => byHeight.size));
    for (const operations of Object.values(clients)) {
        const connections = new Map();
        for (const operation of operations) {
            if (!connections.has(operation.connection)) {
                connections.set(operation.connection, { height: -1, receipts: new Map() });
            }
            checkConnection(connections.get(operation.connection), operation, findings);
            if (operation.op === 'block') checkSeenBlock(operation, nodes, findings);
            if (operation.op !== 'send') {
                summary.reads += 1;
            } else if (operation.acknowledged) {
                summary.acknowledged += 1;
                checkAcknowledged(operation, nodes, findings);
            } else {
                summary.unanswered += 1;
            }
        }
        summary.connections += connections.size;
    }
    return { ok: findings.examples.length === 0, ...findings, summary };
}

/** read takes the histories of a directory; a last line that a dying client tore is left out. */
export function read(dir) {
    const histories = { clients: {}, nodes: {} };
    for (const file of fs.readdirSync(dir).sort()) {
        const [, kind, name] = /^((?:client|node)-([^.]*))\.jsonl$/.exec(file) ?? [];
        if (kind === undefined) continue;
        const lines = fs.readFileSync(path.join(dir, file), 'utf8').split('\n');
        if (lines.pop() !== '') console.error(`history: ${file}: its last line is torn, left out`);
        const of = kind.startsWith('client-') ? histories.clients : histories.nodes;
        of[`${kind.split('-')[0]} ${name}`] = lines.map((line) => JSON.parse(line));
    }
    return histories;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    if (process.argv.length !== 3 || process.argv[2].startsWith('-')) {
        console.error('usage: history.mjs DIR');
        process.exit(2);
    }
    const result = check(read(process.argv[2]));
    for (const { kind, text } of result.examples) console.error(`${kind}: ${text}`);
    console.log(JSON.stringify({ ok: result.ok, ...result.counts, ...result.summary }));
    process.exit(result.ok ? 0 : 1);
}
