// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";

import {ForcedInclusion} from "../src/consensus/ForcedInclusion.sol";
import {Settlement} from "../src/consensus/Settlement.sol";
import {CoordinatorBase} from "./CoordinatorBase.sol";

/// @notice Requests of forced inclusion and the ways in which they end.
contract ForcedInclusionTest is CoordinatorBase {
    uint256 internal constant BOND = 0.01 ether;
    address internal constant SENDER = address(0xA11CE);
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;
    bytes internal constant RAW =
        hex"02f86c0180843b9aca0082520894000000000000000000000000000000000000000080c001a0";

    function setUp() public override {
        super.setUp();
        vm.roll(1000);
        vm.deal(SENDER, 1000 ether);
    }

    // ------------------------------------------------------------------------------- requests

    function test_requests() public {
        vm.expectEmit(address(coordinator));
        emit ForcedInclusion.ForceInclusionRequested(1, SENDER, RAW, keccak256(RAW), 1000);
        vm.assertEq(_request(RAW), 1);
        vm.assertEq(coordinator.forceInclusionsCount(), 1);
        vm.assertEq(coordinator.pendingIdOf(keccak256(RAW)), 1);
        vm.assertEq(address(coordinator).balance, BOND);
        ForcedInclusion.PendingRequest[] memory page = coordinator.getPendingForceInclusions(0, 10);
        vm.assertEq(page.length, 1);
        vm.assertEq(page[0].id, 1);
        vm.assertEq(page[0].sender, SENDER);
        vm.assertEq(page[0].txHash, keccak256(RAW));
        vm.assertEq(page[0].l1Block, 1000);
        vm.assertEq(page[0].deadlineL1Block, 1300);
    }

    function test_takesEveryTypeOfTheRollup() public {
        _request(hex"01aa");
        _request(hex"02aa");
        _request(hex"04aa");
        _request(hex"c0aa");
        _request(hex"f86caa");
        vm.assertEq(coordinator.pendingForceInclusionsCount(), 5);
    }

    function test_refusesRequests() public {
        vm.startPrank(SENDER);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.WrongBond.selector, 0, BOND));
        coordinator.requestForceInclusion(RAW);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.WrongBond.selector, BOND + 1, BOND));
        coordinator.requestForceInclusion{value: BOND + 1}(RAW);
        bytes[5] memory bad = [bytes(""), hex"03aa", hex"00aa", hex"7faa", hex"ffaa"];
        for (uint256 i = 0; i < bad.length; i++) {
            vm.expectRevert(ForcedInclusion.InvalidRawTransaction.selector);
            coordinator.requestForceInclusion{value: BOND}(bad[i]);
        }
        bytes memory large = new bytes(128 * 1024 + 1);
        large[0] = 0x02;
        vm.expectRevert(ForcedInclusion.InvalidRawTransaction.selector);
        coordinator.requestForceInclusion{value: BOND}(large);
        coordinator.requestForceInclusion{value: BOND}(RAW);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.AlreadyRequested.selector, 1));
        coordinator.requestForceInclusion{value: BOND}(RAW);
        vm.stopPrank();
    }

    function test_pendingListIsBoundedAndPaged() public {
        for (uint256 i = 0; i < 1024; i++) {
            _request(abi.encodePacked(hex"02", i));
        }
        vm.prank(SENDER);
        vm.expectRevert(ForcedInclusion.TooManyPendingRequests.selector);
        coordinator.requestForceInclusion{value: BOND}(RAW);

        uint256 seen = 0;
        for (uint256 offset = 0; offset < 1200; offset += 100) {
            seen += coordinator.getPendingForceInclusions(offset, 100).length;
        }
        vm.assertEq(seen, 1024);
        vm.assertEq(coordinator.getPendingForceInclusions(1000, type(uint256).max).length, 24);
        vm.assertEq(coordinator.getPendingForceInclusions(type(uint256).max, 1).length, 0);
        vm.roll(1301);
        coordinator.reportMissedInclusion(1);
        _request(RAW);
    }

    // ---------------------------------------------------------------------- quorum's statement

    function test_resolvesAsIncluded() public {
        _request(RAW);
        _submit(_batch(1, 10, bytes32("genesis")), 3);
        ForcedInclusion.Resolution memory resolution =
            ForcedInclusion.Resolution(1, keccak256(RAW), 5, bytes32("block 5"), true);
        bytes[] memory signatures = _signAll(coordinator.resolutionDigest(resolution), 2);
        vm.expectEmit(address(coordinator));
        emit ForcedInclusion.ForceInclusionResolved(1, keccak256(RAW), 5, true);
        coordinator.resolveForceInclusion(resolution, signatures);
        _expectEnd(1, ForcedInclusion.RequestStatus.Included, BOND);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.NotPending.selector, 1));
        coordinator.resolveForceInclusion(resolution, signatures);
    }

    function test_refusedBondIsBurned() public {
        _request(RAW);
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        _submit(batch, 3);
        ForcedInclusion.Resolution memory resolution =
            ForcedInclusion.Resolution(1, keccak256(RAW), 10, batch.lastBlockHash, false);
        bytes[] memory signatures = _signAll(coordinator.resolutionDigest(resolution), 2);
        vm.expectEmit(address(coordinator));
        emit ForcedInclusion.ForceInclusionResolved(1, keccak256(RAW), 10, false);
        coordinator.resolveForceInclusion(resolution, signatures);
        _expectEnd(1, ForcedInclusion.RequestStatus.Refused, 0);
        vm.assertEq(DEAD.balance, BOND);
        vm.assertEq(address(coordinator).balance, 0);
    }

    function test_refusesResolutions() public {
        _request(RAW);
        _submit(_batch(1, 10, bytes32("genesis")), 3);
        ForcedInclusion.Resolution memory resolution =
            ForcedInclusion.Resolution(2, keccak256(RAW), 5, bytes32("block 5"), true);
        _expectResolutionRevert(
            abi.encodeWithSelector(ForcedInclusion.NotPending.selector, 2), resolution, 3
        );
        resolution.id = 1;
        resolution.txHash = bytes32("other");
        _expectResolutionRevert(
            abi.encodeWithSelector(
                ForcedInclusion.TransactionMismatch.selector, bytes32("other"), keccak256(RAW)
            ),
            resolution,
            3
        );
        resolution.txHash = keccak256(RAW);
        _expectResolutionRevert(
            abi.encodeWithSelector(Settlement.NoQuorum.selector, 1000, 1501), resolution, 1
        );
        resolution.blockNumber = 11;
        _expectResolutionRevert(_notSettled(resolution), resolution, 3);
        resolution.blockNumber = 5;
        resolution.blockHash = bytes32(0);
        _expectResolutionRevert(_notSettled(resolution), resolution, 3);
        // A refusal names a settled batch's last block, by number and hash.
        resolution.included = false;
        _expectResolutionRevert(_notSettled(resolution), resolution, 3);
        resolution.blockNumber = 10;
        resolution.blockHash = bytes32("fork");
        _expectResolutionRevert(_notSettled(resolution), resolution, 3);
    }

    // ----------------------------------------------------------------------------------- proof

    function test_provesInclusionInASettledBlock() public {
        _request(RAW);
        (bytes[] memory headers, bytes[] memory proof) = _chainWith(RAW);
        vm.expectEmit(address(coordinator));
        emit ForcedInclusion.ForceInclusionResolved(1, keccak256(RAW), 8, true);
        vm.prank(address(0xCAFE)); // anyone
        coordinator.proveForceInclusion(1, headers, 1, proof);
        _expectEnd(1, ForcedInclusion.RequestStatus.Included, BOND);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.NotPending.selector, 1));
        coordinator.proveForceInclusion(1, headers, 1, proof);
    }

    function test_refusesProofs() public {
        _request(RAW);
        _request(hex"02bb");
        (bytes[] memory headers, bytes[] memory proof) = _chainWith(RAW);
        vm.expectRevert(ForcedInclusion.NoHeaders.selector);
        coordinator.proveForceInclusion(1, new bytes[](0), 1, proof);
        // Another request's transaction.
        vm.expectRevert(
            abi.encodeWithSelector(
                ForcedInclusion.TransactionMismatch.selector, keccak256(RAW), keccak256(hex"02bb")
            )
        );
        coordinator.proveForceInclusion(2, headers, 1, proof);
        // Another index than the proof's.
        vm.expectRevert(
            abi.encodeWithSelector(
                TrieProof.TrieProofTraversalError.selector, TrieProof.ProofError.INVALID_LARGE_NODE
            )
        );
        coordinator.proveForceInclusion(1, headers, 0, proof);
        // A header is missing in between.
        bytes[] memory gap = new bytes[](2);
        (gap[0], gap[1]) = (headers[0], headers[2]);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.HeadersNotChained.selector, 1));
        coordinator.proveForceInclusion(1, gap, 1, proof);
        // The headers end before a settled batch's last block.
        gap[1] = headers[1];
        vm.expectRevert(
            abi.encodeWithSelector(ForcedInclusion.NotSettled.selector, 9, keccak256(headers[1]))
        );
        coordinator.proveForceInclusion(1, gap, 1, proof);
        // A block of nobody's chain with the right transaction.
        bytes[] memory forged = new bytes[](1);
        forged[0] = _header(bytes32("nobody"), keccak256(proof[0]), 10);
        vm.expectRevert(
            abi.encodeWithSelector(ForcedInclusion.NotSettled.selector, 10, keccak256(forged[0]))
        );
        coordinator.proveForceInclusion(1, forged, 1, proof);
        // A number beyond the settled chain, whose low 64 bits are a settled block's.
        uint256 wrapped = (1 << 64) + 10;
        forged[0] = _header(bytes32("nobody"), keccak256(proof[0]), wrapped);
        vm.expectRevert(
            abi.encodeWithSelector(
                ForcedInclusion.NotSettled.selector, wrapped, keccak256(forged[0])
            )
        );
        coordinator.proveForceInclusion(1, forged, 1, proof);
    }

    // ---------------------------------------------------------------------------------- missed

    function test_reportsAMissedRequest() public {
        _request(RAW);
        vm.roll(1300);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.DeadlineNotPassed.selector, 1300));
        coordinator.reportMissedInclusion(1);
        vm.roll(1301);
        vm.expectEmit(address(coordinator));
        emit ForcedInclusion.ForceInclusionMissed(1, keccak256(RAW), 1300, 0);
        coordinator.reportMissedInclusion(1);
        vm.assertEq(coordinator.missedForceInclusions(), 1);
        _expectEnd(1, ForcedInclusion.RequestStatus.Missed, BOND);
        vm.expectRevert(abi.encodeWithSelector(ForcedInclusion.NotPending.selector, 1));
        coordinator.reportMissedInclusion(1);
        vm.assertEq(_request(RAW), 2); // it may be asked for again
    }

    function test_endingsKnowNoPause() public {
        _request(RAW);
        _request(hex"02bb");
        (bytes[] memory headers, bytes[] memory proof) = _chainWith(RAW);
        coordinator.pause();
        coordinator.proveForceInclusion(1, headers, 1, proof);
        vm.roll(1301);
        coordinator.reportMissedInclusion(2);
        vm.prank(SENDER);
        coordinator.withdrawRefund();
    }

    // --------------------------------------------------------------------------------- refunds

    function test_refundsOnce() public {
        _request(RAW);
        vm.roll(1301);
        coordinator.reportMissedInclusion(1);
        uint256 balance = SENDER.balance;
        vm.startPrank(SENDER);
        vm.expectEmit(address(coordinator));
        emit ForcedInclusion.RefundWithdrawn(SENDER, BOND);
        coordinator.withdrawRefund();
        vm.assertEq(SENDER.balance, balance + BOND);
        vm.expectRevert(ForcedInclusion.NothingToWithdraw.selector);
        coordinator.withdrawRefund();
        vm.stopPrank();
    }

    function test_reentrantRefundIsPaidOnce() public {
        Greedy greedy = new Greedy();
        vm.deal(address(greedy), BOND);
        greedy.request(coordinator, RAW);
        _request(hex"02bb"); // somebody else's bond
        vm.roll(1301);
        coordinator.reportMissedInclusion(1);
        greedy.withdraw(coordinator);
        vm.assertTrue(greedy.wasRefused());
        vm.assertEq(address(greedy).balance, BOND);
        vm.assertEq(address(coordinator).balance, BOND);
    }

    // -------------------------------------------------------------------------------- helpers

    function _request(bytes memory raw) private returns (uint256) {
        vm.prank(SENDER);
        return coordinator.requestForceInclusion{value: BOND}(raw);
    }

    function _expectEnd(uint256 id, ForcedInclusion.RequestStatus status, uint256 refund)
        private
        view
    {
        (,, ForcedInclusion.RequestStatus now_, bytes32 txHash) = coordinator.forceInclusions(id);
        vm.assertTrue(now_ == status);
        vm.assertEq(coordinator.pendingIdOf(txHash), 0);
        vm.assertEq(coordinator.refunds(SENDER), refund);
        vm.assertEq(coordinator.pendingForceInclusionsCount(), 0);
    }

    function _notSettled(ForcedInclusion.Resolution memory resolution)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(
            ForcedInclusion.NotSettled.selector, resolution.blockNumber, resolution.blockHash
        );
    }

    function _expectResolutionRevert(
        bytes memory refusal,
        ForcedInclusion.Resolution memory resolution,
        uint256 signers
    ) private {
        bytes[] memory signatures = _signAll(coordinator.resolutionDigest(resolution), signers);
        vm.expectRevert(refusal);
        coordinator.resolveForceInclusion(resolution, signatures);
    }

    /// @dev A header with 21 fields, most of them empty.
    function _header(bytes32 parent, bytes32 transactionsRoot, uint256 number)
        private
        pure
        returns (bytes memory)
    {
        bytes[] memory fields = new bytes[](21);
        for (uint256 i = 0; i < fields.length; i++) {
            fields[i] = RLP.encode(bytes(""));
        }
        fields[0] = RLP.encode(parent);
        fields[4] = RLP.encode(transactionsRoot);
        fields[8] = RLP.encode(number);
        return RLP.encode(fields);
    }

    /// @dev Settles blocks 1 to 10; block 8 has two transactions, `raw` is the second.  A trie of
    /// the keys rlp(0) = 80 and rlp(1) = 01 is one branch with two leaves.
    function _chainWith(bytes memory raw)
        private
        returns (bytes[] memory headers, bytes[] memory proof)
    {
        bytes[] memory branch = new bytes[](17);
        for (uint256 i = 0; i < branch.length; i++) {
            branch[i] = RLP.encode(bytes(""));
        }
        bytes memory leaf = _leaf(hex"31", raw); // odd path: nibble 1
        branch[8] = RLP.encode(keccak256(_leaf(hex"30", new bytes(60)))); // odd path: nibble 0
        branch[0] = RLP.encode(keccak256(leaf));
        proof = new bytes[](2);
        (proof[0], proof[1]) = (RLP.encode(branch), leaf);

        headers = new bytes[](3);
        headers[0] = _header(bytes32("seven"), keccak256(proof[0]), 8);
        headers[1] = _header(keccak256(headers[0]), bytes32("none"), 9);
        headers[2] = _header(keccak256(headers[1]), bytes32("none"), 10);
        Settlement.Batch memory batch = _batch(1, 10, bytes32("genesis"));
        batch.lastBlockHash = keccak256(headers[2]);
        _submit(batch, 3);
    }

    function _leaf(bytes memory path, bytes memory value) private pure returns (bytes memory) {
        bytes[] memory pair = new bytes[](2);
        (pair[0], pair[1]) = (RLP.encode(path), RLP.encode(value));
        return RLP.encode(pair);
    }
}

/// @notice Asks for its refund again while it is being paid.
contract Greedy {
    bool public wasRefused;

    function request(ForcedInclusion coordinator, bytes calldata raw) external {
        coordinator.requestForceInclusion{value: address(this).balance}(raw);
    }

    function withdraw(ForcedInclusion coordinator) external {
        coordinator.withdrawRefund();
    }

    receive() external payable {
        (bool done,) = msg.sender.call(abi.encodeCall(ForcedInclusion.withdrawRefund, ()));
        wasRefused = !done;
    }
}
