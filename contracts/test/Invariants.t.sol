// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AndeToken} from "../src/AndeToken.sol";
import {AndeConsensus} from "../src/consensus/AndeConsensus.sol";
import {AndeSequencerCoordinator} from "../src/consensus/AndeSequencerCoordinator.sol";
import {ForcedInclusion} from "../src/consensus/ForcedInclusion.sol";
import {Settlement} from "../src/consensus/Settlement.sol";
import {Base} from "./Base.sol";

/// @notice Does to the contracts, in any order, what validators, reporters, users and time do.  It
/// counts what went in and out, and checks after each step that the epoch moved if and only if the
/// set did.
contract Handler is Base {
    uint256 internal constant ACTORS = 6;
    uint256 internal constant BOND = 0.01 ether;
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;

    AndeConsensus public immutable consensus;
    AndeSequencerCoordinator public immutable coordinator;
    AndeToken public immutable token;

    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public rewarded;
    uint256 public bondsPaid;
    uint256 public bondsReturned;
    uint256 public bondsBurned;
    uint64 public settledBefore;
    mapping(bytes32 action => uint256 count) public done;

    constructor(AndeConsensus consensus_, AndeSequencerCoordinator coordinator_) {
        consensus = consensus_;
        coordinator = coordinator_;
        token = AndeToken(address(consensus_.stakeToken()));
    }

    function actor(uint256 index) public pure returns (address) {
        return vm.addr(_key(index));
    }

    function actorsCount() external pure returns (uint256) {
        return ACTORS;
    }

    /// @dev The epoch counts the changes of what getValidatorSet answers, no more and no less; a
    /// function changes the set at most once.
    modifier watched() {
        (uint256 epochBefore,,) = consensus.getValidatorSet();
        bytes32 before = _setHash();
        _;
        (uint256 epochAfter,,) = consensus.getValidatorSet();
        vm.assertEq(epochAfter, before == _setHash() ? epochBefore : epochBefore + 1);
    }

    function register(uint256 index, uint256 stake) external watched {
        index = index % ACTORS;
        stake = _bound(stake, 1000e18, 10_000e18);
        if (_status(index) != AndeConsensus.Status.None) return;
        _fund(index, stake);
        vm.prank(actor(index));
        consensus.registerValidator(_peer(index), "http://sequencer:8545", stake);
        deposited += stake;
        done["register"] += 1;
    }

    function increaseStake(uint256 index, uint256 amount) external watched {
        index = index % ACTORS;
        amount = _bound(amount, 1, 3000e18);
        AndeConsensus.Status status = _status(index);
        if (status != AndeConsensus.Status.Active && status != AndeConsensus.Status.Jailed) {
            return;
        }
        _fund(index, amount);
        vm.prank(actor(index));
        consensus.increaseStake(amount);
        deposited += amount;
        done["increaseStake"] += 1;
    }

    function requestExit(uint256 index) external watched {
        index = index % ACTORS;
        AndeConsensus.Status status = _status(index);
        if (status != AndeConsensus.Status.Active && status != AndeConsensus.Status.Jailed) {
            return;
        }
        vm.prank(actor(index));
        consensus.requestExit();
        done["requestExit"] += 1;
    }

    /// @dev Tries at any time, in any state, twice.
    function withdraw(uint256 index) external watched {
        index = index % ACTORS;
        AndeConsensus.ValidatorInfo memory info = consensus.getValidatorInfo(actor(index));
        bool isDue =
            info.status == AndeConsensus.Status.Exiting && block.timestamp >= info.withdrawableAt;
        uint256 balance = token.balanceOf(actor(index));
        for (uint256 i = 0; i < 2; i++) {
            vm.prank(actor(index));
            (bool ok,) = address(consensus).call(abi.encodeCall(AndeConsensus.withdraw, ()));
            vm.assertTrue(ok == (isDue && i == 0), "paid when it was not due");
        }
        uint256 paid = token.balanceOf(actor(index)) - balance;
        vm.assertEq(paid, isDue ? info.stake : 0);
        withdrawn += paid;
        if (isDue) done["withdraw"] += 1;
    }

    function unjail(uint256 index) external watched {
        index = index % ACTORS;
        AndeConsensus.ValidatorInfo memory info = consensus.getValidatorInfo(actor(index));
        bool isDue = info.status == AndeConsensus.Status.Jailed
            && block.timestamp >= info.jailedUntil && info.stake >= 1000e18;
        vm.prank(actor(index));
        (bool ok,) = address(consensus).call(abi.encodeCall(AndeConsensus.unjail, ()));
        vm.assertTrue(ok == isDue, "unjailed when it was not due");
        if (ok) done["unjail"] += 1;
    }

    function slash(uint256 index, uint8 kindSeed, uint64 height) external watched {
        index = index % ACTORS;
        height = uint64(_bound(height, 1, 6)); // few, so that offences repeat
        uint8 kind = [1, 2, 32][kindSeed % 3];
        AndeConsensus.Vote memory first = AndeConsensus.Vote(kind, height, 0, -1, bytes32("a"));
        AndeConsensus.Vote memory second = AndeConsensus.Vote(kind, height, 0, -1, bytes32("b"));
        bytes memory firstSignature = _sign(_key(index), consensus.voteDigest(first));
        bytes memory secondSignature = _sign(_key(index), consensus.voteDigest(second));
        bool isDue = _status(index) != AndeConsensus.Status.None
            && !consensus.isPunished(consensus.offenceId(actor(index), kind, height, 0));
        uint256 balance = token.balanceOf(address(this));
        try consensus.slash(first, firstSignature, second, secondSignature) {
            vm.assertTrue(isDue, "slashed when there was no offence");
            done["slash"] += 1;
        } catch {
            vm.assertFalse(isDue);
        }
        rewarded += token.balanceOf(address(this)) - balance;
    }

    function jail(uint256 index) external watched {
        index = index % ACTORS;
        if (_status(index) != AndeConsensus.Status.Active) return;
        vm.prank(address(coordinator));
        consensus.jail(actor(index));
        done["jail"] += 1;
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + _bound(time, 1, 4 days));
        vm.roll(block.number + _bound(time, 1, 200));
    }

    function settle(uint256 members, uint64 blocks) external {
        (uint64 last, bytes32 hash,) = coordinator.lastSettledBlock();
        Settlement.Batch memory batch = Settlement.Batch({
            firstBlock: last + 1,
            lastBlock: last + uint64(_bound(blocks, 1, 150)),
            parentHash: last == 0 ? bytes32("genesis") : hash,
            lastBlockHash: keccak256(abi.encode(last, blocks)),
            stateRoot: bytes32("state"),
            daHeight: 1,
            daCommitment: bytes32(0)
        });
        (bytes[] memory signatures, uint256 power) =
            _signatures(members, coordinator.batchDigest(batch));
        bool isQuorum = power * 2 > consensus.totalVotingPower();
        try coordinator.submitBatch(batch, signatures) {
            vm.assertTrue(isQuorum, "settled without a quorum");
            vm.assertTrue(batch.lastBlock > settledBefore);
            settledBefore = batch.lastBlock;
            done["settle"] += 1;
        } catch {
            vm.assertFalse(isQuorum);
        }
    }

    function request(uint256 index, uint8 seed) external {
        index = index % ACTORS;
        bytes memory raw = abi.encodePacked(hex"02", seed % 8);
        if (coordinator.pendingIdOf(keccak256(raw)) != 0) return;
        vm.deal(actor(index), actor(index).balance + BOND);
        vm.prank(actor(index));
        coordinator.requestForceInclusion{value: BOND}(raw);
        bondsPaid += BOND;
        done["request"] += 1;
    }

    function resolve(uint256 seed, uint256 members, bool included) external {
        uint256 count = coordinator.pendingForceInclusionsCount();
        (uint64 last, bytes32 hash,) = coordinator.lastSettledBlock();
        if (count == 0 || last == 0) return;
        ForcedInclusion.PendingRequest memory pending =
            coordinator.getPendingForceInclusions(seed % count, 1)[0];
        ForcedInclusion.Resolution memory resolution =
            ForcedInclusion.Resolution(pending.id, pending.txHash, last, hash, included);
        (bytes[] memory signatures, uint256 power) =
            _signatures(members, coordinator.resolutionDigest(resolution));
        bool isQuorum = power * 2 > consensus.totalVotingPower();
        try coordinator.resolveForceInclusion(resolution, signatures) {
            vm.assertTrue(isQuorum, "resolved without a quorum");
            if (!included) bondsBurned += BOND;
            done["resolve"] += 1;
        } catch {
            vm.assertFalse(isQuorum);
        }
    }

    function miss(uint256 seed) external {
        uint256 count = coordinator.pendingForceInclusionsCount();
        if (count == 0) return;
        ForcedInclusion.PendingRequest memory pending =
            coordinator.getPendingForceInclusions(seed % count, 1)[0];
        bool isDue = block.number > pending.deadlineL1Block;
        try coordinator.reportMissedInclusion(pending.id) {
            vm.assertTrue(isDue, "missed before its deadline");
            done["miss"] += 1;
        } catch {
            vm.assertFalse(isDue);
        }
    }

    function withdrawRefund(uint256 index) external {
        index = index % ACTORS;
        uint256 owed = coordinator.refunds(actor(index));
        uint256 balance = actor(index).balance;
        vm.prank(actor(index));
        (bool ok,) = address(coordinator).call(abi.encodeCall(ForcedInclusion.withdrawRefund, ()));
        vm.assertTrue(ok == (owed > 0), "refunded what was not owed");
        vm.assertEq(actor(index).balance - balance, owed);
        bondsReturned += owed;
        if (ok) done["withdrawRefund"] += 1;
    }

    // -------------------------------------------------------------------------------- helpers

    function _key(uint256 index) internal pure returns (uint256) {
        return 0xA000 + index;
    }

    function _status(uint256 index) internal view returns (AndeConsensus.Status) {
        return consensus.getValidatorInfo(actor(index)).status;
    }

    function _fund(uint256 index, uint256 amount) internal {
        uint256 balance = token.balanceOf(actor(index));
        if (balance < amount) token.transfer(actor(index), amount - balance);
        vm.prank(actor(index));
        token.approve(address(consensus), amount);
    }

    /// @dev Signatures of the active validators whose bit is in `members`, by ascending address.
    function _signatures(uint256 members, bytes32 digest)
        internal
        view
        returns (bytes[] memory signatures, uint256 power)
    {
        address[] memory active = consensus.getActiveValidators();
        uint256 count = 0;
        for (uint256 i = 0; i < active.length; i++) {
            if (members >> i & 1 == 1) count += 1;
        }
        signatures = new bytes[](count);
        count = 0;
        for (uint256 i = 0; i < active.length; i++) {
            if (members >> i & 1 == 0) continue;
            power += consensus.activePower(active[i]);
            for (uint256 index = 0; index < ACTORS; index++) {
                if (actor(index) == active[i]) signatures[count++] = _sign(_key(index), digest);
            }
        }
    }

    function _setHash() internal view returns (bytes32) {
        (, uint256 total, AndeConsensus.ValidatorView[] memory set) = consensus.getValidatorSet();
        return keccak256(abi.encode(total, set));
    }
}

/// @notice What must hold after any sequence of calls.
contract InvariantsTest is Base {
    address internal constant DEAD = 0x000000000000000000000000000000000000dEaD;

    AndeConsensus internal consensus;
    AndeSequencerCoordinator internal coordinator;
    AndeToken internal token;
    Handler internal handler;

    function setUp() public {
        vm.warp(1_700_000_000);
        vm.roll(1000);
        consensus = new AndeConsensus();
        token = AndeToken(address(consensus.stakeToken()));
        coordinator = new AndeSequencerCoordinator(consensus);
        consensus.setCoordinator(address(coordinator));
        handler = new Handler(consensus, coordinator);
        token.transfer(address(handler), token.totalSupply());
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](13);
        selectors[0] = Handler.register.selector;
        selectors[1] = Handler.increaseStake.selector;
        selectors[2] = Handler.requestExit.selector;
        selectors[3] = Handler.withdraw.selector;
        selectors[4] = Handler.unjail.selector;
        selectors[5] = Handler.slash.selector;
        selectors[6] = Handler.jail.selector;
        selectors[7] = Handler.pass.selector;
        selectors[8] = Handler.settle.selector;
        selectors[9] = Handler.request.selector;
        selectors[10] = Handler.resolve.selector;
        selectors[11] = Handler.miss.selector;
        selectors[12] = Handler.withdrawRefund.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// @notice A long run from one seed: every action of the handler comes to its effect, so that
    /// the invariants below are not kept by standing still.
    function test_handlerReachesEverything() public {
        bytes4[] memory selectors = this.targetSelectors()[0].selectors;
        for (uint256 step = 0; step < 2000; step++) {
            uint256 seed = uint256(keccak256(abi.encode("seed", step)));
            // Three words that are valid for every parameter, from uint256 to bool.
            bytes memory call = abi.encodePacked(
                selectors[seed % selectors.length], seed, seed >> 200 & 255, seed >> 240 & 1
            );
            (bool ok,) = address(handler).call(call);
            vm.assertTrue(ok, "the handler failed");
        }
        string[12] memory actions = [
            "register",
            "increaseStake",
            "requestExit",
            "withdraw",
            "unjail",
            "slash",
            "jail",
            "settle",
            "request",
            "resolve",
            "miss",
            "withdrawRefund"
        ];
        for (uint256 i = 0; i < actions.length; i++) {
            vm.assertTrue(handler.done(bytes32(bytes(actions[i]))) > 0, actions[i]);
        }
        invariant_stakesAreTheBalance();
        invariant_powerIsTheActives();
        invariant_bondsAreTheBalance();
    }

    /// @notice The contract holds exactly the stakes, and what went in is what went out or is
    /// there.
    function invariant_stakesAreTheBalance() public view {
        uint256 sum = 0;
        for (uint256 i = 0; i < handler.actorsCount(); i++) {
            sum += consensus.getValidatorInfo(handler.actor(i)).stake;
        }
        vm.assertEq(sum, token.balanceOf(address(consensus)));
        vm.assertEq(
            handler.deposited(),
            sum + handler.withdrawn() + handler.rewarded() + token.balanceOf(DEAD)
        );
    }

    /// @notice The set is the Active ones, sorted; the total is their power; nobody else has any.
    function invariant_powerIsTheActives() public view {
        (uint256 epoch, uint256 total, AndeConsensus.ValidatorView[] memory set) =
            consensus.getValidatorSet();
        vm.assertEq(epoch, consensus.currentEpoch());
        uint256 sum = 0;
        for (uint256 i = 0; i < set.length; i++) {
            if (i > 0) vm.assertTrue(set[i - 1].validator < set[i].validator);
            AndeConsensus.ValidatorInfo memory info = consensus.getValidatorInfo(set[i].validator);
            vm.assertTrue(info.status == AndeConsensus.Status.Active);
            vm.assertTrue(info.stake >= consensus.MIN_STAKE());
            vm.assertEq(set[i].power, info.stake / 1e18);
            vm.assertEq(info.jailedUntil + info.withdrawableAt, 0);
            sum += set[i].power;
        }
        vm.assertEq(sum, total);
        vm.assertEq(total, consensus.totalVotingPower());
        vm.assertEq(set.length, consensus.getActiveValidatorsCount());

        uint256 active = 0;
        for (uint256 i = 0; i < handler.actorsCount(); i++) {
            address validator = handler.actor(i);
            AndeConsensus.ValidatorInfo memory info = consensus.getValidatorInfo(validator);
            bool isActive = info.status == AndeConsensus.Status.Active;
            if (isActive) active += 1;
            vm.assertTrue(consensus.isValidator(validator) == isActive);
            vm.assertEq(consensus.activePower(validator), isActive ? info.stake / 1e18 : 0);
            vm.assertEq(info.power, consensus.activePower(validator));
            bool holdsPeer = consensus.validatorOfPeerId(_peer(i)) == validator;
            vm.assertTrue(holdsPeer == (info.status != AndeConsensus.Status.None));
            if (info.status == AndeConsensus.Status.None) vm.assertEq(info.stake, 0);
        }
        vm.assertEq(active, set.length);
        vm.assertTrue(total == 0 || consensus.quorumPower() * 2 > total);
        vm.assertTrue(total == 0 || consensus.quorumPower() <= total);
    }

    /// @notice The coordinator holds exactly the pending bonds and the refunds that were not
    /// fetched.
    function invariant_bondsAreTheBalance() public view {
        uint256 owed = coordinator.pendingForceInclusionsCount() * 0.01 ether;
        for (uint256 i = 0; i < handler.actorsCount(); i++) {
            owed += coordinator.refunds(handler.actor(i));
        }
        vm.assertEq(owed, address(coordinator).balance);
        vm.assertEq(handler.bondsPaid(), owed + handler.bondsReturned() + handler.bondsBurned());
    }
}
