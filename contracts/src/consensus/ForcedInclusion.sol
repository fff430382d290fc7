// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

import {Settlement} from "./Settlement.sol";

/// @title ForcedInclusion: a way into the rollup that the sequencers cannot close silently
/// @notice Who is censored hands in the raw transaction with a bond (`requestForceInclusion`).  The
/// rules for the nodes: from the first block whose L1 origin is at or after the request's L1 block,
/// the rollup has FORCE_INCLUSION_TIMEOUT blocks to include it, and honest validators do not
/// prevote for a block that is beyond.  That is checked by anyone who has the blocks, because the
/// frame of every block names its L1 origin.  This contract holds the rollup to a deadline in L1
/// blocks (FORCE_INCLUSION_L1_BLOCKS; it also runs while the rollup stands still).  A request ends
/// in one of these ways:
///  - Included: anyone shows the transaction in a settled block (`proveForceInclusion`: headers up
///    to a settled block and a Merkle proof, nobody has to be trusted), or a quorum signs that it
///    is (`resolveForceInclusion`).  The bond goes back to the sender.
///  - Refused: a quorum signs that the transaction cannot be executed after the settled block it
///    names (wrong nonce, chain, signature, not enough funds, ...).  The bond is burned: it makes
///    filling the list with rubbish costly, and nobody gains from refusing.  A false statement is a
///    quorum's signed lie that anyone can show with the data of the DA layer.
///  - Missed: the deadline passed.  Anyone reports it (`reportMissedInclusion`), the bond goes
///    back, and the fault stays on record (`missedForceInclusions` and the event).
abstract contract ForcedInclusion is Settlement, ReentrancyGuard {
    using EnumerableSet for EnumerableSet.UintSet;

    // ---------------------------------------------------------------------------------- types

    /// @notice A quorum's statement on a request of forced inclusion.
    /// @param id the request's id.
    /// @param txHash the hash of its transaction.
    /// @param blockNumber the settled block that contains it, or after which it cannot be executed.
    /// @param blockHash that block's hash.
    /// @param included true: the block contains it.  false: it cannot be executed.
    struct Resolution {
        uint256 id;
        bytes32 txHash;
        uint64 blockNumber;
        bytes32 blockHash;
        bool included;
    }

    /// @notice How a request of forced inclusion stands.
    enum RequestStatus {
        None,
        Pending,
        Included,
        Refused,
        Missed
    }

    /// @notice A request of forced inclusion.  Its raw transaction is in its event.
    /// @param sender who handed it in and owns the bond.
    /// @param l1Block the L1 block of the request.
    /// @param status how it stands.
    /// @param txHash keccak-256 of the raw transaction: the transaction's hash.
    struct Request {
        address sender;
        uint64 l1Block;
        RequestStatus status;
        bytes32 txHash;
    }

    /// @notice A pending request as the nodes need it.
    /// @param id the request's id; ids count up from 1.
    /// @param sender who handed it in.
    /// @param txHash the transaction's hash.
    /// @param l1Block the L1 block of the request, where its event with the transaction is.
    /// @param deadlineL1Block the last L1 block in which it is not yet missed.
    struct PendingRequest {
        uint256 id;
        address sender;
        bytes32 txHash;
        uint64 l1Block;
        uint64 deadlineL1Block;
    }

    // ------------------------------------------------------------------------------ constants

    /// @notice Rollup blocks, from the first one that must know a request, that may pass before it
    /// is included.
    uint64 public constant FORCE_INCLUSION_TIMEOUT = 50;
    /// @notice L1 blocks after a request within which it has to be resolved here: two epochs and
    /// more until it is final, a rotation until the origin advances, FORCE_INCLUSION_TIMEOUT rollup
    /// blocks, and the settlement of what contains it.  One hour on mainnet.
    uint64 public constant FORCE_INCLUSION_L1_BLOCKS = 300;
    /// @notice The bond of a request, in wei.
    uint256 public constant FORCE_INCLUSION_BOND = 0.01 ether;
    /// @notice The largest raw transaction of a request: what nodes admit to their pools.
    uint256 public constant MAX_RAW_TX_BYTES = 128 * 1024;
    /// @notice The largest number of pending requests.
    uint256 public constant MAX_PENDING_REQUESTS = 1024;
    /// @notice Where burned bonds go: nobody has this address's key.
    address payable public constant BURN_ADDRESS =
        payable(0x000000000000000000000000000000000000dEaD);

    /// @notice The EIP-712 type hash of a resolution.
    bytes32 public constant RESOLUTION_TYPEHASH = keccak256(
        "Resolution(uint256 id,bytes32 txHash,uint64 blockNumber,bytes32 blockHash,bool included)"
    );

    // ---------------------------------------------------------------------------------- state

    /// @notice The number of requests of forced inclusion so far: also the newest one's id.
    uint256 public forceInclusionsCount;
    /// @notice The number of requests that the rollup neither included nor refused in time.
    uint256 public missedForceInclusions;
    /// @notice The requests of forced inclusion by id.
    mapping(uint256 id => Request request) public forceInclusions;
    /// @notice The pending request of a transaction; 0 when there is none.
    mapping(bytes32 txHash => uint256 id) public pendingIdOf;
    /// @notice Bonds that went back to their owners and were not withdrawn, in wei.
    mapping(address owner => uint256 amount) public refunds;

    EnumerableSet.UintSet private _pending;

    // --------------------------------------------------------------------------------- events

    /// @notice A transaction shall be included.
    event ForceInclusionRequested(
        uint256 indexed id, address indexed sender, bytes rawTx, bytes32 txHash, uint256 l1Block
    );
    /// @notice A request ended as Included, in block `blockNumber`, or as Refused after that block.
    event ForceInclusionResolved(
        uint256 indexed id, bytes32 indexed txHash, uint64 blockNumber, bool included
    );
    /// @notice The rollup is at fault: the request ended as Missed.
    event ForceInclusionMissed(
        uint256 indexed id, bytes32 indexed txHash, uint64 deadlineL1Block, uint64 lastSettledBlock
    );
    /// @notice `owner` withdrew bonds.
    event RefundWithdrawn(address indexed owner, uint256 amount);

    // --------------------------------------------------------------------------------- errors

    /// @notice The bytes cannot be a transaction that the rollup takes (types 0, 1, 2 and 4).
    error InvalidRawTransaction();
    /// @notice The value sent is not the bond.
    error WrongBond(uint256 sent, uint256 bond);
    /// @notice MAX_PENDING_REQUESTS requests are pending.
    error TooManyPendingRequests();
    /// @notice The transaction was requested and is pending.
    error AlreadyRequested(uint256 id);
    /// @notice There is no such pending request.
    error NotPending(uint256 id);
    /// @notice The statement names another transaction than the request.
    error TransactionMismatch(bytes32 txHash, bytes32 expected);
    /// @notice The block is not a settled one, or the headers do not lead to one.
    error NotSettled(uint256 blockNumber, bytes32 blockHash);
    /// @notice A header is not the child of the one before it.
    error HeadersNotChained(uint256 index);
    /// @notice A proof needs at least one header.
    error NoHeaders();
    /// @notice The deadline, an L1 block, has not passed.
    error DeadlineNotPassed(uint256 deadlineL1Block);
    /// @notice The caller has nothing to withdraw.
    error NothingToWithdraw();

    // ------------------------------------------------------------------------------ functions

    /// @notice Asks the rollup to include a transaction.  The value must be FORCE_INCLUSION_BOND.
    /// @param rawTx the signed transaction as `eth_sendRawTransaction` takes it.
    /// @return id the request's id.
    function requestForceInclusion(bytes calldata rawTx)
        external
        payable
        whenNotPaused
        returns (uint256 id)
    {
        if (msg.value != FORCE_INCLUSION_BOND) {
            revert WrongBond(msg.value, FORCE_INCLUSION_BOND);
        }
        if (rawTx.length == 0 || rawTx.length > MAX_RAW_TX_BYTES) revert InvalidRawTransaction();
        uint8 head = uint8(rawTx[0]);
        bool isKnownType = head == 1 || head == 2 || head == 4 || (head >= 0xc0 && head < 0xff);
        if (!isKnownType) revert InvalidRawTransaction();
        if (_pending.length() >= MAX_PENDING_REQUESTS) revert TooManyPendingRequests();
        bytes32 txHash = keccak256(rawTx);
        if (pendingIdOf[txHash] != 0) revert AlreadyRequested(pendingIdOf[txHash]);

        id = ++forceInclusionsCount;
        forceInclusions[id] =
            Request(msg.sender, uint64(block.number), RequestStatus.Pending, txHash);
        pendingIdOf[txHash] = id;
        _pending.add(id);
        emit ForceInclusionRequested(id, msg.sender, rawTx, txHash, block.number);
    }

    /// @notice Shows that a requested transaction is in the rollup, to nobody's trust: the header
    /// of its block, the headers after it up to the last block of a batch, and its place in the
    /// block.
    /// @param id the request's id.
    /// @param headers RLP of consecutive block headers: the first contains the transaction, the
    /// last is a settled batch's last block.
    /// @param transactionIndex the transaction's index in its block.
    /// @param proof the nodes of the block's transaction trie from the root to the transaction.
    function proveForceInclusion(
        uint256 id,
        bytes[] calldata headers,
        uint256 transactionIndex,
        bytes[] calldata proof
    ) external {
        Request storage request = _pendingRequest(id);
        (uint64 blockNumber, bytes32 transactionsRoot) = _settledHeader(headers);
        bytes memory found =
            TrieProof.traverse(transactionsRoot, RLP.encode(transactionIndex), proof);
        if (keccak256(found) != request.txHash) {
            revert TransactionMismatch(keccak256(found), request.txHash);
        }
        _resolve(id, request, RequestStatus.Included);
        emit ForceInclusionResolved(id, request.txHash, blockNumber, true);
    }

    /// @notice Ends a request by a quorum's statement that it is included or cannot be executed.
    /// @param resolution the statement; its block is the last one of a settled batch when the
    /// transaction is refused, and any settled one (not beyond the last) when it is included.
    /// @param signatures EIP-712 signatures (r || s || v) of `resolution`, by ascending signer.
    function resolveForceInclusion(Resolution calldata resolution, bytes[] calldata signatures)
        external
        nonReentrant
    {
        Request storage request = _pendingRequest(resolution.id);
        if (resolution.txHash != request.txHash) {
            revert TransactionMismatch(resolution.txHash, request.txHash);
        }
        bool isSettled = resolution.included
            ? resolution.blockNumber <= _lastBlock && resolution.blockHash != bytes32(0)
            : resolution.blockHash != bytes32(0)
                && settledBlockHash[resolution.blockNumber] == resolution.blockHash;
        if (!isSettled) revert NotSettled(resolution.blockNumber, resolution.blockHash);
        _requireQuorum(resolutionDigest(resolution), signatures, address(0));

        _resolve(
            resolution.id,
            request,
            resolution.included ? RequestStatus.Included : RequestStatus.Refused
        );
        emit ForceInclusionResolved(
            resolution.id, request.txHash, resolution.blockNumber, resolution.included
        );
        if (!resolution.included) Address.sendValue(BURN_ADDRESS, FORCE_INCLUSION_BOND);
    }

    /// @notice Puts on record that the rollup missed a request's deadline.
    /// @param id the request's id.
    function reportMissedInclusion(uint256 id) external {
        Request storage request = _pendingRequest(id);
        uint64 deadline = request.l1Block + FORCE_INCLUSION_L1_BLOCKS;
        if (block.number <= deadline) revert DeadlineNotPassed(deadline);
        missedForceInclusions += 1;
        _resolve(id, request, RequestStatus.Missed);
        emit ForceInclusionMissed(id, request.txHash, deadline, _lastBlock);
    }

    /// @notice Pays the caller the bonds that went back to it; the account is emptied first.
    function withdrawRefund() external nonReentrant {
        uint256 amount = refunds[msg.sender];
        if (amount == 0) revert NothingToWithdraw();
        refunds[msg.sender] = 0;
        emit RefundWithdrawn(msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @notice A page of the pending requests.  Their order is not their age's: ids are.
    /// @param offset how many to skip.
    /// @param limit how many to return at most.
    function getPendingForceInclusions(uint256 offset, uint256 limit)
        external
        view
        returns (PendingRequest[] memory page)
    {
        uint256 count = _pending.length();
        if (offset > count) offset = count;
        if (limit > count - offset) limit = count - offset;
        page = new PendingRequest[](limit);
        for (uint256 i = 0; i < limit; i++) {
            uint256 id = _pending.at(offset + i);
            Request storage request = forceInclusions[id];
            page[i] = PendingRequest({
                id: id,
                sender: request.sender,
                txHash: request.txHash,
                l1Block: request.l1Block,
                deadlineL1Block: request.l1Block + FORCE_INCLUSION_L1_BLOCKS
            });
        }
    }

    /// @notice The number of pending requests.
    function pendingForceInclusionsCount() external view returns (uint256) {
        return _pending.length();
    }

    /// @notice The EIP-712 digest that a validator signs for `resolution`.
    function resolutionDigest(Resolution calldata resolution) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    RESOLUTION_TYPEHASH,
                    resolution.id,
                    resolution.txHash,
                    resolution.blockNumber,
                    resolution.blockHash,
                    resolution.included
                )
            )
        );
    }

    function _pendingRequest(uint256 id) private view returns (Request storage request) {
        request = forceInclusions[id];
        if (request.status != RequestStatus.Pending) revert NotPending(id);
    }

    /// @dev Ends a pending request; the bond goes back unless it was refused.
    function _resolve(uint256 id, Request storage request, RequestStatus status) private {
        request.status = status;
        delete pendingIdOf[request.txHash];
        _pending.remove(id);
        if (status != RequestStatus.Refused) refunds[request.sender] += FORCE_INCLUSION_BOND;
    }

    /// @dev Checks that `headers` are consecutive and end in a settled block; what the first one
    /// says.
    function _settledHeader(bytes[] calldata headers)
        private
        view
        returns (uint64 blockNumber, bytes32 transactionsRoot)
    {
        if (headers.length == 0) revert NoHeaders();
        Memory.Slice[] memory fields = BlockHeader.parseHeader(headers[0]);
        uint256 number = BlockHeader.getNumber(fields);
        transactionsRoot = BlockHeader.getTransactionsRoot(fields);
        bytes32 hash = keccak256(headers[0]);
        for (uint256 i = 1; i < headers.length; i++) {
            if (BlockHeader.getParentHash(headers[i]) != hash) revert HeadersNotChained(i);
            hash = keccak256(headers[i]);
        }
        uint256 lastNumber = number + headers.length - 1;
        // The casts are safe: both numbers are at most _lastBlock.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (lastNumber > _lastBlock || settledBlockHash[uint64(lastNumber)] != hash) {
            revert NotSettled(lastNumber, hash);
        }
        // forge-lint: disable-next-line(unsafe-typecast)
        return (uint64(number), transactionsRoot);
    }
}
