// Accounts and storage are made, then `baton join` makes a fourth node out of the address of one:
// wrong pins are refused, so is a validator without stake; a follower takes a snapshot, is killed in
// the middle, answers nothing from what is not whole, goes on where it was, is started by `--start`,
// and has the same state as the others.  A fifth knows the fourth alone, which has no old blocks: it
// takes a snapshot while it runs.  Then whoever was refused registers with the least stake, joins with
// the same command, and votes.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {
    account, call, check, height, hex, main, network, ok, root, until,
} from './library.mjs';

const SLOTS_PER_CALL = 150;
const CALLS = 24;
const BASE = 0x1000000;
// For i from 0 below the first word of calldata: slot base + i becomes base + i + 1, and the account
// of that number gets one wei.
const RUNTIME = '5f5b805f35111560265780602035018060010181555f5f5f5f6001855ff15050600101600156' +
    '5b00';
const net = network();
const baton = process.env.BATON ?? path.join(root, 'build/release/baton');
const home = path.join(net.dir, 'joined');
const port = (name) => ({ rpc: 9960, ws: 9961, metrics: 9962, p2p: 9963 })[name] + net.offset;
const joined = `http://127.0.0.1:${port('rpc')}`;
const config = JSON.parse(fs.readFileSync(path.join(net.dir, 'sequencer-1/config.json'), 'utf8'));
const addresses = JSON.parse(fs.readFileSync(path.join(net.dir, 'addresses.json'), 'utf8'));
const lastHome = path.join(net.dir, 'last');
const lastPort = (name) => port(name) + 10;
const last = `http://127.0.0.1:${lastPort('rpc')}`;
const bootstrap = `127.0.0.1:${config.p2p_port}`;
const word = (number) => BigInt(number).toString(16).padStart(64, '0');
const environment = { ...process.env };
delete environment.BATON;
delete environment.BATON_SNAPSHOT_BYTES_PER_SECOND;

/** baton runs a command to its end: {code, text}. */
function run(...argv) {
    try {
        const text = execFileSync(baton, argv, { encoding: 'utf8', env: environment,
                                                 stdio: ['ignore', 'pipe', 'pipe'] });
        return { code: 0, text };
    } catch (error) {
        return { code: error.status, text: `${error.stdout}${error.stderr}` };
    }
}

/** begin starts a command whose output is collected in .text. */
function begin(...argv) {
    const child = spawn(baton, argv, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    child.text = '';
    child.ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
    for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (data) => { child.text += data; });
    }
    return child;
}

const joinAt = (at, dir, ...more) => ['join', '--bootstrap', bootstrap, '--data', dir,
    '--l1', net.l1, '--contract', addresses.consensus, '--rpc-port', String(at('rpc')),
    '--ws-port', String(at('ws')), '--metrics-port', String(at('metrics')),
    '--p2p-host', '127.0.0.1', '--p2p-port', String(at('p2p')), ...more];
const join = (dir, ...more) => joinAt(port, dir, ...more);

async function send(wallet, nonce, transaction) {
    const raw = await wallet.signTransaction({
        chainId: Number(await call(net.rpc, 'eth_chainId')), type: 2, nonce,
        maxFeePerGas: 20_000_000_000n, maxPriorityFeePerGas: 1_000_000n, ...transaction });
    return call(net.rpc, 'eth_sendRawTransaction', [raw], { retries: 3 });
}
const receipt = (hash) => until(`receipt of ${hash}`, 30, () =>
    call(net.rpc, 'eth_getTransactionReceipt', [hash]));

/** fill makes CALLS * SLOTS_PER_CALL accounts and as many slots of one contract. */
async function fill() {
    const wallet = account(1);
    let nonce = Number(await call(net.rpc, 'eth_getTransactionCount', [wallet.address, 'pending']));
    const code = `0x60288060095f395ff3${RUNTIME}`;
    const made = await receipt(await send(wallet, nonce++, { data: code, gasLimit: 200_000 }));
    const contract = made.contractAddress;
    const hashes = [];
    for (let i = 0; i < CALLS; i++) {
        hashes.push(await send(wallet, nonce++, {
            to: contract, value: SLOTS_PER_CALL, gasLimit: 12_000_000,
            data: `0x${word(SLOTS_PER_CALL)}${word(BASE + i * SLOTS_PER_CALL)}` }));
    }
    for (const hash of hashes) {
        check((await receipt(hash)).status === '0x1', `transaction ${hash} succeeded`);
    }
    ok(`${CALLS * SLOTS_PER_CALL} accounts and slots are made`);
    return contract;
}

/** refusals: what `baton join` must not believe, and whom it must not make a validator. */
function refusals() {
    const pinned = run(...join(`${home}-pinned`, '--follower', '--genesis-hash', `0x${'12'.repeat(32)}`));
    check(pinned.code === 1 && pinned.text.includes('genesis_hash:'), `wrong hash: ${pinned.text}`);
    check(!fs.existsSync(`${home}-pinned`), 'nothing is made of a wrong genesis');
    const other = run('join', '--bootstrap', `0x${'12'.repeat(32)}@${bootstrap}`, '--data', home);
    check(other.code === 1 && other.text.includes('another peer'), `wrong peer: ${other.text}`);
    const contract = run(...join(`${home}-contract`, '--follower', '--contract',
                                 addresses.coordinator));
    check(contract.code === 1 && contract.text.includes('consensus_contract:'), contract.text);
    const poor = run(...join(`${home}-poor`));
    check(poor.code === 1, `no stake: exit code ${poor.code}`);
    check(poor.text.includes('has staked 0 tokens, the least is 1000'), poor.text);
    check(poor.text.includes('registerValidator(bytes32,string,uint256)'), poor.text);
    check((fs.statSync(`${home}-poor/validator.key`).mode & 0o777) === 0o600, 'mode of the key');
    ok('wrong pins and a validator without stake are refused');
}

/** take joins as a follower; the first try is killed while accounts are being loaded. */
async function take() {
    const genesis = path.join(net.dir, 'genesis.json');
    const first = begin(...join(home, '--follower', '--genesis', genesis));
    await until('the snapshot begins', 30, () => first.text.includes('taking the state of block'));
    await new Promise((resolve) => setTimeout(resolve, 1200));
    check(!/state of block \d+ is here/.test(first.text), `too fast to be interrupted: ${first.text}`);
    first.kill('SIGKILL');
    await first.ended;
    ok('killed in the middle of the snapshot');
    const node = begin('node', '--config', path.join(home, 'config.json'));
    try {
        await partial(node);
    } finally {
        node.kill('SIGTERM');
    }
    check(await node.ended === 0, `a node ends while it takes a snapshot: ${node.text}`);
    const second = begin(...join(home, '--follower', '--genesis', genesis, '--start'));
    await until('the snapshot is taken and the node started', 60, () => {
        check(second.exitCode === null, `join --start: ${second.text}`);
        return /, chain \d+, genesis 0x/.test(second.text);
    });
    check(second.text.includes('begun by an earlier run'), `goes on: ${second.text}`);
    const [, accounts, slots] = second.text.match(/: (\d+) accounts, (\d+) slots/).map(Number);
    ok(`the next run took the rest: ${accounts} accounts, ${slots} slots`);
    return second;
}

/** partial: what a node answers that has a part of the state. */
async function partial(node) {
    const account = `0x${word(BASE).slice(24)}`;
    await until('the node says that it takes a snapshot', 30, async () => {
        const reply = await fetch(`${joined}/ready`).catch(() => null);
        return reply !== null && /taking a snapshot: \d/.test(await reply.text());
    });
    const answers = await Promise.all([
        ['eth_getBalance', [account, 'latest']], ['eth_getCode', [account, 'latest']],
        ['eth_getStorageAt', [account, '0x0', 'latest']], ['eth_getProof', [account, [], 'latest']],
        ['eth_getTransactionCount', [account, 'latest']],
        ['eth_getTransactionCount', [account, 'pending']], ['eth_call', [{ to: account }, 'latest']],
        ['eth_estimateGas', [{ to: account }]],
        ['eth_getTransactionByHash', [`0x${'12'.repeat(32)}`]],
    ].map(async ([method, params]) => {
        const error = await call(joined, method, params).then((value) => value, (reason) => reason);
        return [method, error.code, error.text ?? JSON.stringify(error)];
    }));
    const syncing = await call(joined, 'eth_syncing');
    const number = await call(joined, 'eth_blockNumber');
    const reply = await (await fetch(`${joined}/ready`)).text();
    check(reply.includes('taking a snapshot'), `too fast to be looked at: ${reply} ${node.text}`);
    for (const [method, code, text] of answers) {
        check(code === -32000 && text === 'syncing: the state is being downloaded',
              `${method} of a part of a state: ${code} ${text}`);
    }
    check(number === '0x0' && syncing.currentBlock === '0x0', JSON.stringify([number, syncing]));
    check(BigInt(syncing.highestBlock) > 200n, `highest block: ${JSON.stringify(syncing)}`);
    ok('nothing is answered from a part of the state');
}

async function compare(node, contract) {
    const at = hex(await height(node));
    const blocks = await Promise.all([node, net.nodes[0]].map((url) =>
        call(url, 'eth_getBlockByNumber', [at, false], { retries: 5 })));
    check(blocks[0].hash === blocks[1].hash, 'same block');
    for (const index of [0, 1, 777, CALLS * SLOTS_PER_CALL - 1]) {
        const address = `0x${word(BASE + index).slice(24)}`;
        const slot = `0x${word(BASE + index)}`;
        for (const [method, params] of [['eth_getBalance', [address, at]],
                                        ['eth_getStorageAt', [contract, slot, at]],
                                        ['eth_getCode', [contract, at]]]) {
            const [ours, theirs] = await Promise.all([node, net.nodes[0]].map((url) =>
                call(url, method, params)));
            check(ours === theirs && BigInt(ours) > 0n, `${method}: ${ours} and ${theirs}`);
        }
        const proofs = await Promise.all([node, net.nodes[0]].map((url) =>
            call(url, 'eth_getProof', [contract, [slot], at])));
        check(JSON.stringify(proofs[0]) === JSON.stringify(proofs[1]), 'same proof');
    }
    ok(`same state at block ${Number(at)}`);
}

/** follow: the joined node keeps up, and what is sent to it gets into a block. */
async function follow(contract) {
    const pivot = await height(net.nodes[0]);
    await until('the joined node is ready', 40, async () => {
        const reply = await fetch(`${joined}/ready`);
        return reply.status === 200;
    });
    await until('it follows the head', 20, async () =>
        (await height(joined)) > pivot && (await height(joined)) + 5 >= await height(net.nodes[0]));
    await compare(joined, contract);
    const wallet = account(1);
    const nonce = Number(await call(net.rpc, 'eth_getTransactionCount', [wallet.address, 'latest']));
    const raw = await wallet.signTransaction({
        chainId: Number(await call(net.rpc, 'eth_chainId')), type: 2, nonce, gasLimit: 21000,
        maxFeePerGas: 20_000_000_000n, maxPriorityFeePerGas: 1n, to: wallet.address });
    await receipt(await call(joined, 'eth_sendRawTransaction', [raw]));
    ok('a transaction sent to the follower is in a block');
}

/** stranded: a node from genesis whose only peer has no block before its snapshot. */
async function stranded(contract) {
    check(run('key', 'new', lastHome).code === 0, 'keys are made');
    const ours = JSON.parse(fs.readFileSync(path.join(home, 'config.json'), 'utf8'));
    const id = run('key', 'peer-id', ours.peer_key_file).text.trim();
    const settings = { ...ours, data_dir: lastHome, peer_key_file: path.join(lastHome, 'peer.key'),
                       rpc_port: lastPort('rpc'), ws_port: lastPort('ws'),
                       metrics_port: lastPort('metrics'), p2p_port: lastPort('p2p'),
                       p2p_peers: `${id}@127.0.0.1:${port('p2p')}`,
                       l1_rpc_url: 'http://127.0.0.1:1', sync_behind_blocks: 1_000_000 };
    const file = path.join(lastHome, 'config.json');
    fs.writeFileSync(file, JSON.stringify(settings));
    const node = begin('node', '--config', file);
    try {
        await until('it is stuck, and takes a snapshot while it runs', 90, () => {
            check(node.exitCode === null, `stranded: ${node.text}`);
            return /nobody gives the next block.*(.|\n)*state of block \d+ is here/.test(node.text);
        });
        await until('it follows the head', 40, async () =>
            (await height(last).catch(() => 0)) + 5 >= await height(net.nodes[0]));
        await compare(last, contract);
        ok('a node whose peer has no old blocks switches to a snapshot while it runs');
    } catch (error) {
        console.error(node.text);
        throw error;
    } finally {
        await end(node, 'the stranded node');
    }
}

/** staked: the validator that was refused registers, joins and votes. */
async function staked() {
    const dir = `${home}-poor`;
    const key = path.join(dir, 'validator.key');
    const own = run('key', 'address', key).text.trim().toLowerCase();
    const peer = run('key', 'peer-id', path.join(dir, 'peer.key')).text.trim();
    execFileSync(path.join(root, 'scripts/register-validators'), [
        '--rpc-url', net.l1, '--addresses', path.join(net.dir, 'addresses.json'),
        '--funder-key-file', path.join(net.dir, 'keys/deployer.key'), '--gas-ether', '100',
        '--validator', `${key},${peer},${last}`], { stdio: ['ignore', 'ignore', 'inherit'] });
    const node = begin(...joinAt(lastPort, dir, '--start'));
    try {
        await until('its stake is enough and it is started', 60, () => {
            check(node.exitCode === null, `join as a validator: ${node.text}`);
            return /stake {6}1000 tokens of at least 1000[^]*, chain \d+, genesis 0x/.test(node.text);
        });
        await until('it is in the set', 60, async () =>
            (await call(last, 'baton_status').catch(() => null))?.validator === true);
        const genesis = JSON.parse(fs.readFileSync(path.join(net.dir, 'genesis.json'), 'utf8'));
        const set = genesis.config.baton.validators.map((one) => one.address.toLowerCase());
        const index = [...set, own].sort().indexOf(own);
        const from = await height(last);
        await until('a commit has its signature', 30, async () => {
            const to = await height(net.nodes[0]);
            for (let at = Math.max(from, to - 20); at <= to; at++) {
                const commit = await call(net.nodes[0], 'baton_getCommit', [hex(at)]);
                if (commit?.signatures.some((one) => Number(one.validatorIndex) === index)) return true;
            }
            return false;
        });
        ok('the validator that was refused has staked, joins with the same command, and votes');
    } catch (error) {
        console.error(node.text);
        throw error;
    } finally {
        await end(node, 'the new validator');
    }
}

async function end(node, name) {
    node.kill('SIGTERM');
    const code = await node.ended;
    if (code !== 0) console.error(node.text);
    check(code === 0, `${name} ends with ${code}`);
}

await main('join', async () => {
    const contract = await fill();
    refusals();
    await until('enough blocks', 60, async () => (await height(net.rpc)) > 230);
    const node = await take();
    try {
        await follow(contract);
        await stranded(contract);
        await staked();
    } finally {
        await end(node, 'the joined node');
    }
});
