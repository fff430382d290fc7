// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {AndeToken} from "../src/AndeToken.sol";
import {AndeConsensus} from "../src/consensus/AndeConsensus.sol";
import {AndeSequencerCoordinator} from "../src/consensus/AndeSequencerCoordinator.sol";
import {ConsensusBase} from "./Base.sol";

/// @notice A token that keeps one unit of each transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    constructor() {
        _mint(msg.sender, 1e30);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0) && value > 0) super._update(to, address(1), 1);
    }
}

/// @notice A token with six decimals.
contract SixDecimals is ERC20("Six", "SIX") {
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

/// @notice A token that, when it pays a validator, calls `withdraw` again on that validator's
/// behalf.
contract ReentrantToken is ERC20("Again", "AGN") {
    AndeConsensus internal immutable registry;
    bool public wasRefused;

    constructor(AndeConsensus registry_) {
        registry = registry_;
        _mint(msg.sender, 1e30);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from == address(registry) && to.code.length > 0) {
            wasRefused = !Staker(to).tryWithdraw();
        }
    }
}

/// @notice A validator that is a contract.
contract Staker {
    AndeConsensus internal immutable registry;

    constructor(AndeConsensus registry_) {
        registry = registry_;
    }

    function register(ERC20 token, uint256 stake) external {
        token.approve(address(registry), stake);
        registry.registerValidator(bytes32(uint256(1)), "e", stake);
    }

    function exit() external {
        registry.requestExit();
    }

    function tryWithdraw() external returns (bool done) {
        (done,) = address(registry).call(abi.encodeCall(AndeConsensus.withdraw, ()));
    }
}

/// @notice Registration, stake, exit, and what the owner may do.
contract AndeConsensusTest is ConsensusBase {
    uint256 internal constant KEY = 11;
    uint256 internal constant STAKE = 1000e18;
    string internal constant ENDPOINT = "http://sequencer:8545";

    function test_deployerOwnsEverythingAtOnce() public view {
        vm.assertEq(consensus.owner(), address(this));
        vm.assertEq(token.balanceOf(address(this)), consensus.TEST_TOKEN_SUPPLY());
        vm.assertEq(token.totalSupply(), consensus.TEST_TOKEN_SUPPLY());
        vm.assertEq(consensus.currentEpoch(), 0);
        vm.assertEq(consensus.faultModel(), 0);
        vm.assertEq(consensus.quorumPower(), 1);
        vm.assertEq(consensus.MIN_STAKE(), 1000e18);
    }

    function test_tokenRefusesNoHolder() public {
        vm.expectRevert(AndeToken.ZeroHolder.selector);
        new AndeToken(address(0), 1);
    }

    // --------------------------------------------------------------------------- registration

    function test_registers() public {
        address validator = _fund(KEY, STAKE);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorRegistered(validator, _peer(KEY), ENDPOINT, STAKE);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSetUpdated(1, 1000, 1);
        vm.prank(validator);
        consensus.registerValidator(_peer(KEY), ENDPOINT, STAKE);

        vm.assertEq(token.balanceOf(address(consensus)), STAKE);
        vm.assertEq(token.balanceOf(validator), 0);
        vm.assertTrue(consensus.isValidator(validator));
        vm.assertEq(consensus.activePower(validator), 1000);
        vm.assertEq(consensus.totalVotingPower(), 1000);
        vm.assertEq(consensus.getActiveValidatorsCount(), 1);
        vm.assertEq(consensus.validatorOfPeerId(_peer(KEY)), validator);
        vm.assertTrue(consensus.hasEverRegistered());
        AndeConsensus.ValidatorInfo memory info = consensus.getValidatorInfo(validator);
        vm.assertTrue(info.status == AndeConsensus.Status.Active);
        vm.assertEq(info.peerId, _peer(KEY));
        vm.assertEq(info.endpoint, ENDPOINT);
        vm.assertEq(info.stake, STAKE);
        vm.assertEq(info.power, 1000);
    }

    function test_setIsSortedAndComplete() public {
        for (uint256 key = 1; key <= 20; key++) {
            _register(key, STAKE + key * 1e18);
        }
        (uint256 epoch, uint256 total, AndeConsensus.ValidatorView[] memory set) =
            consensus.getValidatorSet();
        vm.assertEq(epoch, 20);
        vm.assertEq(total, 20 * 1000 + 210);
        vm.assertEq(set.length, 20);
        uint256 sum = 0;
        address[] memory active = consensus.getActiveValidators();
        for (uint256 i = 0; i < 20; i++) {
            if (i > 0) vm.assertTrue(set[i - 1].validator < set[i].validator);
            vm.assertEq(active[i], set[i].validator);
            vm.assertEq(set[i].peerId, consensus.getValidatorInfo(active[i]).peerId);
            vm.assertEq(set[i].power, consensus.activePower(active[i]));
            vm.assertEq(set[i].endpoint, ENDPOINT);
            sum += set[i].power;
        }
        vm.assertEq(sum, total);
        (address[] memory validators, uint256[] memory powers) = consensus.getActivePowers();
        vm.assertEq(validators[7], set[7].validator);
        vm.assertEq(powers[7], set[7].power);
    }

    function test_refusesSecondRegistration() public {
        address validator = _register(KEY, STAKE);
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.AlreadyRegistered.selector, validator)
        );
        vm.prank(validator);
        consensus.registerValidator(_peer(12), ENDPOINT, STAKE);
    }

    function test_refusesZeroPeerId() public {
        vm.prank(_fund(KEY, STAKE));
        vm.expectRevert(AndeConsensus.ZeroPeerId.selector);
        consensus.registerValidator(bytes32(0), ENDPOINT, STAKE);
    }

    function test_refusesTakenPeerId() public {
        _register(KEY, STAKE);
        vm.prank(_fund(12, STAKE));
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.PeerIdTaken.selector, _peer(KEY)));
        consensus.registerValidator(_peer(KEY), ENDPOINT, STAKE);
    }

    function test_refusesEndpoints() public {
        address validator = _fund(KEY, STAKE);
        vm.startPrank(validator);
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.InvalidEndpoint.selector, 0));
        consensus.registerValidator(_peer(KEY), "", STAKE);
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.InvalidEndpoint.selector, 257));
        consensus.registerValidator(_peer(KEY), string(new bytes(257)), STAKE);
        consensus.registerValidator(_peer(KEY), string(new bytes(256)), STAKE);
        vm.stopPrank();
    }

    function test_refusesStakes() public {
        uint256 minimum = consensus.MIN_STAKE();
        uint256 maximum = consensus.MAX_STAKE();
        vm.startPrank(_fund(KEY, STAKE));
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.StakeTooSmall.selector, minimum - 1, minimum)
        );
        consensus.registerValidator(_peer(KEY), ENDPOINT, minimum - 1);
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.StakeTooLarge.selector, maximum + 1, maximum)
        );
        consensus.registerValidator(_peer(KEY), ENDPOINT, maximum + 1);
        vm.stopPrank();
    }

    function test_refusesWithoutApproval() public {
        address validator = vm.addr(KEY);
        token.transfer(validator, STAKE);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(consensus), 0, STAKE
            )
        );
        vm.prank(validator);
        consensus.registerValidator(_peer(KEY), ENDPOINT, STAKE);
        vm.assertFalse(consensus.isValidator(validator));
    }

    function test_refusesMoreThanTheLargestSet() public {
        uint256 maximum = consensus.MAX_VALIDATORS();
        for (uint256 key = 1; key <= maximum; key++) {
            _register(key, STAKE);
        }
        vm.prank(_fund(1000, STAKE));
        vm.expectRevert(AndeConsensus.ValidatorSetFull.selector);
        consensus.registerValidator(_peer(1000), ENDPOINT, STAKE);
        (,, AndeConsensus.ValidatorView[] memory set) = consensus.getValidatorSet();
        vm.assertEq(set.length, maximum);

        // Whoever is jailed has lost its place when another took it.
        address jailed = vm.addr(5);
        _slash(5, _vote(1, bytes32(uint256(1))), _vote(1, bytes32(uint256(2))));
        vm.prank(vm.addr(1000));
        consensus.registerValidator(_peer(1000), ENDPOINT, STAKE);
        _fund(5, STAKE);
        vm.prank(jailed);
        consensus.increaseStake(STAKE);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(AndeConsensus.ValidatorSetFull.selector);
        vm.prank(jailed);
        consensus.unjail();
    }

    function test_largestSetFitsTheBoundOfCometBFT() public view {
        uint256 powerMax = consensus.MAX_STAKE() / consensus.STAKE_PER_POWER();
        vm.assertTrue(
            powerMax * consensus.MAX_VALIDATORS() <= uint256(uint64(type(int64).max)) / 8
        );
    }

    function test_refusesTokenWithFee() public {
        FeeToken fee = new FeeToken();
        consensus.setStakeToken(address(fee));
        fee.approve(address(consensus), STAKE);
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.TokenAmountMismatch.selector, STAKE, STAKE - 1)
        );
        consensus.registerValidator(_peer(KEY), ENDPOINT, STAKE);
    }

    // ---------------------------------------------------------------------------------- stake

    function test_increasesStake() public {
        address validator = _register(KEY, STAKE);
        _fund(KEY, 5e18);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.StakeIncreased(validator, 5e18, STAKE + 5e18);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSetUpdated(2, 1005, 1);
        vm.prank(validator);
        consensus.increaseStake(5e18);
        vm.assertEq(consensus.totalVotingPower(), 1005);
        vm.assertEq(consensus.activePower(validator), 1005);
    }

    function test_stakeBelowAWholeTokenChangesNoSet() public {
        address validator = _register(KEY, STAKE);
        _fund(KEY, 1e18);
        vm.startPrank(validator);
        consensus.increaseStake(1e18 - 1);
        vm.assertEq(consensus.currentEpoch(), 1);
        vm.assertEq(consensus.totalVotingPower(), 1000);
        consensus.increaseStake(1);
        vm.stopPrank();
        vm.assertEq(consensus.currentEpoch(), 2);
        vm.assertEq(consensus.totalVotingPower(), 1001);
    }

    function test_refusesIncrease() public {
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, address(this))
        );
        consensus.increaseStake(1);
        address validator = _register(KEY, STAKE);
        vm.startPrank(validator);
        vm.expectRevert(AndeConsensus.ZeroAmount.selector);
        consensus.increaseStake(0);
        uint256 maximum = consensus.MAX_STAKE();
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.StakeTooLarge.selector, maximum + 1, maximum)
        );
        consensus.increaseStake(maximum + 1 - STAKE);
        consensus.requestExit();
        vm.expectRevert(
            abi.encodeWithSelector(
                AndeConsensus.WrongStatus.selector, validator, AndeConsensus.Status.Exiting
            )
        );
        consensus.increaseStake(1);
        vm.stopPrank();
    }

    function test_setsEndpoint() public {
        address validator = _register(KEY, STAKE);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.EndpointUpdated(validator, "http://elsewhere:8545");
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSetUpdated(2, 1000, 1);
        vm.prank(validator);
        consensus.setEndpoint("http://elsewhere:8545");
        vm.assertEq(consensus.getValidatorInfo(validator).endpoint, "http://elsewhere:8545");
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.InvalidEndpoint.selector, 0));
        vm.prank(validator);
        consensus.setEndpoint("");
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, address(this))
        );
        consensus.setEndpoint("x");
    }

    // ----------------------------------------------------------------------------------- exit

    function test_exitsAndWithdrawsOnce() public {
        address validator = _register(KEY, STAKE);
        _register(12, STAKE);
        uint64 from = uint64(block.timestamp) + 7 days;
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ExitRequested(validator, from);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.ValidatorSetUpdated(3, 1000, 1);
        vm.startPrank(validator);
        consensus.requestExit();
        vm.assertFalse(consensus.isValidator(validator));
        vm.assertEq(consensus.activePower(validator), 0);
        vm.assertEq(consensus.totalVotingPower(), 1000);
        vm.assertEq(consensus.getActiveValidators()[0], vm.addr(12));

        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.TooEarly.selector, from));
        consensus.withdraw();
        vm.warp(from);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.StakeWithdrawn(validator, STAKE);
        consensus.withdraw();
        vm.assertEq(token.balanceOf(validator), STAKE);
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, validator));
        consensus.withdraw();
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(consensus)), STAKE);
        vm.assertEq(consensus.validatorOfPeerId(_peer(KEY)), address(0));
        vm.assertTrue(_status(validator) == AndeConsensus.Status.None);
    }

    function test_registersAgainAfterWithdrawal() public {
        address validator = _register(KEY, STAKE);
        vm.startPrank(validator);
        consensus.requestExit();
        vm.warp(block.timestamp + 7 days);
        consensus.withdraw();
        consensus.registerValidator(_peer(KEY), ENDPOINT, STAKE);
        vm.stopPrank();
        vm.assertTrue(consensus.isValidator(validator));
        vm.assertEq(consensus.totalVotingPower(), 1000);
    }

    function test_refusesExits() public {
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.NotRegistered.selector, address(this))
        );
        consensus.requestExit();
        address validator = _register(KEY, STAKE);
        vm.startPrank(validator);
        vm.expectRevert(
            abi.encodeWithSelector(
                AndeConsensus.WrongStatus.selector, validator, AndeConsensus.Status.Active
            )
        );
        consensus.withdraw();
        consensus.requestExit();
        vm.expectRevert(
            abi.encodeWithSelector(
                AndeConsensus.WrongStatus.selector, validator, AndeConsensus.Status.Exiting
            )
        );
        consensus.requestExit();
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.AlreadyRegistered.selector, validator)
        );
        consensus.registerValidator(_peer(12), ENDPOINT, STAKE);
        vm.stopPrank();
    }

    function test_reentrantTokenIsPaidOnce() public {
        ReentrantToken again = new ReentrantToken(consensus);
        consensus.setStakeToken(address(again));
        Staker staker = new Staker(consensus);
        again.transfer(address(staker), STAKE);
        staker.register(again, STAKE);
        again.approve(address(consensus), STAKE); // somebody else's, not to be paid out
        consensus.registerValidator(_peer(KEY), ENDPOINT, STAKE);
        staker.exit();
        vm.warp(block.timestamp + 7 days);
        vm.assertTrue(staker.tryWithdraw());
        vm.assertTrue(again.wasRefused());
        vm.assertEq(again.balanceOf(address(staker)), STAKE);
        vm.assertEq(again.balanceOf(address(consensus)), STAKE);
    }

    // ---------------------------------------------------------------------------------- owner

    function test_ownerOnly() public {
        bytes memory refusal =
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, vm.addr(KEY));
        vm.startPrank(vm.addr(KEY));
        vm.expectRevert(refusal);
        consensus.setCoordinator(address(this));
        vm.expectRevert(refusal);
        consensus.setStakeToken(address(token));
        vm.expectRevert(refusal);
        consensus.setFaultModel(1);
        vm.expectRevert(refusal);
        consensus.pause();
        vm.expectRevert(refusal);
        consensus.unpause();
        vm.stopPrank();
    }

    function test_ownershipMovesInTwoSteps() public {
        consensus.transferOwnership(vm.addr(KEY));
        vm.assertEq(consensus.owner(), address(this));
        vm.prank(vm.addr(KEY));
        consensus.acceptOwnership();
        vm.assertEq(consensus.owner(), vm.addr(KEY));
    }

    function test_namesCoordinatorOnce() public {
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.InvalidCoordinator.selector, vm.addr(KEY))
        );
        consensus.setCoordinator(vm.addr(KEY));
        AndeSequencerCoordinator foreign = new AndeSequencerCoordinator(new AndeConsensus());
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.InvalidCoordinator.selector, address(foreign))
        );
        consensus.setCoordinator(address(foreign));
        AndeSequencerCoordinator coordinator = new AndeSequencerCoordinator(consensus);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.CoordinatorSet(address(coordinator));
        consensus.setCoordinator(address(coordinator));
        vm.assertEq(consensus.coordinator(), address(coordinator));
        vm.expectRevert(AndeConsensus.CoordinatorAlreadySet.selector);
        consensus.setCoordinator(address(coordinator));
    }

    function test_namesTokenBeforeTheFirstRegistration() public {
        vm.expectRevert(
            abi.encodeWithSelector(AndeConsensus.InvalidStakeToken.selector, vm.addr(KEY))
        );
        consensus.setStakeToken(vm.addr(KEY));
        address six = address(new SixDecimals());
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.InvalidStakeToken.selector, six));
        consensus.setStakeToken(six);
        token = new AndeToken(address(this), 1e30);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.StakeTokenSet(address(token));
        consensus.setStakeToken(address(token));

        address validator = _register(KEY, STAKE);
        vm.assertEq(token.balanceOf(address(consensus)), STAKE);
        vm.startPrank(validator);
        consensus.requestExit();
        vm.warp(block.timestamp + 7 days);
        consensus.withdraw();
        vm.stopPrank();
        vm.expectRevert(AndeConsensus.StakeTokenFixed.selector);
        consensus.setStakeToken(address(token));
    }

    function test_faultModelDecidesTheQuorum() public {
        for (uint256 key = 1; key <= 4; key++) {
            _register(key, STAKE);
        }
        vm.assertEq(consensus.quorumPower(), 2001);
        vm.expectEmit(address(consensus));
        emit AndeConsensus.FaultModelSet(1);
        consensus.setFaultModel(1);
        vm.assertEq(consensus.quorumPower(), 2667);
        vm.expectRevert(abi.encodeWithSelector(AndeConsensus.InvalidFaultModel.selector, 2));
        consensus.setFaultModel(2);
    }

    function test_pauseStopsAdditionsOnly() public {
        address validator = _register(KEY, STAKE);
        _register(12, STAKE);
        consensus.pause();
        vm.startPrank(validator);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        consensus.registerValidator(_peer(13), ENDPOINT, STAKE);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        consensus.increaseStake(1);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        consensus.unjail();
        consensus.requestExit();
        vm.warp(block.timestamp + 7 days);
        consensus.withdraw();
        vm.stopPrank();
        _slash(12, _vote(2, bytes32(uint256(1))), _vote(2, bytes32(uint256(2))));
        vm.assertTrue(_status(vm.addr(12)) == AndeConsensus.Status.Jailed);
        consensus.unpause();
        _register(13, STAKE);
    }

    // ----------------------------------------------------------------------------------- fuzz

    function testFuzz_powerIsWholeTokens(uint256 stake, uint256 more) public {
        stake = _bound(stake, STAKE, 400_000_000e18);
        more = _bound(more, 1, 400_000_000e18);
        address validator = _register(KEY, stake);
        vm.assertEq(consensus.totalVotingPower(), stake / 1e18);
        _fund(KEY, more);
        vm.prank(validator);
        consensus.increaseStake(more);
        vm.assertEq(consensus.totalVotingPower(), (stake + more) / 1e18);
        vm.assertEq(token.balanceOf(address(consensus)), stake + more);
    }

    function testFuzz_quorumsIntersect(uint256 total, bool byzantine) public {
        total = _bound(total, 1000, 900_000_000);
        _register(KEY, total * 1e18);
        if (byzantine) consensus.setFaultModel(1);
        uint256 quorum = consensus.quorumPower();
        vm.assertTrue(quorum <= total);
        // Two quorums share more than a third of the power (byzantine), or one unit (crash).
        vm.assertTrue(2 * quorum - total > (byzantine ? total / 3 : 0));
        // One unit less would not do.
        uint256 less = quorum - 1;
        vm.assertTrue(byzantine ? less * 3 <= total * 2 : less * 2 <= total);
    }
}
