// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AndeSequencerCoordinator} from "../src/consensus/AndeSequencerCoordinator.sol";
import {Settlement} from "../src/consensus/Settlement.sol";
import {ConsensusBase} from "./Base.sol";

/// @notice Three equal validators and their coordinator.
abstract contract CoordinatorBase is ConsensusBase {
    AndeSequencerCoordinator internal coordinator;
    uint256[3] internal keys; // by ascending address

    function setUp() public virtual override {
        super.setUp();
        vm.warp(1_700_000_000);
        coordinator = new AndeSequencerCoordinator(consensus);
        consensus.setCoordinator(address(coordinator));
        keys = [uint256(21), 22, 23];
        for (uint256 i = 0; i < 3; i++) {
            for (uint256 j = i + 1; j < 3; j++) {
                if (vm.addr(keys[j]) < vm.addr(keys[i])) (keys[i], keys[j]) = (keys[j], keys[i]);
            }
        }
        for (uint256 i = 0; i < 3; i++) {
            _register(keys[i], 1000e18);
        }
    }

    function _batch(uint64 first, uint64 last, bytes32 parent)
        internal
        pure
        returns (Settlement.Batch memory)
    {
        return Settlement.Batch({
            firstBlock: first,
            lastBlock: last,
            parentHash: parent,
            lastBlockHash: keccak256(abi.encode("block", last)),
            stateRoot: keccak256(abi.encode("state", last)),
            daHeight: last + 1000,
            daCommitment: keccak256(abi.encode("da", last))
        });
    }

    /// @dev The first `count` validators' signatures of a digest.
    function _signAll(bytes32 digest, uint256 count) internal view returns (bytes[] memory all) {
        all = new bytes[](count);
        for (uint256 i = 0; i < count; i++) {
            all[i] = _sign(keys[i], digest);
        }
    }

    function _signBatch(Settlement.Batch memory batch, uint256 count)
        internal
        view
        returns (bytes[] memory)
    {
        return _signAll(coordinator.batchDigest(batch), count);
    }

    function _submit(Settlement.Batch memory batch, uint256 count) internal {
        coordinator.submitBatch(batch, _signBatch(batch, count));
    }

    function _report(uint64 height, uint256 key)
        internal
        pure
        returns (AndeSequencerCoordinator.TimeoutReport memory)
    {
        return AndeSequencerCoordinator.TimeoutReport(height / 100, height, 0, vm.addr(key));
    }

    function _signReport(AndeSequencerCoordinator.TimeoutReport memory report, uint256 count)
        internal
        view
        returns (bytes[] memory)
    {
        return _signAll(coordinator.timeoutDigest(report), count);
    }

    /// @dev The first two report the third's silence.
    function _reportTimeout(uint64 height) internal {
        AndeSequencerCoordinator.TimeoutReport memory report = _report(height, keys[2]);
        coordinator.reportTimeout(report, _signReport(report, 2));
    }
}
