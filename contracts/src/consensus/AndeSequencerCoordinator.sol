// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ForcedInclusion} from "./ForcedInclusion.sol";
import {IAndeConsensus} from "./IAndeConsensus.sol";
import {ProposerSchedule} from "./ProposerSchedule.sol";
import {Settlement} from "./Settlement.sol";

/// @title AndeSequencerCoordinator: settlement, timeouts and forced inclusion of the rollup
/// @notice Settlement is described in `Settlement`, forced inclusion in `ForcedInclusion`.
///
/// *Timeouts.*  `reportTimeout` records that the proposer of one height and round stayed silent.  A
/// quorum of the active power says so, without the proposer's own.  The report names the proposer
/// whom the signers waited for, so that nobody pays for a predecessor's silence.  MAX_TIMEOUTS
/// reports for different heights of one rotation jail the proposer.  Nothing is slashed here.
///
/// *Rotation.*  `getCurrentRotation` and `getCurrentProposer` say where the settled chain stands.
///
/// The owner can pause settlement, timeout reports and new requests in an emergency.  Resolving
/// requests and withdrawing bonds know no pause, and the owner can touch no bond.
contract AndeSequencerCoordinator is ForcedInclusion, Ownable2Step {
    // ---------------------------------------------------------------------------------- types

    /// @notice The statement that `proposer`, whose turn it was, proposed nothing.
    /// @param rotation height / BLOCKS_PER_ROTATION.
    /// @param height the rollup block that was waited for.
    /// @param round the round within it.
    /// @param proposer who was silent.
    struct TimeoutReport {
        uint64 rotation;
        uint64 height;
        uint32 round;
        address proposer;
    }

    // ------------------------------------------------------------------------------ constants

    /// @notice Rollup blocks that one scheduled proposer leads.
    uint64 public constant BLOCKS_PER_ROTATION = 100;
    /// @notice How long, in block times, the validators wait on their own clocks for a silent
    /// proposer before they sign a TimeoutReport.  This contract does not measure it: blocks of a
    /// chain that has stopped cannot.
    uint64 public constant TIMEOUT_BLOCKS = 10;
    /// @notice Reports for different heights of one rotation that jail a proposer.
    uint256 public constant MAX_TIMEOUTS = 3;
    /// @notice The EIP-712 type hash of a timeout report.
    bytes32 public constant TIMEOUT_TYPEHASH =
        keccak256("TimeoutReport(uint64 rotation,uint64 height,uint32 round,address proposer)");

    // ---------------------------------------------------------------------------------- state

    /// @notice How many timeouts of a proposer count in a rotation, since it was last jailed.
    mapping(uint64 rotation => mapping(address proposer => uint256 count)) public timeoutsCount;
    /// @notice Whether a proposer's silence at a height was reported.
    mapping(uint64 height => mapping(address proposer => bool reported)) public isTimeoutReported;

    // --------------------------------------------------------------------------------- events

    /// @notice A quorum reported a silent proposer; it is the `count`-th time in this rotation.
    event TimeoutDetected(
        uint64 indexed rotation,
        uint64 indexed height,
        uint32 round,
        address indexed proposer,
        uint256 count
    );
    /// @notice The validators went on without `previousProposer` in `nextRound` of `height`.
    event LeaderRotated(
        uint64 indexed rotation,
        uint64 indexed height,
        address indexed previousProposer,
        uint32 nextRound
    );

    // --------------------------------------------------------------------------------- errors

    /// @notice The report's rotation is not its height's.
    error RotationMismatch(uint64 rotation, uint64 height);
    /// @notice The report is of a rotation that was settled long ago.
    error ReportTooOld(uint64 rotation, uint64 currentRotation);
    /// @notice The proposer's silence at this height was reported before.
    error AlreadyReported(uint64 height, address proposer);
    /// @notice The accused is not an active validator.
    error ProposerNotActive(address proposer);

    // ---------------------------------------------------------------------------- constructor

    /// @notice Makes the deployer the owner.  For jailing, the registry's owner names this contract
    /// with `AndeConsensus.setCoordinator` afterwards; everything else works at once.
    /// @param registry the AndeConsensus whose quorums count here.
    constructor(IAndeConsensus registry)
        Ownable(msg.sender)
        EIP712("AndeSequencerCoordinator", "1")
        Settlement(registry)
    {}

    // ------------------------------------------------------------------------------- timeouts

    /// @notice Records that a proposer was silent, and jails it for the MAX_TIMEOUTS-th time.
    /// @dev The signers need a quorum of the whole active power although the accused is not among
    /// them. That implies a quorum of the others' power, and it is more: a quorum of the others
    /// alone can be less than a quorum of all, and would let a minority remove a strong validator.
    /// One height counts once for one proposer, in whichever round it was.
    /// @param report who was silent and when; of the rotation being settled, the one before or a
    /// later one.
    /// @param signatures EIP-712 signatures (r || s || v) of `report`, by ascending signer.
    function reportTimeout(TimeoutReport calldata report, bytes[] calldata signatures)
        external
        whenNotPaused
    {
        if (report.rotation != report.height / BLOCKS_PER_ROTATION) {
            revert RotationMismatch(report.rotation, report.height);
        }
        uint64 current = getCurrentRotation();
        if (uint256(report.rotation) + 1 < current) revert ReportTooOld(report.rotation, current);
        if (isTimeoutReported[report.height][report.proposer]) {
            revert AlreadyReported(report.height, report.proposer);
        }
        if (consensus.activePower(report.proposer) == 0) {
            revert ProposerNotActive(report.proposer);
        }
        _requireQuorum(timeoutDigest(report), signatures, report.proposer);

        isTimeoutReported[report.height][report.proposer] = true;
        uint256 count = timeoutsCount[report.rotation][report.proposer] + 1;
        bool isJailed = count == MAX_TIMEOUTS;
        timeoutsCount[report.rotation][report.proposer] = isJailed ? 0 : count;
        emit TimeoutDetected(report.rotation, report.height, report.round, report.proposer, count);
        emit LeaderRotated(report.rotation, report.height, report.proposer, report.round + 1);
        if (isJailed) consensus.jail(report.proposer);
    }

    /// @notice The EIP-712 digest that a validator signs for `report`.
    function timeoutDigest(TimeoutReport calldata report) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    TIMEOUT_TYPEHASH, report.rotation, report.height, report.round, report.proposer
                )
            )
        );
    }

    // ------------------------------------------------------------------------------- rotation

    /// @notice The rotation of the first block that is not settled.
    function getCurrentRotation() public view returns (uint64) {
        return (_lastBlock + 1) / BLOCKS_PER_ROTATION;
    }

    /// @notice The scheduled proposer of `getCurrentRotation`; zero when the active set is empty.
    /// @dev See `scheduledProposer` for what this is and what it is not.
    function getCurrentProposer() external view returns (address) {
        return scheduledProposer(getCurrentRotation());
    }

    /// @notice Whom CometBFT's proposer-priority rule schedules for `rotation` if the validators
    /// that are active now had been the set from the genesis on.
    /// @dev That is exactly the rollup's schedule while the set has never changed.  After a change
    /// the rollup carries priorities over (a newcomer starts far behind), at a moment that only its
    /// frames know, so the nodes' own answer is the true one then; nothing in this contract depends
    /// on this. Within a rotation the leader may be another one after a timeout.  Reverts with
    /// ScheduleTooLong when powers without a common divisor make the answer too long to compute.
    function scheduledProposer(uint64 rotation) public view returns (address) {
        (address[] memory validators, uint256[] memory powers) = consensus.getActivePowers();
        if (validators.length == 0) return address(0);
        return validators[ProposerSchedule.proposerIndex(powers, rotation)];
    }

    // -------------------------------------------------------------------------------- owner

    /// @notice Stops settlement, timeout reports and new requests in an emergency.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Ends a pause.
    function unpause() external onlyOwner {
        _unpause();
    }
}
