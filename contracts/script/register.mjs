// Registers validators: tokens and gas from the funder, approve, registerValidator, read back.
// scripts/register-validators has the usage.
import { ethers } from 'ethers';
import {
    UserError, artifact, connect, loadKey, main, parseOptions, readJson, required,
} from './common.mjs';

const KNOWN = {
    'rpc-url': { env: 'CONSENSUS_RPC_URL' },
    'addresses': { env: 'CONSENSUS_ADDRESSES_FILE' },
    'funder-key-file': { env: 'CONSENSUS_PRIVATE_KEY_FILE' },
    'stake': {},
    'gas-ether': {},
    'validator': { many: true },
};
const STATUS_NONE = 0n;
const STATUS_ACTIVE = 1n;
const STATUS_NAMES = ['None', 'Active', 'Jailed', 'Exiting'];

/** parseValidator reads KEYFILE,PEERID,ENDPOINT; an endpoint may hold commas. */
function parseValidator(text, chainId, provider) {
    const [keyFile, peerId, ...rest] = text.split(',');
    const endpoint = rest.join(',');
    if (!/^(0x)?[0-9a-fA-F]{64}$/.test(peerId ?? '') || endpoint === '') {
        throw new UserError(`--validator ${text}: expected KEYFILE,PEERID,ENDPOINT with a peer ` +
                            'id of 64 hexadecimal digits');
    }
    const wallet = loadKey(keyFile, chainId).connect(provider);
    const peer = peerId.startsWith('0x') ? peerId : `0x${peerId}`;
    return { wallet, peerId: peer.toLowerCase(), endpoint };
}

/** fund tops the validators up from the funder: all transfers are sent, then awaited. */
async function fund(funder, token, validators, stake, gasWei) {
    const provider = funder.provider;
    let nonce = await provider.getTransactionCount(funder.address);
    const sent = [];
    for (const { wallet } of validators) {
        const ether = await provider.getBalance(wallet.address);
        if (ether < gasWei) {
            sent.push(await funder.sendTransaction(
                { to: wallet.address, value: gasWei - ether, nonce: nonce++ }));
        }
        const tokens = await token.balanceOf(wallet.address);
        if (tokens < stake) {
            sent.push(await token.connect(funder).transfer(
                wallet.address, stake - tokens, { nonce: nonce++ }));
        }
    }
    await Promise.all(sent.map((transaction) => transaction.wait()));
}

async function register({ wallet, peerId, endpoint }, consensus, token, stake) {
    if ((await token.allowance(wallet.address, consensus.target)) < stake) {
        await (await token.connect(wallet).approve(consensus.target, stake)).wait();
    }
    const sent = await consensus.connect(wallet).registerValidator(peerId, endpoint, stake);
    await sent.wait();
    console.log(`registered ${wallet.address}, peer ${peerId}, ${endpoint}`);
}

/** readBack prints the set and says whether every listed validator is in it as it was asked for. */
async function readBack(validators, consensus) {
    const set = await consensus.getValidatorSet();
    console.log(`epoch ${set.epoch}, total power ${set.totalPower}, ` +
                `quorum ${await consensus.quorumPower()}`);
    for (const active of set.validators) {
        console.log(`  ${active.validator}  power ${active.power}  peer ${active.peerId}  ` +
                    `${active.endpoint}`);
    }
    const wrong = [];
    for (const { wallet, peerId, endpoint } of validators) {
        const active = set.validators.find((one) => one.validator === wallet.address);
        if (!active) {
            const { status } = await consensus.getValidatorInfo(wallet.address);
            wrong.push(`${wallet.address} is ${STATUS_NAMES[status]}`);
        } else if (active.peerId !== peerId || active.endpoint !== endpoint) {
            wrong.push(`${wallet.address} is registered with peer ${active.peerId} and endpoint ` +
                       `${active.endpoint} (setEndpoint changes an endpoint)`);
        }
    }
    if (wrong.length > 0) throw new UserError(wrong.join('; '));
}

main('register-validators', async (argv) => {
    const options = parseOptions(argv, KNOWN);
    const addresses = readJson(required(options, KNOWN, 'addresses'));
    const { provider, chainId } = await connect(required(options, KNOWN, 'rpc-url'));
    if (BigInt(addresses.l1_chain_id) !== chainId) {
        throw new UserError(
            `the addresses are of chain ${addresses.l1_chain_id}, the L1 endpoint's is ${chainId}`);
    }
    const stake = ethers.parseEther(options.stake ?? '1000');
    const gasWei = ethers.parseEther(options['gas-ether'] ?? '0.1');
    const validators = required(options, KNOWN, 'validator')
        .map((text) => parseValidator(text, chainId, provider));
    const consensus =
        new ethers.Contract(addresses.consensus, artifact('AndeConsensus').abi, provider);
    const token =
        new ethers.Contract(await consensus.stakeToken(), artifact('AndeToken').abi, provider);

    const missing = [];
    for (const validator of validators) {
        const { status } = await consensus.getValidatorInfo(validator.wallet.address);
        if (status === STATUS_NONE) missing.push(validator);
        else if (status === STATUS_ACTIVE) console.log(`${validator.wallet.address} is registered`);
    }
    if (missing.length > 0) {
        if (options['funder-key-file']) {
            const funder = loadKey(options['funder-key-file'], chainId).connect(provider);
            await fund(funder, token, missing, stake, gasWei);
        }
        await Promise.all(missing.map((one) => register(one, consensus, token, stake)));
    }
    await readBack(validators, consensus);
});
