// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAndeConsensus, IConsensusClient} from "./IAndeConsensus.sol";

/// @title Settlement: the record of batches that a quorum signed
/// @notice `submitBatch` records consecutive rollup blocks that are on the DA layer, once, in order
/// from block 1, each batch on top of the one before, and only with signatures of a quorum of the
/// validators that are active in the registry now.  What is signed are EIP-712 structs of this
/// chain and this contract.
abstract contract Settlement is IConsensusClient, Pausable, EIP712 {
    // ---------------------------------------------------------------------------------- types

    /// @notice Consecutive rollup blocks on the DA layer.
    /// @param firstBlock the number of the first block: one after the last settled one.
    /// @param lastBlock the number of the last block.
    /// @param parentHash the hash of the block before the first.
    /// @param lastBlockHash the hash of the last block.
    /// @param stateRoot the state root after the last block.
    /// @param daHeight the height of the DA layer that holds the batch.
    /// @param daCommitment the commitment under which the DA layer holds it.
    struct Batch {
        uint64 firstBlock;
        uint64 lastBlock;
        bytes32 parentHash;
        bytes32 lastBlockHash;
        bytes32 stateRoot;
        uint64 daHeight;
        bytes32 daCommitment;
    }

    // ------------------------------------------------------------------------------ constants

    /// @notice The largest number of signatures of one statement: the size of the largest set.
    uint256 public constant MAX_SIGNATURES = 128;
    /// @notice The EIP-712 type hash of a batch.
    bytes32 public constant BATCH_TYPEHASH = keccak256(
        "Batch(uint64 firstBlock,uint64 lastBlock,bytes32 parentHash,bytes32 lastBlockHash,"
        "bytes32 stateRoot,uint64 daHeight,bytes32 daCommitment)"
    );

    // ---------------------------------------------------------------------------------- state

    /// @inheritdoc IConsensusClient
    IAndeConsensus public immutable consensus;
    /// @notice The hash of the block before the first settled one: the rollup's genesis block.
    bytes32 public genesisHash;
    /// @notice The number of batches so far.
    uint256 public batchesCount;
    /// @notice The hash of a settled block that was the last of its batch; zero for others.
    mapping(uint64 blockNumber => bytes32 hash) public settledBlockHash;

    uint64 internal _lastBlock;
    bytes32 private _lastBlockHash;
    bytes32 private _stateRoot;

    // --------------------------------------------------------------------------------- events

    /// @notice A batch is settled.
    event BatchSubmitted(
        uint64 indexed firstBlock,
        uint64 indexed lastBlock,
        bytes32 lastBlockHash,
        bytes32 stateRoot,
        uint64 daHeight,
        bytes32 daCommitment
    );

    // --------------------------------------------------------------------------------- errors

    /// @notice There is no contract at the registry's address.
    error InvalidConsensus(address consensus);
    /// @notice The batch does not begin one block after the last settled one.
    error NotContiguous(uint64 firstBlock, uint64 expected);
    /// @notice The batch does not continue the last settled block.
    error ParentMismatch(bytes32 parentHash, bytes32 expected);
    /// @notice The batch is empty, or a hash in it is zero.
    error InvalidBatch();
    /// @notice There are more signatures than validators can be.
    error TooManySignatures(uint256 count);
    /// @notice The signers do not ascend by address (so one of them may be there twice).
    error SignersNotAscending(address signer);
    /// @notice A signer is not an active validator.
    error SignerNotActive(address signer);
    /// @notice The accused proposer's own signature does not count.
    error SignerIsAccused(address signer);
    /// @notice The signers' power is no quorum.
    error NoQuorum(uint256 power, uint256 quorum);

    // ------------------------------------------------------------------------------ functions

    /// @param registry the AndeConsensus whose quorums count here.
    constructor(IAndeConsensus registry) {
        if (address(registry).code.length == 0) revert InvalidConsensus(address(registry));
        consensus = registry;
    }

    /// @notice Settles the next batch.  Anyone may bring it; the signatures make it true.
    /// @param batch the batch.
    /// @param signatures EIP-712 signatures (r || s || v) of `batch`, by ascending signer.
    function submitBatch(Batch calldata batch, bytes[] calldata signatures)
        external
        whenNotPaused
    {
        if (batch.firstBlock != _lastBlock + 1) {
            revert NotContiguous(batch.firstBlock, _lastBlock + 1);
        }
        if (
            batch.lastBlock < batch.firstBlock || batch.parentHash == bytes32(0)
                || batch.lastBlockHash == bytes32(0) || batch.stateRoot == bytes32(0)
        ) revert InvalidBatch();
        if (batchesCount == 0) {
            genesisHash = batch.parentHash;
        } else if (batch.parentHash != _lastBlockHash) {
            revert ParentMismatch(batch.parentHash, _lastBlockHash);
        }
        _requireQuorum(batchDigest(batch), signatures, address(0));

        batchesCount += 1;
        _lastBlock = batch.lastBlock;
        _lastBlockHash = batch.lastBlockHash;
        _stateRoot = batch.stateRoot;
        settledBlockHash[batch.lastBlock] = batch.lastBlockHash;
        emit BatchSubmitted(
            batch.firstBlock,
            batch.lastBlock,
            batch.lastBlockHash,
            batch.stateRoot,
            batch.daHeight,
            batch.daCommitment
        );
    }

    /// @notice The newest settled block; all zero before the first batch.
    function lastSettledBlock()
        external
        view
        returns (uint64 lastBlock, bytes32 lastBlockHash, bytes32 stateRoot)
    {
        return (_lastBlock, _lastBlockHash, _stateRoot);
    }

    /// @notice The EIP-712 digest that a validator signs for `batch`.
    function batchDigest(Batch calldata batch) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    BATCH_TYPEHASH,
                    batch.firstBlock,
                    batch.lastBlock,
                    batch.parentHash,
                    batch.lastBlockHash,
                    batch.stateRoot,
                    batch.daHeight,
                    batch.daCommitment
                )
            )
        );
    }

    /// @notice The EIP-712 domain separator: this chain and this contract.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @dev Reverts unless active validators, each once and none of them `accused`, signed `digest`
    /// with a quorum of the active power.
    function _requireQuorum(bytes32 digest, bytes[] calldata signatures, address accused)
        internal
        view
    {
        if (signatures.length > MAX_SIGNATURES) {
            revert TooManySignatures(signatures.length);
        }
        uint256 power = 0;
        address previous = address(0);
        for (uint256 i = 0; i < signatures.length; i++) {
            address signer = ECDSA.recover(digest, signatures[i]);
            if (signer <= previous) revert SignersNotAscending(signer);
            previous = signer;
            if (signer == accused) revert SignerIsAccused(signer);
            uint256 signerPower = consensus.activePower(signer);
            if (signerPower == 0) revert SignerNotActive(signer);
            power += signerPower;
        }
        uint256 quorum = consensus.quorumPower();
        if (power < quorum) revert NoQuorum(power, quorum);
    }
}
