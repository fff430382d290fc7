// What the deployment scripts share: options, keys, the L1 endpoint, artifacts and files.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ethers } from 'ethers';

export const contractsDir = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const DEVELOPMENT_CHAINS = new Set([1337n, 31337n]);
const DEVELOPMENT_MNEMONIC = 'test test test test test test test test test test test junk';
const DEVELOPMENT_KEYS_COUNT = 100; // as many as the node refuses
const REQUEST_TIMEOUT_MS = 10_000;

/** An error that the user can mend: it is printed without a stack. */
export class UserError extends Error {}

/** parseOptions reads `--name value` and `--name=value`; `known` maps names to {env, many}. */
export function parseOptions(argv, known) {
    const options = {};
    for (let index = 0; index < argv.length; index++) {
        const match = /^--([a-z-]+)(?:=(.*))?$/s.exec(argv[index]);
        if (!match || !(match[1] in known)) throw new UserError(`unknown option ${argv[index]}`);
        const [, name, inline] = match;
        const value = inline ?? argv[++index];
        if (value === undefined) throw new UserError(`--${name} needs a value`);
        if (known[name].many) (options[name] ??= []).push(value);
        else if (name in options) throw new UserError(`--${name} is given twice`);
        else options[name] = value;
    }
    for (const [name, { env }] of Object.entries(known)) {
        if (!(name in options) && env && process.env[env]) options[name] = process.env[env];
    }
    return options;
}

export function required(options, known, name) {
    if (name in options) return options[name];
    const env = known[name].env ? ` (or ${known[name].env})` : '';
    throw new UserError(`--${name}${env} is missing`);
}

/** connect returns a provider whose chain is known to answer; it gives up instead of waiting. */
export async function connect(url) {
    const request = new ethers.FetchRequest(url);
    request.timeout = REQUEST_TIMEOUT_MS;
    let chainId;
    try {
        const reply = await fetch(url, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
            signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        });
        chainId = BigInt((await reply.json()).result);
    } catch (error) {
        throw new UserError(`the L1 endpoint ${url} does not answer eth_chainId: ` +
                            `${error.cause?.code ?? error.message}`);
    }
    const network = ethers.Network.from(chainId);
    const provider = new ethers.JsonRpcProvider(request, network, {
        staticNetwork: network,
        cacheTimeout: -1, // a cached nonce is a wrong nonce
    });
    provider.pollingInterval = DEVELOPMENT_CHAINS.has(chainId) ? 100 : 2000;
    return { provider, chainId };
}

/** loadKey reads a private key (hex, 0x or not) from a file that only its owner can read. */
export function loadKey(file, chainId) {
    let text;
    try {
        const mode = fs.statSync(file).mode & 0o777;
        if (mode & 0o077) {
            throw new UserError(`the key file ${file} has mode 0${mode.toString(8)}; ` +
                                `it must be 0600 (chmod 600 ${file})`);
        }
        text = fs.readFileSync(file, 'utf8').trim();
    } catch (error) {
        if (error instanceof UserError) throw error;
        throw new UserError(`the key file ${file} cannot be read: ${error.code}`);
    }
    if (!/^(0x)?[0-9a-fA-F]{64}$/.test(text)) {
        throw new UserError(`the key file ${file} does not hold 64 hexadecimal digits`);
    }
    let wallet;
    try {
        wallet = new ethers.Wallet(text.startsWith('0x') ? text : `0x${text}`);
    } catch {
        throw new UserError(`the key file ${file} holds zero or a number beyond the curve's order`);
    }
    if (!DEVELOPMENT_CHAINS.has(chainId) && isDevelopmentAddress(wallet.address)) {
        throw new UserError(`the key in ${file} is a published development key ` +
                            `(${wallet.address}); chain ${chainId} is no development chain`);
    }
    return wallet;
}

function isDevelopmentAddress(address) {
    const root = ethers.HDNodeWallet.fromPhrase(DEVELOPMENT_MNEMONIC, '', "m/44'/60'/0'/0");
    for (let index = 0; index < DEVELOPMENT_KEYS_COUNT; index++) {
        if (root.deriveChild(index).address === address) return true;
    }
    return false;
}

/** artifact reads what forge built. */
export function artifact(name) {
    const file = path.join(contractsDir, 'out', `${name}.sol`, `${name}.json`);
    return JSON.parse(fs.readFileSync(file, 'utf8'));
}

export const readJson = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));

/** writeJson replaces a file as a whole. */
export function writeJson(file, value) {
    fs.mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
    const temporary = `${file}.tmp-${process.pid}`;
    fs.writeFileSync(temporary, JSON.stringify(value, null, 2) + '\n');
    fs.renameSync(temporary, file);
}

/** codeIs: is the code at an address the artifact's, its immutable values left aside? */
export async function codeIs(provider, address, name) {
    const code = ethers.getBytes(await provider.getCode(address));
    const built = artifact(name).deployedBytecode;
    const expected = ethers.getBytes(built.object);
    if (code.length !== expected.length) return false;
    for (const places of Object.values(built.immutableReferences ?? {})) {
        for (const { start, length } of places) code.fill(0, start, start + length);
    }
    return ethers.hexlify(code) === ethers.hexlify(expected);
}

/** revertOf names a contract's refusal, when that is what an error is about. */
function revertOf(error) {
    const data = error.data ?? error.info?.error?.data;
    if (typeof data !== 'string') return null;
    for (const name of ['AndeConsensus', 'AndeSequencerCoordinator', 'AndeToken']) {
        const revert = new ethers.Interface(artifact(name).abi).parseError(data);
        if (revert) return `refused by the contract: ${revert.name}(${revert.args.join(', ')})`;
    }
    return null;
}

/** main runs a script: a line and exit code 1 for the user's mistakes and the chain's refusals. */
export function main(name, body) {
    body(process.argv.slice(2)).then(() => process.exit(0), (error) => {
        const text = error instanceof UserError ? error.message
            : revertOf(error) ?? error.shortMessage ?? error.stack;
        process.stderr.write(`${name}: ${text}\n`);
        process.exit(1);
    });
}
