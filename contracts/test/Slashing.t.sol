// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {AndeConsensus} from "../src/consensus/AndeConsensus.sol";
import {AndeSequencerCoordinator} from "../src/consensus/AndeSequencerCoordinator.sol";
import {ConsensusBase} from "./Base.sol";

/// @notice Double signatures, jail and the way out of it.
contract SlashingTest is ConsensusBase {
    uint256 internal constant KEY = 11;
    uint256 internal constant STAKE = 2000e18;
    bytes32 internal constant HASH_A = bytes32(uint256(0xaa));
    bytes32 internal constant HASH_B = bytes32(uint256(0xbb));
    address internal constant REPORTER = address(0xBEEF);
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;

    address internal validator;

    function setUp() public override {
        super.setUp();
        vm.warp(1_700_000_000);
        validator = _register(KEY, STAKE);
        _register(12, STAKE);
    }

    function test_slashesEveryKind() public {
        uint8[3] memory kinds = [uint8(1), 2, 32];
        uint256 stake = STAKE;
        for (uint256 i = 0; i < kinds.length; i++) {
            _slash(KEY, _vote(kinds[i], HASH_A), _vote(kinds[i], HASH_B));
            stake -= stake / 2;
            vm.assertEq(consensus.getValidatorInfo(validator).stake, stake);
        }
    }

    function test_slashPaysReporterAndBurnsTheRest() public {
        AndeConsensus.Vote memory first = _vote(2, HASH_A);
        AndeConsensus.Vote memory second = _vote(2, HASH_B);
        bytes memory firstSignature = _sign(KEY, consensus.voteDigest(first));
        bytes memory secondSignature = _sign(KEY, consensus.voteDigest(second));
        bytes32 offence = consensus.offenceId(validator, 2, 7, 2);
        uint64 until = uint64(block.timestamp) + 1 days;

        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSlashed(validator, REPORTER, offence, 1000e18, 100e18);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorJailed(validator, AndeConsensus.JailReason.DoubleSign, until);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSetUpdated(3, 2000, 1);
        vm.prank(REPORTER);
        consensus.slash(first, firstSignature, second, secondSignature);

        vm.assertEq(token.balanceOf(REPORTER), 100e18);
        vm.assertEq(token.balanceOf(DEAD), 900e18);
        vm.assertEq(token.balanceOf(address(consensus)), 3000e18);
        vm.assertEq(consensus.totalVotingPower(), 2000);
        vm.assertEq(consensus.activePower(validator), 0);
        vm.assertTrue(_status(validator) == AndeConsensus.Status.Jailed);
        vm.assertTrue(consensus.isPunished(offence));
    }

    function test_nilAgainstBlockIsAnOffence() public {
        _slash(KEY, _vote(1, bytes32(0)), _vote(1, HASH_B));
        vm.assertTrue(_status(validator) == AndeConsensus.Status.Jailed);
    }

    function test_oneOffenceOnce() public {
        _slash(KEY, _vote(1, HASH_A), _vote(1, HASH_B));
        bytes memory refusal = abi.encodeWithSelector(
            AndeConsensus.AlreadyPunished.selector, consensus.offenceId(validator, 1, 7, 2)
        );
        _expectSlashRevert(refusal, _vote(1, HASH_A), _vote(1, HASH_B));
        _expectSlashRevert(refusal, _vote(1, HASH_B), _vote(1, HASH_A));
        _expectSlashRevert(refusal, _vote(1, HASH_A), _vote(1, bytes32(uint256(0xcc))));
    }

    function test_otherHeightsRoundsAndKindsAreOtherOffences() public {
        _slash(KEY, _vote(1, HASH_A), _vote(1, HASH_B));
        _slash(KEY, _vote(2, HASH_A), _vote(2, HASH_B));
        AndeConsensus.Vote memory first = _vote(1, HASH_A);
        AndeConsensus.Vote memory second = _vote(1, HASH_B);
        first.height = second.height = 8;
        _slash(KEY, first, second);
        first.round = second.round = 3;
        _slash(KEY, first, second);
        vm.assertEq(consensus.getValidatorInfo(validator).stake, STAKE / 16);
    }

    function test_refusesWhatIsNoOffence() public {
        bytes memory refusal = abi.encodeWithSelector(AndeConsensus.NotAnOffence.selector);
        AndeConsensus.Vote memory other = _vote(1, HASH_B);
        _expectSlashRevert(refusal, _vote(1, HASH_A), _vote(1, HASH_A));
        _expectSlashRevert(refusal, _vote(1, HASH_A), _vote(2, HASH_B));
        other.height = 8;
        _expectSlashRevert(refusal, _vote(1, HASH_A), other);
        other = _vote(1, HASH_B);
        other.round = 3;
        _expectSlashRevert(refusal, _vote(1, HASH_A), other);
        // The same block proposed again with another valid round.
        other = _vote(32, HASH_A);
        other.validRound = 1;
        _expectSlashRevert(refusal, _vote(32, HASH_A), other);
    }

    function test_proposalsWithDifferentBlocksAndValidRounds() public {
        AndeConsensus.Vote memory other = _vote(32, HASH_B);
        other.validRound = 1;
        _slash(KEY, _vote(32, HASH_A), other);
        vm.assertTrue(_status(validator) == AndeConsensus.Status.Jailed);
    }

    function test_refusesWhatIsNoVote() public {
        AndeConsensus.Vote memory vote = _vote(3, HASH_A);
        _expectSlashRevert(
            abi.encodeWithSelector(AndeConsensus.InvalidVote.selector, 3, -1),
            vote,
            _vote(3, HASH_B)
        );
        vote = _vote(1, HASH_A);
        vote.validRound = 0;
        _expectSlashRevert(
            abi.encodeWithSelector(AndeConsensus.InvalidVote.selector, 1, 0),
            vote,
            _vote(1, HASH_B)
        );
        vote = _vote(32, HASH_A);
        vote.validRound = -2;
        _expectSlashRevert(
            abi.encodeWithSelector(AndeConsensus.InvalidVote.selector, 32, -2),
            _vote(32, HASH_B),
            vote
        );
    }

    function test_refusesSignersThatDiffer() public {
        AndeConsensus.Vote memory first = _vote(1, HASH_A);
        AndeConsensus.Vote memory second = _vote(1, HASH_B);
        bytes memory firstSignature = _sign(KEY, consensus.voteDigest(first));
        bytes memory secondSignature = _sign(12, consensus.voteDigest(second));
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.SignersDiffer.selector, validator, vm.addr(12))
        );
        consensus.slash(first, firstSignature, second, secondSignature);
    }

    function test_refusesStrangers() public {
        AndeConsensus.Vote memory first = _vote(1, HASH_A);
        AndeConsensus.Vote memory second = _vote(1, HASH_B);
        bytes memory firstSignature = _sign(99, consensus.voteDigest(first));
        bytes memory secondSignature = _sign(99, consensus.voteDigest(second));
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, vm.addr(99)));
        consensus.slash(first, firstSignature, second, secondSignature);
    }

    function test_refusesMalleatedSignatures() public {
        AndeConsensus.Vote memory first = _vote(1, HASH_A);
        AndeConsensus.Vote memory second = _vote(1, HASH_B);
        bytes memory good = _sign(KEY, consensus.voteDigest(first));
        bytes memory high = _signHigh(KEY, consensus.voteDigest(second));
        bytes32 highS = _wordAt(high, 32);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, highS));
        consensus.slash(first, good, second, high);
        vm.expectRevert(
            abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, uint256(64))
        );
        consensus.slash(first, good, second, new bytes(64));
        vm.expectRevert(ECDSA.ECDSAInvalidSignature.selector);
        consensus.slash(first, good, second, new bytes(65));
    }

    function test_signaturesOfAnotherContractOrChainAreWorthless() public {
        AndeConsensus other = new AndeConsensus();
        AndeConsensus.Vote memory first = _vote(1, HASH_A);
        AndeConsensus.Vote memory second = _vote(1, HASH_B);
        bytes memory firstSignature = _sign(KEY, other.voteDigest(first));
        bytes memory secondSignature = _sign(KEY, other.voteDigest(second));
        _expectAnyRevert(first, firstSignature, second, secondSignature);

        firstSignature = _sign(KEY, consensus.voteDigest(first));
        secondSignature = _sign(KEY, consensus.voteDigest(second));
        vm.chainId(5);
        _expectAnyRevert(first, firstSignature, second, secondSignature);
    }

    function test_slashesTheExitingUntilTheyAreGone() public {
        vm.startPrank(validator);
        consensus.requestExit();
        vm.warp(block.timestamp + 7 days);
        vm.stopPrank();
        _slash(KEY, _vote(1, HASH_A), _vote(1, HASH_B));
        vm.assertTrue(_status(validator) == AndeConsensus.Status.Exiting);
        vm.assertEq(consensus.currentEpoch(), 3); // two registrations, one exit, no more
        vm.prank(validator);
        consensus.withdraw();
        vm.assertEq(token.balanceOf(validator), STAKE / 2);
        _expectSlashRevert(
            abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, validator),
            _vote(2, HASH_A),
            _vote(2, HASH_B)
        );
    }

    // ----------------------------------------------------------------------------------- jail

    function test_unjails() public {
        uint64 until = uint64(block.timestamp) + 1 days;
        _slash(KEY, _vote(1, HASH_A), _vote(1, HASH_B));
        vm.startPrank(validator);
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.TooEarly.selector, until));
        consensus.unjail();
        vm.warp(until);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorUnjailed(validator);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSetUpdated(4, 3000, 2);
        consensus.unjail();
        vm.expectRevert(
            abi.encodeWithSelector(
                AndeConsensus.WrongStatus.selector, validator, AndeConsensus.Status.Active
            )
        );
        consensus.unjail();
        vm.stopPrank();
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, address(this))
        );
        consensus.unjail();
        vm.assertEq(consensus.activePower(validator), 1000);
    }

    function test_unjailNeedsTheMinimum() public {
        _slash(KEY, _vote(1, HASH_A), _vote(1, HASH_B));
        _slash(KEY, _vote(2, HASH_A), _vote(2, HASH_B));
        vm.warp(block.timestamp + 1 days);
        vm.prank(validator);
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.StakeTooSmall.selector, 500e18, 1000e18)
        );
        consensus.unjail();
        _fund(KEY, 500e18);
        uint256 epoch = consensus.currentEpoch();
        vm.startPrank(validator);
        consensus.increaseStake(500e18);
        vm.assertEq(consensus.currentEpoch(), epoch); // a jailed validator's stake is in no set
        vm.assertEq(consensus.totalVotingPower(), 2000);
        consensus.setEndpoint("http://moved:8545");
        vm.assertEq(consensus.currentEpoch(), epoch);
        consensus.unjail();
        vm.stopPrank();
        vm.assertEq(consensus.totalVotingPower(), 3000);
    }

    function test_jailedMayExit() public {
        _slash(KEY, _vote(1, HASH_A), _vote(1, HASH_B));
        uint256 epoch = consensus.currentEpoch();
        vm.startPrank(validator);
        consensus.requestExit();
        vm.assertEq(consensus.currentEpoch(), epoch);
        vm.warp(block.timestamp + 7 days);
        consensus.withdraw();
        vm.stopPrank();
        vm.assertEq(token.balanceOf(validator), STAKE / 2);
    }

    function test_onlyTheCoordinatorJails() public {
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotCoordinator.selector, address(this))
        );
        consensus.jail(validator);
        AndeSequencerCoordinator coordinator = new AndeSequencerCoordinator(consensus);
        consensus.setCoordinator(address(coordinator));
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotCoordinator.selector, address(this))
        );
        consensus.jail(validator);

        uint64 until = uint64(block.timestamp) + 10 minutes;
        vm.startPrank(address(coordinator));
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorJailed(validator, AndeConsensus.JailReason.Timeouts, until);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSetUpdated(3, 2000, 1);
        consensus.jail(validator);
        vm.expectRevert(
            abi.encodeWithSelector(
                AndeConsensus.WrongStatus.selector, validator, AndeConsensus.Status.Jailed
            )
        );
        consensus.jail(validator);
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, address(this))
        );
        consensus.jail(address(this));
        vm.stopPrank();
        vm.assertEq(consensus.getValidatorInfo(validator).stake, STAKE); // no evidence, no slash
    }

    // ----------------------------------------------------------------------------------- fuzz

    function testFuzz_slashSplitsExactly(uint256 stake, uint64 height, uint32 round) public {
        stake = _bound(stake, 1000e18, 100_000_000e18);
        address offender = _register(77, stake);
        AndeConsensus.Vote memory first = AndeConsensus.Vote(2, height, round, -1, HASH_A);
        AndeConsensus.Vote memory second = AndeConsensus.Vote(2, height, round, -1, HASH_B);
        uint256 mine = token.balanceOf(address(this));
        _slash(77, first, second);
        uint256 left = consensus.getValidatorInfo(offender).stake;
        uint256 reward = token.balanceOf(address(this)) - mine;
        vm.assertEq(left, stake - stake / 2);
        vm.assertEq(reward, stake / 2 / 10);
        vm.assertEq(left + reward + token.balanceOf(DEAD), stake);
    }

    function testFuzz_honestVotesAreNoEvidence(
        uint64 heightA,
        uint32 roundA,
        uint64 heightB,
        uint32 roundB,
        bool precommit
    ) public {
        // An honest validator signs once for one (height, round, kind).
        if (heightA == heightB && roundA == roundB) roundB = roundA ^ 1;
        uint8 kind = precommit ? 2 : 1;
        _expectSlashRevert(
            abi.encodeWithSelector(AndeConsensus.NotAnOffence.selector),
            AndeConsensus.Vote(kind, heightA, roundA, -1, HASH_A),
            AndeConsensus.Vote(kind, heightB, roundB, -1, HASH_B)
        );
    }

    // -------------------------------------------------------------------------------- helpers

    function _expectSlashRevert(
        bytes memory refusal,
        AndeConsensus.Vote memory first,
        AndeConsensus.Vote memory second
    ) private {
        bytes memory firstSignature = _sign(KEY, consensus.voteDigest(first));
        bytes memory secondSignature = _sign(KEY, consensus.voteDigest(second));
        vm.expectRevert(refusal);
        consensus.slash(first, firstSignature, second, secondSignature);
    }

    /// @dev Foreign signatures recover to two strangers.
    function _expectAnyRevert(
        AndeConsensus.Vote memory first,
        bytes memory firstSignature,
        AndeConsensus.Vote memory second,
        bytes memory secondSignature
    ) private {
        try consensus.slash(first, firstSignature, second, secondSignature) {
            vm.assertTrue(false, "a foreign signature was accepted");
        } catch (bytes memory reason) {
            vm.assertEq(bytes32(bytes4(reason)), bytes32(AndeConsensus.SignersDiffer.selector));
        }
        vm.assertEq(consensus.getValidatorInfo(validator).stake, STAKE);
    }
}
