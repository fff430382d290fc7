// The history checker finds each kind of violation that is planted into a history made by hand, and
// no other, and passes the history without it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { check, read } from './history.mjs';

/** clean makes a history in which everything is right. */
function clean() {
    const blocks = () => [
        { number: 7, hash: 'b7', parent: 'b6', transactions: [] },
        { number: 8, hash: 'b8', parent: 'b7', transactions: ['t1'] },
        { number: 9, hash: 'b9', parent: 'b8', transactions: ['t2', 't3'] },
    ];
    const at = (connection, op) => ({ client: 'client 1', connection, start: 1, end: 2, ...op });
    return {
        nodes: { 'node 1': blocks(), 'node 2': blocks(), 'node 3': blocks() },
        clients: {
            'client 1': [
                at(1, { op: 'height', height: 7 }),
                at(1, { op: 'send', hash: 't1', acknowledged: true }),
                at(1, { op: 'receipt', hash: 't1', height: null }),
                at(1, { op: 'block', height: 8, hash: 'b8' }),
                at(1, { op: 'receipt', hash: 't1', height: 8 }),
                at(1, { op: 'receipt', hash: 't1', height: 8 }),
                at(2, { op: 'height', height: 7 }), // another connection may be behind
                at(2, { op: 'height', height: 9 }),
                at(2, { op: 'send', hash: 'lost', acknowledged: false }),
            ],
            'client 2': [
                at(1, { op: 'send', hash: 't3', acknowledged: true }),
                at(1, { op: 'block', height: 9, hash: 'b9' }),
            ],
        },
    };
}

const { clients, nodes } = clean();
assert.deepEqual(check({ clients, nodes }).counts, {});
assert.deepEqual(check({ clients, nodes }).summary,
                 { acknowledged: 2, unanswered: 1, reads: 8, connections: 3, blocks: 3 });

const plants = {
    'a block is left out on one node': ['chain', ({ nodes: all }) => {
        all['node 2'][1].number = 10;
    }, 'different'],
    'a block has another parent': ['chain', ({ nodes: all }) => {
        all['node 3'][2].parent = 'x';
    }],
    'two nodes have different last blocks': ['fork', ({ nodes: all }) => {
        all['node 3'][2].hash = 'x';
    }, 'undone'],
    'one node lacks a transaction': ['missing', ({ nodes: all }) => {
        all['node 2'][1].transactions = [];
    }],
    'all nodes lack a transaction': ['missing', ({ nodes: all }) => {
        for (const blocks of Object.values(all)) blocks[2].transactions = ['t2'];
    }],
    'a transaction is in two blocks': ['twice', ({ nodes: all }) => {
        for (const blocks of Object.values(all)) blocks[2].transactions.push('t1');
    }],
    'a transaction is twice in one block': ['twice', ({ nodes: all }) => {
        all['node 1'][2].transactions.push('t3');
    }],
    'one node has a transaction in another block': ['different', ({ nodes: all }) => {
        all['node 2'][1].transactions = [];
        all['node 2'][2].transactions = ['t1', 't2', 't3'];
    }],
    'a client saw a block that nobody has': ['undone', ({ clients: all }) => {
        all['client 2'][1].hash = 'x';
    }],
    'a height falls on one connection': ['backwards', ({ clients: all }) => {
        all['client 1'].push({ ...all['client 1'][0], connection: 2, height: 8 });
    }],
    'a block is older than the height before': ['backwards', ({ clients: all }) => {
        all['client 1'].push({ ...all['client 1'][3], connection: 2 });
    }],
    'a receipt is gone again': ['vanished', ({ clients: all }) => {
        all['client 1'][5].height = null;
    }],
    'a receipt moves to another block': ['vanished', ({ clients: all }) => {
        all['client 1'][5].height = 9;
    }],
};
for (const [what, [kind, plant, ...also]] of Object.entries(plants)) {
    const history = clean();
    plant(history);
    const result = check(history);
    assert.equal(result.ok, false, what);
    assert.deepEqual(Object.keys(result.counts).sort(), [kind, ...also].sort(), what);
}

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'baton-history-'));
try {
    for (const [name, operations] of Object.entries({ ...clients, ...nodes })) {
        fs.writeFileSync(path.join(dir, `${name.replace(' ', '-')}.jsonl`),
                         operations.map((one) => `${JSON.stringify(one)}\n`).join(''));
    }
    assert.deepEqual(read(dir), { clients, nodes });
    assert.equal(check(read(dir)).ok, true);
} finally {
    fs.rmSync(dir, { recursive: true });
}
console.log(`history checker: ${Object.keys(plants).length} planted violations found, ` +
            'the clean history passes');
