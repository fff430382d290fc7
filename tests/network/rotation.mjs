// Every proposer is the one that the rule and the contract give.  The rule is written here a second
// time, from its description (docs/ARCHITECTURE.md, consensus/rotation.h), with big integers.
// usage: rotation.mjs BLOCKS [join] [exit]
//
// join: a fourth validator registers on L1 while the network runs; it must propose one rotation
// after its registration is read.  exit: the first validator leaves; it must stop proposing.
import { ethers } from 'ethers';
import fs from 'node:fs';
import path from 'node:path';
import { call, check, height, hex, main, network, ok, root, testnet, until } from './library.mjs';

const BLOCKS_PER_ROTATION = 100;
const blocks = Number(process.argv[2] ?? 1000);
const wants = new Set(process.argv.slice(3));
let net = network();
const addresses = JSON.parse(fs.readFileSync(path.join(net.dir, 'addresses.json'), 'utf8'));
const genesis = JSON.parse(fs.readFileSync(path.join(net.dir, 'genesis.json'), 'utf8'));
const l1 = new ethers.JsonRpcProvider(net.l1, undefined, { cacheTimeout: -1 });
const consensus = new ethers.Contract(addresses.consensus, JSON.parse(fs.readFileSync(
    path.join(root, 'contracts/out/AndeConsensus.sol/AndeConsensus.json'), 'utf8')).abi, l1);

// --- the rule: sets are lists of {address, power, priority} by ascending address

const total = (set) => set.reduce((sum, one) => sum + one.power, 0n);
const abs = (value) => (value < 0n ? -value : value);
const floorDivide = (a, b) => (a % b !== 0n && (a < 0n) !== (b < 0n) ? a / b - 1n : a / b);

function scaleAndCentre(set) {
    const priorities = set.map((one) => one.priority);
    const highest = priorities.reduce((a, b) => (a > b ? a : b));
    const lowest = priorities.reduce((a, b) => (a < b ? a : b));
    const window = 2n * total(set);
    if (highest - lowest > window) {
        const ratio = (highest - lowest + window - 1n) / window;
        for (const one of set) {
            one.priority = (one.priority < 0n ? -1n : 1n) * (abs(one.priority) / ratio);
        }
    }
    const average = floorDivide(set.reduce((sum, one) => sum + one.priority, 0n), BigInt(set.length));
    for (const one of set) one.priority -= average;
}

function advance(set) {
    scaleAndCentre(set);
    for (const one of set) one.priority += one.power;
    let chosen = set[0];
    for (const one of set) if (one.priority > chosen.priority) chosen = one;
    chosen.priority -= total(set);
    return chosen.address;
}

function merge(current, listed) {
    const gone = current.filter(({ address }) => !listed.some((one) => one.address === address));
    const before = total(listed) + total(gone);
    const next = listed.map(({ address, power }) => ({
        address, power,
        priority: current.find((one) => one.address === address)?.priority
            ?? -(before + (before >> 3n)),
    }));
    scaleAndCentre(next);
    return next;
}

const copy = (set) => set.map((one) => ({ ...one }));
const byAddress = (a, b) => (a.address < b.address ? -1 : 1);

/** listedAt asks the contract for its set at an L1 block. */
async function listedAt(number) {
    const { validators } = await consensus.getValidatorSet({ blockTag: number });
    return validators.map(({ validator, power }) => ({
        address: validator.toLowerCase(), power: BigInt(power), priority: 0n })).sort(byAddress);
}

// --- the check, from block 1 on

const state = {
    checked: 0, previous: null, scheduled: null, next: null, turns: new Map(), rounds: 0,
    current: genesis.config.baton.validators.map(({ address, power }) =>
        ({ address: address.toLowerCase(), power: BigInt(power), priority: 0n })).sort(byAddress),
    l1Number: genesis.config.baton.l1_number,
};
state.advanced = copy(state.current);
state.scheduled = advance(state.advanced);

async function checkBlock(number) {
    const frame = await call(net.rpc, 'baton_getFrame', [hex(number)]);
    const told = await call(net.rpc, 'baton_proposer', [hex(number)]);
    const isFirst = number === 1 || number % BLOCKS_PER_ROTATION === 0;
    if (isFirst && number !== 1) {
        state.current = state.next;
        state.advanced = copy(state.current);
        state.scheduled = advance(state.advanced);
    }
    const sticky = state.current.some(({ address }) => address === state.previous);
    const leader = !isFirst && sticky ? state.previous : state.scheduled;
    const at = state.current.findIndex(({ address }) => address === leader);
    const round = Number(frame.round);
    const expected = state.current[(at + round) % state.current.length].address;
    check(frame.proposer.toLowerCase() === expected,
          `block ${number} round ${round}: ${frame.proposer} proposed, the rule gives ${expected}`);
    check(told.address === frame.proposer, `baton_proposer of block ${number}`);
    if (isFirst) {
        const origin = Number(frame.l1Number);
        check(origin >= state.l1Number, `block ${number}: the L1 origin goes back`);
        const isNew = origin > state.l1Number;
        state.next = merge(state.advanced,
                           isNew ? await listedAt(origin) : copy(state.current));
        state.l1Number = origin;
        state.turns.set(expected, (state.turns.get(expected) ?? 0) + 1);
    } else {
        check(Number(frame.l1Number) === state.l1Number, `block ${number}: its L1 origin changed`);
    }
    if (round > 0) state.rounds += 1;
    state.previous = expected;
    state.checked = number;
}

async function checkUntil(number) {
    while (state.checked < number) {
        const head = await until('new blocks', 60, async () => {
            const now = Math.min(...await Promise.all(net.nodes.map(height)));
            return now > state.checked ? now : null;
        });
        while (state.checked < Math.min(head, number)) await checkBlock(state.checked + 1);
    }
}

/** names of the validators that lead a rotation's first block from now on, until one is `wanted`. */
async function untilLeads(wanted, rotationsMax) {
    const from = state.checked;
    const before = state.turns.get(wanted) ?? 0;
    while ((state.turns.get(wanted) ?? 0) === before) {
        check(state.checked - from < rotationsMax * BLOCKS_PER_ROTATION,
              `${wanted} did not lead within ${rotationsMax} rotations`);
        await checkUntil(state.checked + BLOCKS_PER_ROTATION);
    }
}

async function join() {
    testnet('add-validator');
    net = network();
    const status = await call(net.nodes.at(-1), 'baton_status');
    const registered = await l1.getBlockNumber();
    let readAt = null, activeAt = null;
    while (activeAt === null) {
        check(state.checked < blocks + 40 * BLOCKS_PER_ROTATION, 'the fourth never became active');
        await checkUntil(state.checked + 1);
        const inNext = state.next?.some(({ address }) => address === status.address);
        if (inNext && readAt === null) readAt = state.checked;
        if (state.current.some(({ address }) => address === status.address)) activeAt = state.checked;
    }
    check(activeAt - readAt === BLOCKS_PER_ROTATION,
          `read at block ${readAt}, active at ${activeAt}: not one rotation`);
    ok(`${status.address}, registered by L1 block ${registered}, was read at block ${readAt} and ` +
       `votes from block ${activeAt} on`);
    // A newcomer enters with -1.125 of the total power and so waits for its turn.
    await untilLeads(status.address, 12);
    ok(`it led a rotation by block ${state.checked}`);
}

async function exit() {
    const key = fs.readFileSync(path.join(net.dir, 'sequencer-1/keys/validator.key'), 'utf8').trim();
    const wallet = new ethers.Wallet(key, l1);
    const leaver = wallet.address.toLowerCase();
    await (await consensus.connect(wallet).requestExit()).wait();
    while (state.current.some(({ address }) => address === leaver)) {
        check(state.checked < 100_000, 'the validator never left');
        await checkUntil(state.checked + BLOCKS_PER_ROTATION);
    }
    const gone = state.checked;
    const turns = state.turns.get(leaver);
    const proposers = new Set();
    for (let i = 0; i < 4 * BLOCKS_PER_ROTATION; i++) {
        await checkUntil(state.checked + 1);
        proposers.add(state.previous);
    }
    check(state.turns.get(leaver) === turns && !proposers.has(leaver), `${leaver} still proposes`);
    ok(`${leaver} left and proposed nothing from block ${gone} to ${state.checked}`);
    // Batches that the leaver still signed must settle without its signature.
    await until(`block ${gone} settled on L1`, 60, async () => {
        const settled = await call(net.rpc, 'eth_getBlockByNumber', ['finalized', false]);
        return Number(settled.number) >= gone;
    }, 500);
    ok(`block ${gone} is settled on L1 without it`);
}

await main('rotation', async () => {
    await checkUntil(blocks);
    check(state.turns.size === net.count, `${state.turns.size} validators took turns`);
    ok(`${blocks} blocks, ${[...state.turns.values()].join(' + ')} rotations led, ` +
       `${state.rounds} blocks of later rounds: every proposer as the rule gives`);
    if (wants.has('join')) await join();
    if (wants.has('exit')) await exit();
});
