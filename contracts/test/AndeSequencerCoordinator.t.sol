// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {AndeConsensus} from "../src/consensus/AndeConsensus.sol";
import {AndeSequencerCoordinator} from "../src/consensus/AndeSequencerCoordinator.sol";
import {IAndeConsensus} from "../src/consensus/IAndeConsensus.sol";
import {ProposerSchedule} from "../src/consensus/ProposerSchedule.sol";
import {Settlement} from "../src/consensus/Settlement.sol";
import {CoordinatorBase} from "./CoordinatorBase.sol";

/// @notice Settlement, timeouts and rotation.
contract AndeSequencerCoordinatorTest is CoordinatorBase {
    function test_constants() public view {
        vm.assertEq(coordinator.BLOCKS_PER_ROTATION(), 100);
        vm.assertEq(coordinator.TIMEOUT_BLOCKS(), 10);
        vm.assertEq(coordinator.FORCE_INCLUSION_TIMEOUT(), 50);
        vm.assertEq(coordinator.MAX_TIMEOUTS(), 3);
        vm.assertEq(coordinator.owner(), address(this));
        vm.assertEq(address(coordinator.consensus()), address(consensus));
    }

    function test_refusesARegistryWithoutCode() public {
        vm.expectRevert(abi.encodeWithSelector(Settlement.InvalidConsensus.selector, address(7)));
        new AndeSequencerCoordinator(IAndeConsensus(address(7)));
    }

    // ----------------------------------------------------------------------------- settlement

    function test_settlesConsecutiveBatches() public {
        (uint64 lastBlock, bytes32 hash, bytes32 root) = coordinator.lastSettledBlock();
        vm.assertEq(lastBlock, 0);
        Settlement.Batch memory first = _batch(1, 40, bytes32("genesis"));
        vm.expectEmit(address(coordinator));
        emit Settlement.BatchSubmitted(
            1, 40, first.lastBlockHash, first.stateRoot, first.daHeight, first.daCommitment
        );
        _submit(first, 2);
        Settlement.Batch memory second = _batch(41, 41, first.lastBlockHash);
        vm.prank(address(0xCAFE)); // whoever brings it
        coordinator.submitBatch(second, _signBatch(second, 3));

        (lastBlock, hash, root) = coordinator.lastSettledBlock();
        vm.assertEq(lastBlock, 41);
        vm.assertEq(hash, second.lastBlockHash);
        vm.assertEq(root, second.stateRoot);
        vm.assertEq(coordinator.genesisHash(), bytes32("genesis"));
        vm.assertEq(coordinator.batchesCount(), 2);
        vm.assertEq(coordinator.settledBlockHash(40), first.lastBlockHash);
        vm.assertEq(coordinator.settledBlockHash(39), bytes32(0));
    }

    function test_refusesGapsAndRepetitions() public {
        Settlement.Batch memory first = _batch(1, 10, bytes32("genesis"));
        bytes[] memory signatures = _signBatch(first, 3);
        coordinator.submitBatch(first, signatures);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotContiguous.selector, 1, 11));
        coordinator.submitBatch(first, signatures);
        Settlement.Batch memory gap = _batch(12, 13, first.lastBlockHash);
        signatures = _signBatch(gap, 3);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotContiguous.selector, 12, 11));
        coordinator.submitBatch(gap, signatures);
    }

    function test_refusesTheFirstBatchThatDoesNotBeginAtOne() public {
        Settlement.Batch memory batch = _batch(2, 10, bytes32("genesis"));
        bytes[] memory signatures = _signBatch(batch, 3);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotContiguous.selector, 2, 1));
        coordinator.submitBatch(batch, signatures);
        batch = _batch(0, 10, bytes32("genesis"));
        signatures = _signBatch(batch, 3);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NotContiguous.selector, 0, 1));
        coordinator.submitBatch(batch, signatures);
    }

    function test_refusesAnotherParent() public {
        Settlement.Batch memory first = _batch(1, 10, bytes32("genesis"));
        _submit(first, 3);
        Settlement.Batch memory fork = _batch(11, 12, bytes32("fork"));
        bytes[] memory signatures = _signBatch(fork, 3);
        vm.expectRevert(
            abi.encodeWithSelector(
                Settlement.ParentMismatch.selector, bytes32("fork"), first.lastBlockHash
            )
        );
        coordinator.submitBatch(fork, signatures);
    }

    function test_refusesInvalidBatches() public {
        for (uint256 fault = 0; fault < 4; fault++) {
            Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
            if (fault == 0) batch.lastBlock = 0;
            if (fault == 1) batch.parentHash = bytes32(0);
            if (fault == 2) batch.lastBlockHash = bytes32(0);
            if (fault == 3) batch.stateRoot = bytes32(0);
            bytes[] memory signatures = _signBatch(batch, 3);
            vm.expectRevert(Settlement.InvalidBatch.selector);
            coordinator.submitBatch(batch, signatures);
        }
    }

    function test_refusesLessThanAQuorum() public {
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        bytes[] memory signatures = _signBatch(batch, 1);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NoQuorum.selector, 1000, 1501));
        coordinator.submitBatch(batch, signatures);
        signatures = new bytes[](0);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NoQuorum.selector, 0, 1501));
        coordinator.submitBatch(batch, signatures);
        consensus.setFaultModel(1);
        signatures = _signBatch(batch, 2);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NoQuorum.selector, 2000, 2001));
        coordinator.submitBatch(batch, signatures);
        coordinator.submitBatch(batch, _signBatch(batch, 3));
    }

    function test_countsEachSignerOnce() public {
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        bytes[] memory one = _signBatch(batch, 1);
        bytes[] memory twice = new bytes[](2);
        (twice[0], twice[1]) = (one[0], one[0]);
        vm.expectRevert(
            abi.encodeWithSelector(Settlement.SignersNotAscending.selector, vm.addr(keys[0]))
        );
        coordinator.submitBatch(batch, twice);
        bytes[] memory two = _signBatch(batch, 2);
        (twice[0], twice[1]) = (two[1], two[0]);
        vm.expectRevert(
            abi.encodeWithSelector(Settlement.SignersNotAscending.selector, vm.addr(keys[0]))
        );
        coordinator.submitBatch(batch, twice);
        vm.expectRevert(abi.encodeWithSelector(Settlement.TooManySignatures.selector, 129));
        coordinator.submitBatch(batch, new bytes[](129));
    }

    function test_refusesStrangersAndTheJailed() public {
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        bytes[] memory signatures = new bytes[](1);
        signatures[0] = _sign(99, coordinator.batchDigest(batch));
        vm.expectRevert(abi.encodeWithSelector(Settlement.SignerNotActive.selector, vm.addr(99)));
        coordinator.submitBatch(batch, signatures);

        vm.prank(vm.addr(keys[2]));
        consensus.requestExit();
        signatures = _signBatch(batch, 3);
        vm.expectRevert(
            abi.encodeWithSelector(Settlement.SignerNotActive.selector, vm.addr(keys[2]))
        );
        coordinator.submitBatch(batch, signatures);
        // The exited power is not in the denominator: two of two are a quorum.
        coordinator.submitBatch(batch, _signBatch(batch, 2));
    }

    function test_refusesSignaturesOfAnotherBatchOrPlace() public {
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        bytes[] memory signatures = _signBatch(batch, 3);
        batch.stateRoot = bytes32("forged");
        _expectForeign(coordinator, batch, signatures);

        AndeSequencerCoordinator other = new AndeSequencerCoordinator(consensus);
        batch = _batch(1, 10, bytes32("genesis"));
        signatures = _signBatch(batch, 3);
        _expectForeign(other, batch, signatures);
        signatures[0] = _signHigh(keys[0], coordinator.batchDigest(batch));
        bytes32 highS = _wordAt(signatures[0], 32);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, highS));
        coordinator.submitBatch(batch, signatures);
        signatures = _signBatch(batch, 3);
        vm.chainId(99);
        _expectForeign(coordinator, batch, signatures);
        coordinator.submitBatch(batch, _signBatch(batch, 3)); // signed for the chain that it is on
    }

    /// @dev Signatures of something else recover to strangers, who are refused in one of two ways.
    function _expectForeign(
        AndeSequencerCoordinator target,
        Settlement.Batch memory batch,
        bytes[] memory signatures
    ) private {
        try target.submitBatch(batch, signatures) {
            vm.assertTrue(false, "a foreign signature was accepted");
        } catch (bytes memory reason) {
            vm.assertTrue(
                bytes4(reason) == Settlement.SignerNotActive.selector
                    || bytes4(reason) == Settlement.SignersNotAscending.selector
            );
        }
    }

    function test_pause() public {
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        bytes[] memory signatures = _signBatch(batch, 3);
        vm.prank(vm.addr(1));
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, vm.addr(1))
        );
        coordinator.pause();
        coordinator.pause();
        vm.expectRevert(Pausable.EnforcedPause.selector);
        coordinator.submitBatch(batch, signatures);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        coordinator.reportTimeout(_report(1, keys[0]), signatures);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        coordinator.requestForceInclusion{value: 0.01 ether}(hex"02aa");
        vm.prank(vm.addr(1));
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, vm.addr(1))
        );
        coordinator.unpause();
        coordinator.unpause();
        coordinator.submitBatch(batch, signatures);
    }

    // ------------------------------------------------------------------------------- timeouts

    function test_reportsATimeout() public {
        AndeSequencerCoordinator.TimeoutReport memory report = _report(1, keys[2]);
        report.round = 4;
        bytes[] memory signatures = _signReport(report, 2);
        vm.expectEmit(address(coordinator));
        emit AndeSequencerCoordinator.TimeoutDetected(0, 1, 4, vm.addr(keys[2]), 1);
        vm.expectEmit(address(coordinator));
        emit AndeSequencerCoordinator.LeaderRotated(0, 1, vm.addr(keys[2]), 5);
        coordinator.reportTimeout(report, signatures);
        vm.assertTrue(consensus.isValidator(vm.addr(keys[2])));
        vm.assertEq(coordinator.timeoutsCount(0, vm.addr(keys[2])), 1);

        // The same height again, in another round: counted once.
        report.round = 5;
        signatures = _signReport(report, 2);
        vm.expectRevert(
            abi.encodeWithSelector(
                AndeSequencerCoordinator.AlreadyReported.selector, 1, vm.addr(keys[2])
            )
        );
        coordinator.reportTimeout(report, signatures);
    }

    function test_jailsAfterThreeHeightsOfOneRotation() public {
        address silent = vm.addr(keys[2]);
        _reportTimeout(98);
        _reportTimeout(99);
        _reportTimeout(100); // the next rotation: does not add to rotation 0
        vm.assertTrue(consensus.isValidator(silent));
        vm.assertEq(coordinator.timeoutsCount(0, silent), 2);
        vm.assertEq(coordinator.timeoutsCount(1, silent), 1);

        AndeSequencerCoordinator.TimeoutReport memory report = _report(50, keys[2]);
        bytes[] memory signatures = _signReport(report, 2);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorJailed(
            silent, AndeConsensus.JailReason.Timeouts, uint64(block.timestamp) + 10 minutes
        );
        coordinator.reportTimeout(report, signatures);
        vm.assertFalse(consensus.isValidator(silent));
        vm.assertEq(consensus.totalVotingPower(), 2000);
        vm.assertEq(consensus.getValidatorInfo(silent).stake, 1000e18);
        vm.assertEq(coordinator.timeoutsCount(0, silent), 0);

        report = _report(51, keys[2]);
        signatures = _signReport(report, 2);
        vm.expectRevert(
            abi.encodeWithSelector(AndeSequencerCoordinator.ProposerNotActive.selector, silent)
        );
        coordinator.reportTimeout(report, signatures);

        // Back again, old reports are used up: three new heights are needed.
        vm.warp(block.timestamp + 10 minutes);
        vm.prank(silent);
        consensus.unjail();
        report = _report(50, keys[2]);
        signatures = _signReport(report, 2);
        vm.expectRevert(
            abi.encodeWithSelector(AndeSequencerCoordinator.AlreadyReported.selector, 50, silent)
        );
        coordinator.reportTimeout(report, signatures);
        _reportTimeout(51);
        _reportTimeout(52);
        vm.assertTrue(consensus.isValidator(silent));
        _reportTimeout(53);
        vm.assertFalse(consensus.isValidator(silent));
    }

    function test_nobodyPaysForAPredecessor() public {
        // Two heights of one proposer and one of another: neither has three.
        _reportTimeout(1);
        _reportTimeout(2);
        AndeSequencerCoordinator.TimeoutReport memory report = _report(3, keys[0]);
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = _sign(keys[1], coordinator.timeoutDigest(report));
        signatures[1] = _sign(keys[2], coordinator.timeoutDigest(report));
        coordinator.reportTimeout(report, signatures);
        vm.assertEq(consensus.getActiveValidatorsCount(), 3);
    }

    function test_refusesReports() public {
        AndeSequencerCoordinator.TimeoutReport memory report = _report(150, keys[2]);
        report.rotation = 2;
        bytes[] memory signatures = _signReport(report, 2);
        vm.expectRevert(
            abi.encodeWithSelector(AndeSequencerCoordinator.RotationMismatch.selector, 2, 150)
        );
        coordinator.reportTimeout(report, signatures);

        report = _report(150, keys[2]);
        signatures = _signReport(report, 1);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NoQuorum.selector, 1000, 1501));
        coordinator.reportTimeout(report, signatures);

        signatures = _signReport(report, 3); // the accused is the third
        vm.expectRevert(
            abi.encodeWithSelector(Settlement.SignerIsAccused.selector, vm.addr(keys[2]))
        );
        coordinator.reportTimeout(report, signatures);

        report.proposer = vm.addr(99);
        signatures = _signReport(report, 3);
        vm.expectRevert(
            abi.encodeWithSelector(
                AndeSequencerCoordinator.ProposerNotActive.selector, vm.addr(99)
            )
        );
        coordinator.reportTimeout(report, signatures);
    }

    function test_refusesOldReports() public {
        _submit(_batch(1, 299, bytes32("genesis")), 3); // block 300 is next: rotation 3
        AndeSequencerCoordinator.TimeoutReport memory report = _report(199, keys[2]);
        bytes[] memory signatures = _signReport(report, 2);
        vm.expectRevert(
            abi.encodeWithSelector(AndeSequencerCoordinator.ReportTooOld.selector, 1, 3)
        );
        coordinator.reportTimeout(report, signatures);
        _reportTimeout(200);
        _reportTimeout(5000);
    }

    function test_aMinorityCannotRemoveTheStrong() public {
        // The strong one has 60 %, the others have all of "the others' power" and no quorum.
        address strong = _register(55, 4500e18);
        AndeSequencerCoordinator.TimeoutReport memory report = _report(1, 55);
        bytes[] memory signatures = _signReport(report, 3);
        vm.assertEq(consensus.activePower(strong), 4500);
        vm.expectRevert(abi.encodeWithSelector(Settlement.NoQuorum.selector, 3000, 3751));
        coordinator.reportTimeout(report, signatures);
    }

    function test_jailNeedsTheRegistrysConsent() public {
        AndeConsensus registry = consensus;
        AndeSequencerCoordinator unnamed = new AndeSequencerCoordinator(registry);
        coordinator = unnamed; // its digests, but the registry names the other one
        _reportTimeout(1);
        _reportTimeout(2);
        AndeSequencerCoordinator.TimeoutReport memory report = _report(3, keys[2]);
        bytes[] memory signatures = _signReport(report, 2);
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotCoordinator.selector, address(unnamed))
        );
        unnamed.reportTimeout(report, signatures);
    }

    // ------------------------------------------------------------------------------- rotation

    function test_rotationFollowsSettlement() public {
        vm.assertEq(coordinator.getCurrentRotation(), 0);
        Settlement.Batch memory batch = _batch(1, 98, bytes32("genesis"));
        _submit(batch, 3);
        vm.assertEq(coordinator.getCurrentRotation(), 0);
        _submit(_batch(99, 99, batch.lastBlockHash), 3);
        vm.assertEq(coordinator.getCurrentRotation(), 1);
        vm.assertEq(coordinator.getCurrentProposer(), vm.addr(keys[1]));
    }

    function test_proposersTakeTurns() public {
        for (uint64 rotation = 0; rotation < 9; rotation++) {
            vm.assertEq(coordinator.scheduledProposer(rotation), vm.addr(keys[rotation % 3]));
        }
        vm.assertEq(
            coordinator.scheduledProposer(type(uint64).max), vm.addr(keys[type(uint64).max % 3])
        );
        for (uint256 i = 0; i < 3; i++) {
            vm.prank(vm.addr(keys[i]));
            consensus.requestExit();
        }
        vm.assertEq(coordinator.getCurrentProposer(), address(0));
    }

    function test_scheduleHasAnEnd() public {
        _register(70, 1_000_001e18);
        vm.assertTrue(coordinator.scheduledProposer(24_999) != address(0)); // 25,000 steps of 4
        vm.expectRevert(abi.encodeWithSelector(ProposerSchedule.ScheduleTooLong.selector, 25_001));
        coordinator.scheduledProposer(25_000);
    }

    function testFuzz_scheduleIsFair(uint8 a, uint8 b, uint8 c) public pure {
        uint256[] memory powers = new uint256[](3);
        (powers[0], powers[1], powers[2]) = (uint256(a) + 1, uint256(b) + 1, uint256(c) + 1);
        uint256 total = powers[0] + powers[1] + powers[2];
        uint256[] memory turns = new uint256[](3);
        // Within one period each proposes as often as it has power.
        for (uint256 rotation = 0; rotation < total && total < 60; rotation++) {
            turns[ProposerSchedule.proposerIndex(powers, rotation)] += 1;
        }
        if (total < 60) {
            for (uint256 i = 0; i < 3; i++) {
                vm.assertEq(turns[i], powers[i]);
            }
        }
    }

    // ----------------------------------------------------------------------------------- fuzz

    function testFuzz_onlyQuorumsSettle(uint256 members, uint256 stakeSeed, bool byzantine)
        public
    {
        if (byzantine) consensus.setFaultModel(1);
        _fund(keys[1], 500_000e18);
        vm.prank(vm.addr(keys[1]));
        consensus.increaseStake(_bound(stakeSeed, 1, 500_000e18));
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        uint256 count = 0;
        uint256 power = 0;
        for (uint256 i = 0; i < 3; i++) {
            if (members >> i & 1 == 1) count += 1;
        }
        bytes[] memory signatures = new bytes[](count);
        count = 0;
        for (uint256 i = 0; i < 3; i++) {
            if (members >> i & 1 == 0) continue;
            signatures[count++] = _sign(keys[i], coordinator.batchDigest(batch));
            power += consensus.activePower(vm.addr(keys[i]));
        }
        uint256 total = consensus.totalVotingPower();
        bool isQuorum = byzantine ? power * 3 > total * 2 : power * 2 > total;
        if (!isQuorum) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    Settlement.NoQuorum.selector, power, consensus.quorumPower()
                )
            );
        }
        coordinator.submitBatch(batch, signatures);
    }

    function testFuzz_digestsDiffer(Settlement.Batch memory a, Settlement.Batch memory b)
        public
        view
    {
        bool same = keccak256(abi.encode(a)) == keccak256(abi.encode(b));
        vm.assertTrue(same == (coordinator.batchDigest(a) == coordinator.batchDigest(b)));
    }
}
