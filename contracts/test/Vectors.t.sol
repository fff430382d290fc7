// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {AndeConsensus} from "../src/consensus/AndeConsensus.sol";
import {AndeSequencerCoordinator} from "../src/consensus/AndeSequencerCoordinator.sol";
import {ProposerSchedule} from "../src/consensus/ProposerSchedule.sol";
import {Settlement} from "../src/consensus/Settlement.sol";
import {Base} from "./Base.sol";

/// @notice The contracts against test/vectors, which ethers made (script/make-vectors.mjs) and the
/// node's own tests read too.
contract VectorsTest is Base {
    AndeConsensus private _consensusCode;
    AndeSequencerCoordinator private _coordinatorCode;

    function setUp() public {
        _consensusCode = new AndeConsensus();
        _coordinatorCode = new AndeSequencerCoordinator(_consensusCode);
    }

    function test_votes() public {
        string memory json = vm.readFile("test/vectors/votes.json");
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count >= 28);
        for (uint256 i = 0; i < count; i++) {
            string memory at = string.concat(".votes[", vm.toString(i), "]");
            AndeConsensus.Vote memory vote = AndeConsensus.Vote({
                kind: uint8(_uint(json, at, ".kind")),
                height: uint64(_uint(json, at, ".height")),
                round: uint32(_uint(json, at, ".round")),
                validRound: int32(vm.parseJsonInt(json, string.concat(at, ".validRound"))),
                blockHash: _bytes32(json, at, ".blockHash")
            });
            address place = _place(json, at, address(_consensusCode));
            _check(json, at, AndeConsensus(place).voteDigest(vote));
        }
    }

    function test_batches() public {
        string memory json = vm.readFile("test/vectors/batches.json");
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count >= 12);
        for (uint256 i = 0; i < count; i++) {
            string memory at = string.concat(".batches[", vm.toString(i), "]");
            Settlement.Batch memory batch = Settlement.Batch({
                firstBlock: uint64(_uint(json, at, ".firstBlock")),
                lastBlock: uint64(_uint(json, at, ".lastBlock")),
                parentHash: _bytes32(json, at, ".parentHash"),
                lastBlockHash: _bytes32(json, at, ".lastBlockHash"),
                stateRoot: _bytes32(json, at, ".stateRoot"),
                daHeight: uint64(_uint(json, at, ".daHeight")),
                daCommitment: _bytes32(json, at, ".daCommitment")
            });
            address place = _place(json, at, address(_coordinatorCode));
            _check(json, at, AndeSequencerCoordinator(place).batchDigest(batch));
        }
    }

    function test_timeouts() public {
        string memory json = vm.readFile("test/vectors/timeouts.json");
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count >= 12);
        for (uint256 i = 0; i < count; i++) {
            string memory at = string.concat(".timeouts[", vm.toString(i), "]");
            AndeSequencerCoordinator.TimeoutReport memory report =
                AndeSequencerCoordinator.TimeoutReport({
                    rotation: uint64(_uint(json, at, ".rotation")),
                    height: uint64(_uint(json, at, ".height")),
                    round: uint32(_uint(json, at, ".round")),
                    proposer: vm.parseJsonAddress(json, string.concat(at, ".proposer"))
                });
            address place = _place(json, at, address(_coordinatorCode));
            _check(json, at, AndeSequencerCoordinator(place).timeoutDigest(report));
        }
    }

    function test_proposers() public view {
        string memory json = vm.readFile("test/vectors/proposers.json");
        uint256 count = vm.parseJsonUint(json, ".count");
        vm.assertTrue(count >= 7);
        for (uint256 i = 0; i < count; i++) {
            string memory at = string.concat(".cases[", vm.toString(i), "]");
            address[] memory validators =
                vm.parseJsonAddressArray(json, string.concat(at, ".validators"));
            uint256[] memory powers = vm.parseJsonUintArray(json, string.concat(at, ".powers"));
            address[] memory proposers =
                vm.parseJsonAddressArray(json, string.concat(at, ".proposers"));
            for (uint256 rotation = 0; rotation < proposers.length; rotation++) {
                uint256 index = ProposerSchedule.proposerIndex(powers, rotation);
                vm.assertEq(validators[index], proposers[rotation]);
            }
        }
    }

    // -------------------------------------------------------------------------------- helpers

    /// @dev Puts the code where the vector wants it, on the chain that it names.  The domain
    /// separator that the constructor cached is of another place, so the contract computes it anew.
    function _place(string memory json, string memory at, address code)
        private
        returns (address place)
    {
        place = vm.parseJsonAddress(json, string.concat(at, ".contract"));
        vm.etch(place, code.code);
        vm.chainId(_uint(json, at, ".chainId"));
    }

    function _check(string memory json, string memory at, bytes32 digest) private pure {
        vm.assertEq(digest, _bytes32(json, at, ".digest"));
        bytes32 r = _bytes32(json, at, ".r");
        bytes32 s = _bytes32(json, at, ".s");
        uint8 v = uint8(_uint(json, at, ".v"));
        address signer = vm.parseJsonAddress(json, string.concat(at, ".signer"));
        bytes memory signature = vm.parseJsonBytes(json, string.concat(at, ".signature"));
        vm.assertEq(keccak256(signature), keccak256(abi.encodePacked(r, s, v)));
        vm.assertEq(ECDSA.recover(digest, signature), signer);
        uint256 key = uint256(_bytes32(json, at, ".privateKey"));
        vm.assertEq(vm.addr(key), signer);
        vm.assertEq(keccak256(_sign(key, digest)), keccak256(signature)); // RFC 6979 on both sides
    }

    function _uint(string memory json, string memory at, string memory key)
        private
        pure
        returns (uint256)
    {
        return vm.parseJsonUint(json, string.concat(at, key));
    }

    function _bytes32(string memory json, string memory at, string memory key)
        private
        pure
        returns (bytes32)
    {
        return vm.parseJsonBytes32(json, string.concat(at, key));
    }
}
