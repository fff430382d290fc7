// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title AndeToken: the stake token of a test network
/// @notice A plain ERC-20 with 18 decimals and a fixed supply, all of it minted to one holder when
/// it is created.  It has no owner, no minting and no pause, so that nobody can change what a stake
/// is worth afterwards.  A network with a token of its own names it with
/// `AndeConsensus.setStakeToken` before its first validator registers.
contract AndeToken is ERC20 {
    /// @notice The address that was to receive the whole supply is zero.
    error ZeroHolder();

    /// @param holder receives the whole supply.
    /// @param supply in the token's smallest unit (10^-18 of a token).
    constructor(address holder, uint256 supply) ERC20("Ande Test Token", "ANDE") {
        if (holder == address(0)) revert ZeroHolder();
        _mint(holder, supply);
    }
}
