// The bad days.  Each case gets a running network under load, does something to it, and gives back
// what it measured; the histories are checked afterwards by matrix.mjs.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { call, check, hex, sleep, until } from '../network/library.mjs';
import { World } from './world.mjs';
import { HeadWatch, PollWatch, gap, highest, quantiles } from './watch.mjs';

/** Watches of all nodes but some, and of HAProxy. */
class Watches {
    constructor(world, numbers) {
        this.nodes = numbers.map((number) => new HeadWatch(world.wsUrl(number)));
        this.proxy = new PollWatch(world.rpc);
    }

    ready() {
        return until('new heads', 30, () => this.nodes.every(({ seen }) => seen.length > 1) &&
            this.proxy.seen.length > 1, 10);
    }

    /** grow waits for `count` more blocks, as nodes and as HAProxy show them. */
    async grow(count, seconds) {
        const goal = highest(this.nodes) + count;
        await until(`${count} more blocks`, seconds, () =>
            highest(this.nodes) >= goal && highest([this.proxy]) >= goal, 10);
    }

    gaps(since, end) {
        return { nodes: gap(this.nodes, since, end), proxy: gap([this.proxy], since, end) };
    }

    stop() {
        for (const one of [...this.nodes, this.proxy]) one.stop();
    }
}

/** watched runs `act` while all of `numbers` are watched; the gaps from then on. */
async function watched(world, numbers, act) {
    const watches = new Watches(world, numbers);
    try {
        await watches.ready();
        const since = performance.now();
        await act(watches);
        return watches.gaps(since);
    } finally {
        watches.stop();
    }
}

const others = (world, number) => world.numbers.filter((one) => one !== number);
const summarize = (list) => ({
    gaps_nodes: quantiles(list.map(({ nodes }) => nodes)),
    gaps_haproxy: quantiles(list.map(({ proxy }) => proxy)),
    samples_nodes_ms: list.map(({ nodes }) => Math.round(nodes)),
});

/** proposersOf gives the validators' numbers of blocks from..to, and in which rounds. */
async function proposersOf(world, url, from, to) {
    const list = [];
    for (let height = from; height <= to; height++) {
        const frame = await call(url, 'baton_getFrame', [hex(height)]);
        list.push({ height, number: world.validators.get(frame.proposer.toLowerCase()),
                    round: Number(frame.round) });
    }
    return list;
}

const heightOf = async (url) => Number(await call(url, 'eth_blockNumber'));

// --- processes

/**
 * killed kills whoever proposes, until it is back, again and again.  The kernel tells the others that
 * a process is gone; when `isSilent` they hear nothing, as when a machine loses its power.
 */
async function killed(world, { kills, say, isSilent }) {
    const gaps = [];
    const back = [];
    for (let run = 1; run <= kills; run++) {
        const leader = isSilent ? await world.steady() : await world.settled();
        gaps.push(await watched(world, others(world, leader), async (watches) => {
            if (isSilent) {
                for (const one of [0, ...others(world, leader)]) {
                    await world.link(leader, one, { blocked: true });
                }
            }
            await world.node(leader).kill();
            await watches.grow(4, 60);
        }));
        await world.heal();
        const before = performance.now();
        world.startNode(leader);
        await world.settled();
        back.push(performance.now() - before);
        if (run % 10 === 0 || run === kills) {
            const now = summarize(gaps).gaps_nodes;
            say(`${run} of ${kills} proposers killed; gaps p50 ${now.p50_ms}, p99 ${now.p99_ms}, ` +
                `worst ${now.worst_ms} ms`);
        }
    }
    return { faults: { killed: kills }, ...summarize(gaps), back: quantiles(back) };
}

/** kill: kill -9 of whoever proposes. */
const kill = (world, options) => killed(world, { ...options, isSilent: false });
/** vanish: the machine of whoever proposes is gone without a word. */
const vanish = (world, options) => killed(world, {
    ...options, kills: Math.ceil(options.kills / 4), isSilent: true });

/** killAll: all nodes at once; what was committed stays. */
async function killAll(world, { rounds, say }) {
    const back = [];
    for (let run = 1; run <= rounds; run++) {
        await world.settled();
        const heads = await Promise.all(world.nodes.map((url) =>
            call(url, 'eth_getBlockByNumber', ['latest', false])));
        await Promise.all(world.numbers.map((number) => world.node(number).kill()));
        const before = performance.now();
        for (const number of world.numbers) world.startNode(number);
        await world.settled();
        back.push(performance.now() - before);
        for (const url of world.nodes) {
            for (const head of heads) {
                const again = await until(`block ${head.number} of ${url}`, 30, () =>
                    call(url, 'eth_getBlockByNumber', [head.number, false]));
                check(again.hash === head.hash, `${url} has another block ${head.number}`);
            }
        }
        say(`all killed at once, ${run} of ${rounds}: the same heads afterwards`);
    }
    return { faults: { killed: rounds * world.count }, back: quantiles(back) };
}

/** stop: SIGTERM of whoever proposes: the baton is passed first. */
async function stop(world, { rounds, say }) {
    const gaps = [];
    for (let run = 1; run <= rounds; run++) {
        const leader = await world.settled();
        gaps.push(await watched(world, others(world, leader), async (watches) => {
            await world.node(leader).end();
            await watches.grow(4, 60);
        }));
        world.startNode(leader);
    }
    await world.settled();
    say(`${rounds} proposers stopped gracefully; worst gap ${summarize(gaps).gaps_nodes.worst_ms} ms`);
    return { faults: { stopped: rounds }, ...summarize(gaps) };
}

/** pause: SIGSTOP of whoever proposes, and SIGCONT later; what it signs late is refused. */
async function pause(world, { rounds, seconds, say }) {
    const gaps = [];
    for (let run = 1; run <= rounds; run++) {
        const leader = await world.settled();
        const rest = others(world, leader);
        const evidence = await world.metric(rest[0], 'ande_consensus_evidence_total') ?? 0;
        let first;
        gaps.push(await watched(world, rest, async (watches) => {
            world.node(leader).signal('SIGSTOP');
            await watches.grow(2, 60);
            first = highest(watches.nodes);
            await sleep(seconds * 1000);
        }));
        const last = await heightOf(world.url(rest[0]));
        world.node(leader).signal('SIGCONT');
        await world.settled();
        const late = (await proposersOf(world, world.url(rest[0]), first, last))
            .filter(({ number }) => number === leader);
        check(late.length === 0, `node ${leader} proposed block ${late[0]?.height} while it stood still`);
        check((await world.metric(rest[0], 'ande_consensus_evidence_total') ?? 0) === evidence,
              'the paused node signed twice');
        check(last - first > seconds * 1000 / world.blockTimeMs / 2, `only ${last - first} blocks ` +
              `while node ${leader} stood still`);
        say(`node ${leader} stood still for ${seconds} s: ${last - first} blocks meanwhile, none its own`);
    }
    return { faults: { paused: rounds, seconds_each: seconds }, ...summarize(gaps) };
}

// --- links

/** cut runs a partition: `links` are [from, to] pairs that are blocked; blocks must go on or not. */
async function cut(world, { seconds, links, witnesses, goesOn }) {
    const before = (await world.frames()).blocked;
    const gaps = await watched(world, witnesses, async (watches) => {
        const from = highest(watches.nodes);
        for (const [a, b] of links) await world.link(a, b, { blocked: true });
        await sleep(seconds * 1000);
        const grown = highest(watches.nodes) - from;
        await world.heal();
        if (goesOn) check(grown >= seconds * 1000 / world.blockTimeMs / 4, `only ${grown} blocks in ` +
                          `${seconds} s of a partition that a quorum survives`);
        else check(grown <= 2, `${grown} blocks without a quorum`);
    });
    const healed = performance.now();
    await world.steady();
    gaps.healed = performance.now() - healed;
    const blocked = (await world.frames()).blocked - before;
    check(blocked > 0, 'the partition blocked nothing');
    return { gaps, blocked };
}

const bothWays = (a, b) => [[a, b], [b, a]];

/** partition: the ways of cutting links, each with whoever proposes at that time. */
async function partition(world, { seconds, say }) {
    const ways = {
        'proposer cut off from all': (leader) => ({
            links: [0, ...others(world, leader)].flatMap((one) => bothWays(leader, one)),
            witnesses: others(world, leader), goesOn: true }),
        'proposer cut off from the nodes, not from clients': (leader) => ({
            links: others(world, leader).flatMap((one) => bothWays(leader, one)),
            witnesses: others(world, leader), goesOn: true }),
        'proposer and one other do not see each other': (leader) => ({
            links: bothWays(leader, others(world, leader)[0]),
            witnesses: others(world, leader).slice(1), goesOn: true }),
        'proposer is heard by nobody': (leader) => ({
            links: others(world, leader).map((one) => [leader, one]),
            witnesses: others(world, leader), goesOn: true }),
        'proposer hears nobody': (leader) => ({
            links: others(world, leader).map((one) => [one, leader]),
            witnesses: others(world, leader), goesOn: true }),
        ...(world.count < 4 ? {} : { 'two and two': () => ({
            links: [[1, 3], [1, 4], [2, 3], [2, 4]].flatMap(([a, b]) => bothWays(a, b)),
            witnesses: world.numbers, goesOn: false }) }),
        'no node sees another': () => ({
            links: world.numbers.flatMap((one) => others(world, one).map((other) => [one, other])),
            witnesses: world.numbers, goesOn: false }),
    };
    const gaps = {};
    let blocked = 0;
    for (const [way, make] of Object.entries(ways)) {
        const leader = await world.steady();
        const result = await cut(world, { seconds, ...make(leader) });
        blocked += result.blocked;
        gaps[way] = { nodes_ms: Math.round(result.gaps.nodes), haproxy_ms: Math.round(result.gaps.proxy),
                      in_step_again_ms: Math.round(result.gaps.healed) };
        say(`${way} for ${seconds} s: gap ${gaps[way].nodes_ms} ms, through HAProxy ` +
            `${gaps[way].haproxy_ms} ms, in step ${gaps[way].in_step_again_ms} ms after it`);
    }
    return { faults: { partitions: Object.keys(ways).length, seconds_each: seconds,
                       frames_blocked: blocked }, gaps };
}

/** bad makes links bad for some time and counts what that did. */
async function bad(world, { seconds, links, condition }) {
    const before = await world.frames();
    let blocks = 0;
    const gaps = await watched(world, world.numbers, async (watches) => {
        const from = highest(watches.nodes);
        for (const [a, b] of links) await world.link(a, b, condition);
        await sleep(seconds * 1000);
        blocks = highest(watches.nodes) - from;
        await world.heal();
    });
    await world.settled();
    const after = await world.frames();
    const happened = { frames_delayed: after.delayed - before.delayed, frames_lost: after.lost - before.lost };
    check(happened.frames_delayed + happened.frames_lost > 0, 'the links were not bad');
    return { gaps, blocks, happened };
}

async function badLinks(world, { seconds, ways, linksOf, say }) {
    const result = { faults: { seconds_each: seconds, frames_delayed: 0, frames_lost: 0 }, gaps: {} };
    for (const [way, condition] of Object.entries(ways)) {
        const leader = await world.steady();
        const { gaps, blocks, happened } = await bad(world, { seconds, links: linksOf(leader), condition });
        result.faults.frames_delayed += happened.frames_delayed;
        result.faults.frames_lost += happened.frames_lost;
        result.gaps[way] = { nodes_ms: Math.round(gaps.nodes), haproxy_ms: Math.round(gaps.proxy), blocks };
        say(`${way} for ${seconds} s: ${blocks} blocks, longest gap ${Math.round(gaps.nodes)} ms, ` +
            `through HAProxy ${Math.round(gaps.proxy)} ms`);
        check(blocks > 0, `${way}: not one block in ${seconds} s`);
    }
    return result;
}

const allLinks = (world) => world.numbers.flatMap((one) => others(world, one).map((other) => [one, other]));

function delay(world, { seconds, say }) {
    return badLinks(world, { seconds, say, linksOf: () => allLinks(world), ways: {
        '50 ms, jitter 20 ms': { delay: 50, jitter: 20 },
        '200 ms, jitter 100 ms': { delay: 200, jitter: 100 },
    } });
}

function loss(world, { seconds, say }) {
    return badLinks(world, { seconds, say, linksOf: () => allLinks(world), ways: {
        'loss of 2 %': { loss: 0.02 },
        'loss of 10 %, delay 20 ms': { loss: 0.1, delay: 20 },
    } });
}

/** slow: one link of the proposer is slow, then all of its links; twice as long as other cases. */
async function slow(world, { seconds: half, say }) {
    const seconds = 2 * half;
    const one = await badLinks(world, { seconds, say,
        linksOf: (leader) => bothWays(leader, others(world, leader)[0]),
        ways: { 'one link with 1,000 ms and 256 kbit/s': { delay: 1000, jitter: 200, rate: 256 },
                'one link with 3,000 ms and 10 % loss': { delay: 3000, loss: 0.1 } } });
    const all = await badLinks(world, { seconds, say,
        linksOf: (leader) => others(world, leader).flatMap((other) => bothWays(leader, other)),
        ways: { 'all links of the proposer with 1,000 ms': { delay: 1000, jitter: 200 } } });
    return { faults: { ...one.faults, frames_delayed: one.faults.frames_delayed + all.faults.frames_delayed },
             gaps: { ...one.gaps, ...all.gaps } };
}

// --- machines

/** clock: the wall clock of whoever proposes jumps to and fro (libfaketime). */
async function clock(world, { seconds, say }) {
    if (!World.canFakeTime()) return { skipped: 'libfaketime is not installed' };
    const number = await world.settled();
    const file = path.join(world.home(number), 'clock');
    const setClock = (text) => {
        fs.writeFileSync(`${file}.new`, `${text}\n`);
        fs.renameSync(`${file}.new`, file);
    };
    setClock('+0');
    await world.node(number).end();
    world.startNode(number, { clock: file });
    const gaps = {};
    let jumped = 0;
    for (const offset of ['+60', '-60', '+3600', '+0']) {
        if (jumped < 2) setClock('+0'); // or it would not lead
        if (jumped < 2) await until(`node ${number} proposes`, 300, async () =>
            await world.settled() === number, 500);
        const result = await watched(world, others(world, number), async (watches) => {
            setClock(offset);
            await sleep(seconds * 1000);
            await watches.grow(2, 30);
        });
        jumped += 1;
        gaps[`clock at ${offset} s`] = { nodes_ms: Math.round(result.nodes), haproxy_ms: Math.round(result.proxy) };
        const block = await call(world.url(others(world, number)[0]), 'eth_getBlockByNumber', ['latest', false]);
        const ahead = Number(block.timestamp) - Date.now() / 1000;
        gaps[`clock at ${offset} s`].block_time_ahead_s = Math.round(ahead);
        say(`node ${number}'s clock at ${offset} s: gap ${Math.round(result.nodes)} ms, ` +
            `blocks' time ${Math.round(ahead)} s ahead`);
    }
    await world.node(number).end();
    world.startNode(number);
    await world.settled();
    const refused = others(world, number).reduce((sum, one) =>
        sum + world.logged(`node-${one}`, 'too far in the future'), 0);
    check(refused > 0, 'nobody refused a block from the future');
    return { faults: { jumps: jumped, blocks_refused: refused }, gaps };
}

/** disk: whoever proposes has no room left; it says so, ends, and is back when there is room. */
async function disk(world, { say }) {
    const number = await world.settled();
    const mount = path.join(world.home(number), 'small');
    const data = path.join(mount, 'data');
    await world.node(number).end();
    fs.mkdirSync(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512m', 'none', mount]);
    fs.cpSync(path.join(world.home(number), 'data'), data, { recursive: true, filter: (file) =>
        !file.endsWith('lock.mdb') });
    world.startNode(number, { data });
    await until(`node ${number} proposes`, 300, async () => await world.settled() === number, 1000);
    const gaps = await watched(world, others(world, number), async (watches) => {
        const filler = fs.openSync(path.join(mount, 'filler'), 'w');
        let left = 0;
        for (const size of [1 << 20, 1 << 12]) {
            const zeros = Buffer.alloc(size);
            try {
                for (;;) left += fs.writeSync(filler, zeros);
            } catch (error) {
                check(error.code === 'ENOSPC', error.message);
            }
        }
        fs.closeSync(filler);
        say(`node ${number}'s disk is full (${left >> 20} MiB of filler)`);
        await until(`node ${number} ends`, 60, () => !world.node(number).isRunning);
        await watches.grow(4, 60);
    });
    const { result } = world.node(number);
    check(typeof result === 'number' && result !== 0, `node ${number} ended with ${result}, not by itself`);
    fs.rmSync(path.join(mount, 'filler'));
    world.startNode(number, { data });
    await world.settled();
    say(`it ended with exit code ${result}; gap ${Math.round(gaps.nodes)} ms; back with room on its disk`);
    await world.node(number).end();
    fs.rmSync(path.join(world.home(number), 'data'), { recursive: true });
    fs.cpSync(data, path.join(world.home(number), 'data'), { recursive: true });
    execFileSync('umount', [mount]);
    world.startNode(number);
    await world.settled();
    return { faults: { disks_full: 1, exit_code: result }, ...summarize([gaps]) };
}

// --- liars

const LIAR_FACTOR = 4; // it lies so much longer than a partition lasts

/** liar: one node of four is a Byzantine build, first without, then with double signing. */
async function liar(world, { seconds, say }) {
    const number = await world.settled();
    const honest = others(world, number);
    const name = `node-${number}`;
    const gaps = {};
    const faults = {};
    for (const ways of ['withhold,invalid', 'withhold,invalid,equivocate']) {
        await world.node(number).end();
        world.startNode(number, { program: world.byzantine, env: { BYZANTINE_WAYS: ways } });
        await world.settled();
        const from = performance.now();
        say(`node ${number} lies (${ways}) until it has led, which may take four rotations`);
        const result = await watched(world, honest, async () => {
            await sleep(seconds * LIAR_FACTOR * 1000);
            // It has to lead for that, and each validator leads every fourth rotation only.
            await until(`node ${number} spoils a proposal`, 180, () =>
                world.logged(name, 'spoiled') > 0, 500);
        });
        gaps[ways] = { nodes_ms: Math.round(result.nodes), haproxy_ms: Math.round(result.proxy) };
        say(`node ${number} lied (${ways}) for ${Math.round((performance.now() - from) / 1000)} s: ` +
            `gap ${Math.round(result.nodes)} ms`);
    }
    for (const lie of ['withheld', 'spoiled', 'signed twice']) {
        faults[lie.replace(' ', '_')] = world.logged(name, lie);
        check(faults[lie.replace(' ', '_')] > 0, `node ${number} never ${lie}`);
    }
    for (const one of honest) {
        check(world.logged(`node-${one}`, 'signed twice') > 0, `node ${one} has no evidence`);
    }
    say(`every honest node has evidence against node ${number}`);
    const left = await until('the liar out of the contract\'s set', 120, async () => {
        const active = await world.activeValidators();
        return active < world.count ? active : null;
    }, 1000);
    say(`its stake is slashed on L1: ${left} validators are left`);
    return { faults: { ...faults, slashed: world.count - left }, gaps, liar: number };
}

/** Each with the networks it is meant for. */
export const CASES = [
    { name: 'kill', run: kill, models: ['crash', 'byzantine'] },
    { name: 'vanish', run: vanish, models: ['crash', 'byzantine'] },
    { name: 'stop', run: stop, models: ['crash', 'byzantine'] },
    { name: 'kill-all', run: killAll, models: ['crash', 'byzantine'] },
    { name: 'pause', run: pause, models: ['crash', 'byzantine'] },
    { name: 'partition', run: partition, models: ['crash', 'byzantine'] },
    { name: 'delay', run: delay, models: ['crash', 'byzantine'] },
    { name: 'loss', run: loss, models: ['crash', 'byzantine'] },
    { name: 'slow-link', run: slow, models: ['crash', 'byzantine'] },
    { name: 'clock', run: clock, models: ['crash', 'byzantine'] },
    { name: 'disk-full', run: disk, models: ['crash', 'byzantine'] },
    { name: 'liar', run: liar, models: ['byzantine'] },
];
