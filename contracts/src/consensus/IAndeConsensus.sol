// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IAndeConsensus: what the coordinator and other contracts ask the validator registry
interface IAndeConsensus {
    /// @notice The voting power of `validator`; 0 unless it is in the active set.
    function activePower(address validator) external view returns (uint256);

    /// @notice The smallest power that is a quorum of the active set under the fault model.
    function quorumPower() external view returns (uint256);

    /// @notice The addresses of the active set, ascending, with their powers.
    function getActivePowers()
        external
        view
        returns (address[] memory validators, uint256[] memory powers);

    /// @notice Takes an active validator that was repeatedly silent out of the set for a while.
    /// Only the coordinator may call it.
    function jail(address validator) external;
}

/// @title IConsensusClient: a coordinator says which registry it works for
interface IConsensusClient {
    /// @notice The registry whose quorums the coordinator accepts.
    function consensus() external view returns (IAndeConsensus);
}
