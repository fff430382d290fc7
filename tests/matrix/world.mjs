// Real processes in network namespaces: L1, DA, HAProxy and clients in the hub, each node in its own.
//
// The namespaces are made by tests/matrix/run (hub first); tests/matrix/wire.c is the network between
// them.  Host 0 is the hub, 10.77.0.1; node N is host N, 10.77.0.(N + 1).
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { ethers } from 'ethers';
import { account, call, check, root, sleep, until } from '../network/library.mjs';

// The first of anvil's ten accounts: its key is published.
const DEPLOYER_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const STEADY_MS = 1000;
const CHAIN_ID = 20251;
const ACCOUNTS = 64;
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';
const GOOD_LINK = { blocked: false, delay: 0, jitter: 0, loss: 0, rate: 0 };

/** Process is one that we started, by its id, with its output in a file. */
class Process {
    constructor(name, space, command, argv, log, env = {}) {
        const out = fs.openSync(log, 'a');
        const full = space === null ? [command, ...argv] : ['ip', 'netns', 'exec', space, command, ...argv];
        this.name = name;
        this.log = log;
        this.child = spawn(full[0], full.slice(1), {
            stdio: ['ignore', out, out], env: { ...process.env, ...env },
        });
        fs.closeSync(out);
        this.ended = new Promise((resolve) => {
            this.child.on('exit', (code, signal) => {
                this.result = signal ?? code;
                resolve(this.result);
            });
            this.child.on('error', (error) => {
                this.result = error.message;
                resolve(this.result);
            });
        });
    }

    get isRunning() { return this.result === undefined; }

    signal(name) {
        if (this.isRunning) this.child.kill(name);
    }

    /** end asks, waits, and kills what does not end in time. */
    async end(seconds = 15) {
        this.signal('SIGTERM');
        this.signal('SIGCONT');
        const timer = setTimeout(() => this.signal('SIGKILL'), seconds * 1000);
        await this.ended;
        clearTimeout(timer);
    }

    async kill() {
        this.signal('SIGKILL');
        await this.ended;
    }
}

/** Wire speaks with tests/matrix/wire.c. */
class Wire {
    constructor(program, seed, spaces) {
        this.child = spawn(program, [String(seed), ...spaces], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
        this.turn = this.#line();
        this.changed = new Set();
    }

    async #line() {
        const { value, done } = await this.lines.next();
        check(!done, 'the wire ended');
        return value;
    }

    ask(line) {
        const answer = this.turn.then(() => {
            this.child.stdin.write(`${line}\n`);
            return this.#line();
        });
        this.turn = answer;
        return answer;
    }

    async set(from, to, { blocked, delay, jitter, loss, rate }) {
        const answer = await this.ask(
            `set ${from} ${to} ${blocked ? 1 : 0} ${delay} ${jitter} ${Math.round(loss * 1e6)} ${rate}`);
        check(answer === 'ok', `wire: ${answer}`);
    }

    end() {
        this.child.stdin.end();
    }
}

export class World {
    constructor({ spaces, build, dir, seed }) {
        Object.assign(this, { spaces, build, dir, processes: new Map(), changed: new Map() });
        this.baton = path.join(build, 'baton');
        this.byzantine = path.join(build, 'baton_byzantine');
        this.wire = new Wire(path.join(build, 'matrix_wire'), seed, spaces);
        this.rpc = 'http://10.77.0.1:8080';
        this.ws = 'ws://10.77.0.1:8080';
        this.l1 = 'http://10.77.0.1:9545';
    }

    // --- the network

    async connect() {
        await this.wire.turn;
        for (const [host, space] of this.spaces.entries()) {
            const ip = (...argv) => execFileSync('ip', ['-n', space, ...argv]);
            ip('link', 'set', 'lo', 'up');
            ip('addr', 'add', `10.77.0.${host + 1}/24`, 'dev', 'wire0');
            ip('link', 'set', 'wire0', 'up');
        }
    }

    /** link sets what one direction of one link is like. */
    async link(from, to, condition) {
        this.changed.set(`${from} ${to}`, [from, to]);
        await this.wire.set(from, to, { ...GOOD_LINK, ...condition });
    }

    /** both sets both directions of a link. */
    async both(a, b, condition) {
        await this.link(a, b, condition);
        await this.link(b, a, condition);
    }

    /** heal makes every link good again. */
    async heal() {
        for (const [from, to] of this.changed.values()) await this.wire.set(from, to, GOOD_LINK);
        this.changed.clear();
    }

    async frames() {
        return JSON.parse(await this.wire.ask('counts'));
    }

    // --- processes

    start(name, space, command, argv, env) {
        check(!this.processes.get(name)?.isRunning, `${name} runs already`);
        fs.mkdirSync(path.join(this.dir, 'logs'), { recursive: true });
        const started = new Process(name, space, command, argv,
                                    path.join(this.dir, 'logs', `${name}.log`), env);
        this.processes.set(name, started);
        return started;
    }

    run(command, ...argv) {
        return execFileSync(command, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    }

    async stopAll() {
        for (const one of this.processes.values()) one.signal('SIGCONT');
        const order = [...this.processes.values()].reverse();
        for (const one of order) await one.end(5);
        this.processes.clear();
    }

    async end() {
        await this.stopAll();
        this.wire.end();
    }

    // --- one network after another

    home(number) { return path.join(this.dir, `node-${number}`); }
    url(number) { return `http://10.77.0.${number + 1}:8545`; }
    wsUrl(number) { return `ws://10.77.0.${number + 1}:8546`; }
    node(number) { return this.processes.get(`node-${number}`); }
    get numbers() { return Array.from({ length: this.count }, (_, index) => index + 1); }
    get nodes() { return this.numbers.map((number) => this.url(number)); }

    /** up makes a new chain of `count` validators under a fault model. */
    async up(dir, { count, model, blockTimeMs }) {
        Object.assign(this, { dir, count, model, blockTimeMs });
        fs.mkdirSync(dir, { recursive: true });
        this.start('l1', null, 'anvil', ['--host', '10.77.0.1', '--port', '9545', '--chain-id', '31337',
            '--block-time', '1', '--slots-in-an-epoch', '1', '--cache-path', path.join(dir, 'l1-cache'),
            '--quiet']);
        await until('L1', 60, () => call(this.l1, 'eth_blockNumber'));
        this.#deploy();
        await this.#genesis();
        this.start('da', null, this.baton, ['da', '--listen', '10.77.0.1', '--port', '26658', '--dir',
            path.join(dir, 'da'), '--block-time-ms', '1000']);
        for (const number of this.numbers) this.startNode(number);
        await this.settled();
        this.#haproxy();
        await until('HAProxy', 30, () => call(this.rpc, 'eth_blockNumber'));
    }

    #deploy() {
        const { dir } = this;
        const key = path.join(dir, 'deployer.key');
        fs.writeFileSync(key, `${DEPLOYER_KEY}\n`, { mode: 0o600 });
        this.addressesFile = path.join(dir, 'addresses.json');
        this.run(path.join(root, 'scripts/deploy-contracts'), '--rpc-url', this.l1, '--out',
                 this.addressesFile, '--private-key-file', key, '--fault-model', this.model);
        this.addresses = JSON.parse(fs.readFileSync(this.addressesFile, 'utf8'));
        const validators = [];
        this.peerIds = new Map();
        this.validators = new Map(); // address -> number
        for (const number of this.numbers) {
            const keys = path.join(this.home(number), 'keys');
            fs.mkdirSync(this.home(number), { recursive: true });
            this.run(this.baton, 'key', 'new', keys);
            this.peerIds.set(number, this.run(this.baton, 'key', 'peer-id',
                                              path.join(keys, 'peer.key')).trim());
            const address = this.run(this.baton, 'key', 'address', path.join(keys, 'validator.key'));
            this.validators.set(address.trim().toLowerCase(), number);
            validators.push('--validator', [path.join(keys, 'validator.key'),
                                            this.peerIds.get(number), this.url(number)].join(','));
        }
        this.run(path.join(root, 'scripts/register-validators'), '--rpc-url', this.l1, '--addresses',
                 this.addressesFile, '--funder-key-file', key, '--gas-ether', '100', ...validators);
    }

    async #genesis() {
        await until('the validators finalized', 60, async () =>
            await this.activeValidators() >= this.count);
        const genesis = JSON.parse(fs.readFileSync(
            path.join(root, 'scripts/network/genesis.template.json'), 'utf8'));
        genesis.config.chainId = CHAIN_ID;
        genesis.timestamp = `0x${Math.floor(Date.now() / 1000).toString(16)}`;
        for (let index = 0; index < ACCOUNTS; index++) {
            genesis.alloc[account(index).address] = { balance: '0xd3c21bcecceda1000000' };
        }
        Object.assign(genesis.config.baton,
                      { l1_chain_id: 31337, block_time_ms: this.blockTimeMs, fault_model: this.model });
        const template = path.join(this.dir, 'template.json');
        fs.writeFileSync(template, JSON.stringify(genesis));
        this.run(this.baton, 'init', '--genesis', path.join(this.dir, 'genesis.json'), '--template',
                 template, '--l1-rpc-url', this.l1, '--consensus-contract', this.addresses.consensus,
                 '--coordinator-contract', this.addresses.coordinator);
    }

    /**
     * startNode starts a node, with another program, another data directory or a clock of its own
     * (a file that libfaketime reads) when asked.
     */
    startNode(number, { program = this.baton, env = {}, data, clock } = {}) {
        const home = this.home(number);
        const peers = this.numbers.filter((other) => other !== number)
            .map((other) => `${this.peerIds.get(other)}@10.77.0.${other + 1}:30303`);
        const config = path.join(home, 'config.json');
        fs.writeFileSync(config, JSON.stringify({
            data_dir: data ?? path.join(home, 'data'), genesis: path.join(this.dir, 'genesis.json'),
            validator_key_file: path.join(home, 'keys/validator.key'),
            peer_key_file: path.join(home, 'keys/peer.key'),
            rpc_host: '0.0.0.0', ws_host: '0.0.0.0', metrics_host: '0.0.0.0',
            p2p_host: '0.0.0.0', p2p_peers: peers.join(','),
            l1_rpc_url: this.l1, da_url: 'http://10.77.0.1:26658',
            da_timeout_ms: 5000, da_submit_timeout_ms: 10000,
        }));
        const faked = clock === undefined ? {} : {
            LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_CACHE_DURATION: '1',
            FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1',
        };
        return this.start(`node-${number}`, this.spaces[number], program, ['node', '--config', config],
                          { ...faked, ...env });
    }

    #haproxy() {
        const file = path.join(this.dir, 'haproxy.cfg');
        this.run(path.join(root, 'scripts/render-config'), 'haproxy', '--out', file,
                 '--bind=10.77.0.1:8080', '--stats-bind', '127.0.0.1:8404', '--requests-per-10s',
                 '1000000', ...this.numbers.map((number) =>
                     `sequencer-${number}=10.77.0.${number + 1},8545,8546,9090`));
        this.start('haproxy', null, 'haproxy', ['-db', '-f', file]);
    }

    static canFakeTime() { return fs.existsSync(FAKETIME); }

    // --- what nodes say

    status(number, timeoutMs = 3000) {
        return call(this.url(number), 'baton_status', [], { timeoutMs });
    }

    /** activeValidators asks the contract, at L1's finalized block. */
    async activeValidators() {
        const data = ethers.id('getActiveValidatorsCount()').slice(0, 10);
        return Number(await call(this.l1, 'eth_call',
                                 [{ to: this.addresses.consensus, data }, 'finalized']));
    }

    /** settled waits until the nodes are ready, together, and of one mind who leads. */
    settled(seconds = 120, numbers = this.numbers) {
        return until('all nodes ready and together', seconds, () => this.together(numbers), 50);
    }

    /** together gives who leads when the nodes are ready, at nearly one height and agree on that. */
    async together(numbers) {
        const all = await Promise.all(numbers.map((number) => this.status(number)));
        const heights = all.map((one) => Number(one.height));
        const waiting = all.findIndex((one) => !one.ready);
        if (waiting >= 0) throw new Error(`node ${numbers[waiting]}: ${all[waiting].reason}`);
        if (Math.max(...heights) - Math.min(...heights) > 1) return null;
        const leaders = all.filter((one) => one.isProposer);
        return leaders.length === 1 ? numbers[all.indexOf(leaders[0])] : null;
    }

    /** steady waits until the nodes have been settled for a second on end. */
    async steady(seconds = 120) {
        let leader, since = null;
        await until('all nodes in step', seconds, async () => {
            const now = await this.together(this.numbers).catch(() => null);
            if (now === null || now !== leader) since = null;
            leader = now;
            if (now !== null) since ??= performance.now();
            return since !== null && performance.now() - since >= STEADY_MS;
        }, 50);
        return leader;
    }

    /** metric reads one of a node's own metrics. */
    async metric(number, name) {
        const reply = await fetch(`http://10.77.0.${number + 1}:9090/metrics`);
        const line = (await reply.text()).split('\n').find((one) =>
            one.startsWith(`${name} `) || one.startsWith(`${name}{`));
        return line === undefined ? null : Number(line.split(' ').at(-1));
    }

    /** logged counts the lines of a process's log that contain a text. */
    logged(name, text) {
        const log = path.join(this.dir, 'logs', `${name}.log`);
        return fs.readFileSync(log, 'utf8').split('\n').filter((line) => line.includes(text)).length;
    }
}
