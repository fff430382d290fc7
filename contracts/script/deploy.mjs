// Deploys AndeConsensus (which creates its test token) and AndeSequencerCoordinator, or verifies
// that they are deployed.  scripts/deploy-contracts has the usage.
//
// A journal beside the output file (FILE.partial) names each contract's address before its
// transaction is sent, so that a run that was interrupted anywhere is taken up and not repeated.
import fs from 'node:fs';
import { ethers } from 'ethers';
import {
    UserError, artifact, codeIs, connect, loadKey, main, parseOptions, readJson, required,
    writeJson,
} from './common.mjs';

const KNOWN = {
    'rpc-url': { env: 'CONSENSUS_RPC_URL' },
    'private-key-file': { env: 'CONSENSUS_PRIVATE_KEY_FILE' },
    'out': { env: 'CONSENSUS_ADDRESSES_FILE' },
    'token': {},
    'fault-model': {},
};
const FAULT_MODELS = { crash: 0n, byzantine: 1n };

/** deployStep creates one contract, or takes up where an earlier run was interrupted. */
async function deployStep(wallet, journal, save, key, name, args) {
    const provider = wallet.provider;
    if (journal[key] && (await codeIs(provider, journal[key], name))) return;
    const nonce = await provider.getTransactionCount(wallet.address);
    journal[key] = ethers.getCreateAddress({ from: wallet.address, nonce });
    journal.deploy_block ??= await provider.getBlockNumber();
    save();
    const { abi, bytecode } = artifact(name);
    const factory = new ethers.ContractFactory(abi, bytecode.object, wallet);
    const contract = await factory.deploy(...args, { nonce });
    const receipt = await contract.deploymentTransaction().wait();
    console.log(`${name}: ${receipt.contractAddress} in block ${receipt.blockNumber}, ` +
                `${receipt.gasUsed} gas`);
    if (key === 'consensus') journal.deploy_block = receipt.blockNumber;
    save();
}

/** verify reads everything back and throws on the first thing that is not as it should be. */
async function verify(provider, chainId, addresses, options) {
    const check = (condition, text) => {
        if (!condition) throw new UserError(text);
    };
    check(BigInt(addresses.l1_chain_id) === chainId,
          `the addresses are of chain ${addresses.l1_chain_id}, the L1 endpoint's is ${chainId}`);
    for (const [key, name] of [['consensus', 'AndeConsensus'],
                               ['coordinator', 'AndeSequencerCoordinator']]) {
        const code = await provider.getCode(addresses[key]);
        check(code !== '0x',
              `no code at ${addresses[key]} (${key}): another L1, or one started anew`);
        check(await codeIs(provider, addresses[key], name),
              `the code at ${addresses[key]} is not this version of ${name}`);
    }
    const consensus =
        new ethers.Contract(addresses.consensus, artifact('AndeConsensus').abi, provider);
    const coordinator = new ethers.Contract(
        addresses.coordinator, artifact('AndeSequencerCoordinator').abi, provider);
    const token = await consensus.stakeToken();
    check(token === addresses.token, `the stake token is ${token}, not ${addresses.token}`);
    check((await coordinator.consensus()) === addresses.consensus,
          'the coordinator works for another consensus contract');
    const named = await consensus.coordinator();
    check(named === addresses.coordinator, `the consensus contract names the coordinator ${named}`);
    if (options['fault-model']) {
        check((await consensus.faultModel()) === FAULT_MODELS[options['fault-model']],
              `the fault model is not ${options['fault-model']}; the owner can call setFaultModel`);
    }
    const set = await consensus.getValidatorSet();
    console.log(`verified: consensus ${addresses.consensus}, ` +
                `coordinator ${addresses.coordinator}, token ${token}, epoch ${set.epoch}, ` +
                `${set.validators.length} active validators`);
}

async function deploy(wallet, chainId, options, partial) {
    const journal = fs.existsSync(partial) ? readJson(partial) : { l1_chain_id: Number(chainId) };
    if (BigInt(journal.l1_chain_id) !== chainId) {
        throw new UserError(
            `${partial} is of chain ${journal.l1_chain_id}, not ${chainId}; remove it`);
    }
    const save = () => writeJson(partial, journal);
    if ((await wallet.provider.getBalance(wallet.address)) === 0n) {
        throw new UserError(`${wallet.address} has no ether for gas on chain ${chainId}`);
    }
    await deployStep(wallet, journal, save, 'consensus', 'AndeConsensus', []);
    await deployStep(wallet, journal, save, 'coordinator', 'AndeSequencerCoordinator',
                     [journal.consensus]);

    const consensus = new ethers.Contract(journal.consensus, artifact('AndeConsensus').abi, wallet);
    if (options.token && (await consensus.stakeToken()) !== ethers.getAddress(options.token)) {
        await (await consensus.setStakeToken(options.token)).wait();
    }
    const model = FAULT_MODELS[options['fault-model'] ?? 'crash'];
    if ((await consensus.faultModel()) !== model) {
        await (await consensus.setFaultModel(model)).wait();
    }
    if ((await consensus.coordinator()) === ethers.ZeroAddress) {
        await (await consensus.setCoordinator(journal.coordinator)).wait();
    }
    return {
        l1_chain_id: journal.l1_chain_id,
        consensus: journal.consensus,
        coordinator: journal.coordinator,
        token: await consensus.stakeToken(),
        deploy_block: journal.deploy_block,
    };
}

main('deploy-contracts', async (argv) => {
    const options = parseOptions(argv, KNOWN);
    const out = required(options, KNOWN, 'out');
    if (options['fault-model'] && !(options['fault-model'] in FAULT_MODELS)) {
        throw new UserError('--fault-model is crash or byzantine');
    }
    if (options.token && !ethers.isAddress(options.token)) {
        throw new UserError(`--token ${options.token} is no address`);
    }
    const { provider, chainId } = await connect(required(options, KNOWN, 'rpc-url'));
    if (fs.existsSync(out)) return verify(provider, chainId, readJson(out), options);
    const keyFile = required(options, KNOWN, 'private-key-file');
    const wallet = loadKey(keyFile, chainId).connect(provider);
    const addresses = await deploy(wallet, chainId, options, `${out}.partial`);
    await verify(provider, chainId, addresses, options);
    writeJson(out, addresses);
    fs.rmSync(`${out}.partial`, { force: true });
});
