// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AndeToken} from "../src/AndeToken.sol";
import {AndeConsensus} from "../src/consensus/AndeConsensus.sol";

/// @notice The cheat codes of forge that the tests use.
interface Vm {
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest)
        external
        pure
        returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function expectRevert(bytes calldata data) external;
    function expectRevert(bytes4 selector) external;
    function expectEmit(bool one, bool two, bool three, bool data, address emitter) external;
    function expectEmit(address emitter) external;
    function warp(uint256 timestamp) external;
    function roll(uint256 number) external;
    function chainId(uint256 id) external;
    function deal(address account, uint256 balance) external;
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonUint(string calldata json, string calldata key)
        external
        pure
        returns (uint256);
    function parseJsonInt(string calldata json, string calldata key) external pure returns (int256);
    function parseJsonBytes32(string calldata json, string calldata key)
        external
        pure
        returns (bytes32);
    function parseJsonBytes(string calldata json, string calldata key)
        external
        pure
        returns (bytes memory);
    function parseJsonBytesArray(string calldata json, string calldata key)
        external
        pure
        returns (bytes[] memory);
    function parseJsonAddress(string calldata json, string calldata key)
        external
        pure
        returns (address);
    function parseJsonAddressArray(string calldata json, string calldata key)
        external
        pure
        returns (address[] memory);
    function parseJsonUintArray(string calldata json, string calldata key)
        external
        pure
        returns (uint256[] memory);
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
    function etch(address target, bytes calldata code) external;
    function toString(uint256 value) external pure returns (string memory);
    function assertEq(uint256 left, uint256 right, string calldata text) external pure;
    function assertEq(uint256 left, uint256 right) external pure;
    function assertEq(address left, address right) external pure;
    function assertEq(bytes32 left, bytes32 right) external pure;
    function assertEq(string calldata left, string calldata right) external pure;
    function assertTrue(bool condition, string calldata text) external pure;
    function assertTrue(bool condition) external pure;
    function assertFalse(bool condition) external pure;
}

/// @notice Cheat codes and signatures, without the rest of a test framework.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    /// @notice The order of secp256k1.
    uint256 internal constant ORDER =
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    /// @notice forge's struct that says which functions of a target are called in invariant tests.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The other valid signature of the same message, with high s.
    function _signHigh(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
    }

    /// @dev The 32 bytes of `data` from `offset` on.
    function _wordAt(bytes memory data, uint256 offset) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), offset))
        }
    }

    /// @dev `value` folded into [low, high].
    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        uint256 span = high - low;
        return span == type(uint256).max ? value : low + value % (span + 1);
    }

    function _peer(uint256 key) internal pure returns (bytes32) {
        return keccak256(abi.encode("peer", key));
    }
}

/// @notice A registry that the test owns, and validators by their keys.
abstract contract ConsensusBase is Base {
    AndeConsensus internal consensus;
    AndeToken internal token;

    function setUp() public virtual {
        consensus = new AndeConsensus();
        token = AndeToken(address(consensus.stakeToken()));
    }

    /// @dev Gives the validator of `key` tokens and the registry's allowance.
    function _fund(uint256 key, uint256 amount) internal returns (address validator) {
        validator = vm.addr(key);
        token.transfer(validator, amount);
        vm.prank(validator);
        token.approve(address(consensus), type(uint256).max);
    }

    function _register(uint256 key, uint256 stake) internal returns (address validator) {
        validator = _fund(key, stake);
        vm.prank(validator);
        consensus.registerValidator(_peer(key), "http://sequencer:8545", stake);
    }

    function _vote(uint8 kind, bytes32 blockHash)
        internal
        pure
        returns (AndeConsensus.Vote memory)
    {
        return AndeConsensus.Vote(kind, 7, 2, -1, blockHash);
    }

    /// @dev Slashes the validator of `key` for two votes.
    function _slash(uint256 key, AndeConsensus.Vote memory first, AndeConsensus.Vote memory second)
        internal
    {
        bytes memory firstSignature = _sign(key, consensus.voteDigest(first));
        bytes memory secondSignature = _sign(key, consensus.voteDigest(second));
        consensus.slash(first, firstSignature, second, secondSignature);
    }

    function _status(address validator) internal view returns (AndeConsensus.Status) {
        return consensus.getValidatorInfo(validator).status;
    }
}
