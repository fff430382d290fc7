// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Ledger: a contract with storage, events, reads and reverts, for the end-to-end tests
contract Ledger {
    error TooMuch(uint256 asked, uint256 most);

    event Added(address indexed who, uint256 amount, string note);

    uint256 public total;
    mapping(address => uint256) public amounts;

    constructor(uint256 start) payable {
        total = start;
    }

    function add(uint256 amount, string calldata note) external returns (uint256) {
        if (amount > 1000) revert TooMuch(amount, 1000);
        require(amount != 0, "nothing to add");
        total += amount;
        amounts[msg.sender] += amount;
        emit Added(msg.sender, amount, note);
        return total;
    }
}
