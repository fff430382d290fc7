// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ProposerSchedule: CometBFT's proposer-priority rule for a set that does not change
/// @notice In each step every validator's priority grows by its power, the one with the largest
/// priority proposes (the lower address among equals), and the total power is taken off its
/// priority.  All priorities start at 0 and the first step gives rotation 0's proposer.
/// @dev Why CometBFT's other two operations are missing: priorities start at 0 and each step adds
/// and removes the total power, so their sum stays 0 and centring never moves anything; and within
/// such a run they stay less than twice the total apart, so scaling never starts.  The test
/// compares with the complete rule.
///
/// Why a rotation's number may be reduced: dividing all powers by their greatest common divisor
/// scales all priorities alike and changes no choice, and after (reduced total) steps each
/// validator was chosen (reduced power) times, which leaves all priorities at 0 again.
library ProposerSchedule {
    /// @notice The largest number of steps times validators that are computed (about 25 M gas).
    uint256 internal constant WORK_MAX = 100_000;

    /// @notice The schedule of these powers is too long to compute up to this rotation.
    error ScheduleTooLong(uint256 steps);

    /// @notice The index of the proposer that is scheduled for `rotation`.
    /// @param powers the voting powers by ascending address: at least one, none zero, below 2^53.
    /// @param rotation the rotation's number, from 0.
    function proposerIndex(uint256[] memory powers, uint256 rotation)
        internal
        pure
        returns (uint256 index)
    {
        uint256 count = powers.length;
        uint256 divisor = powers[0];
        for (uint256 i = 1; i < count; i++) {
            divisor = _gcd(divisor, powers[i]);
        }
        uint256 total = 0;
        for (uint256 i = 0; i < count; i++) {
            total += powers[i] / divisor;
        }
        uint256 steps = rotation % total + 1;
        if (steps > WORK_MAX / count) revert ScheduleTooLong(steps);

        int256[] memory priorities = new int256[](count);
        for (; steps > 0; steps--) {
            index = 0;
            for (uint256 i = 0; i < count; i++) {
                // Powers are below 2^53 and there are few: nothing here comes near 2^255.
                // forge-lint: disable-next-line(unsafe-typecast)
                priorities[i] += int256(powers[i] / divisor);
                if (priorities[i] > priorities[index]) index = i;
            }
            // forge-lint: disable-next-line(unsafe-typecast)
            priorities[index] -= int256(total);
        }
    }

    function _gcd(uint256 a, uint256 b) private pure returns (uint256) {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }
}
