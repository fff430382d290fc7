// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {AndeToken} from "../AndeToken.sol";
import {IAndeConsensus, IConsensusClient} from "./IAndeConsensus.sol";

/// @title AndeConsensus: the validators of the rollup, their stake and their faults
/// @notice Whoever stakes at least `MIN_STAKE` of the stake token is a validator of the rollup,
/// with one unit of voting power for each whole token.  The nodes read the active set from here, at
/// a finalized block, with one call of `getValidatorSet`, and every change of that answer
/// increments `currentEpoch` and emits `ValidatorSetUpdated`.
///
/// A validator is in one of four states:
///
///     None --registerValidator--> Active --requestExit--> Exiting --withdraw--> None
///                                 |    ^                     ^
///                     slash, jail |    | unjail              | requestExit
///                                 v    |                     |
///                                 Jailed --------------------+
///
/// Only Active validators are in the active set and in the total power, so that neither a jailed
/// nor an exiting one is in the denominator of a quorum.  Stake is at risk in the states Active,
/// Jailed and Exiting.
///
/// Slashing needs evidence, and nothing but evidence: two messages for one height, round and kind,
/// for different blocks, signed by one validator (EIP-712, so a signature names this chain and this
/// contract and is worth nothing elsewhere).  One such offence costs `SLASH_PERCENT` of the stake
/// once, however many pairs of signatures prove it.
///
/// The owner can pause what adds to the set (registration, stake, unjailing), name the token before
/// anyone has registered, the coordinator once, and the fault model.  It can neither take nor
/// freeze stake, and it can neither jail nor slash: exits, withdrawals and slashing do not know the
/// pause.
contract AndeConsensus is IAndeConsensus, Ownable2Step, Pausable, ReentrancyGuard, EIP712 {
    using SafeERC20 for IERC20;

    // ---------------------------------------------------------------------------------- types

    /// @notice Where a validator is in its life; the contract's own comment has the picture.
    enum Status {
        None,
        Active,
        Jailed,
        Exiting
    }

    /// @notice Why a validator was jailed.
    enum JailReason {
        Timeouts,
        DoubleSign
    }

    /// @notice What a validator signs in the rollup's consensus.
    /// @dev EIP-712 type `Vote(uint8 kind,uint64 height,uint32 round,int32 validRound,bytes32
    /// blockHash)`.
    /// @param kind KIND_PREVOTE, KIND_PRECOMMIT or KIND_PROPOSAL.
    /// @param height the rollup block's number.
    /// @param round the round within the height.
    /// @param validRound a proposal's valid round or -1; always -1 in the other kinds.
    /// @param blockHash the Ethereum block hash; zero is a vote for no block.
    struct Vote {
        uint8 kind;
        uint64 height;
        uint32 round;
        int32 validRound;
        bytes32 blockHash;
    }

    /// @notice One active validator as the nodes need it.
    /// @param validator its address: the signer of its votes.
    /// @param peerId its Ed25519 public key on the rollup's network.
    /// @param power its voting power.
    /// @param endpoint where its JSON-RPC answers.
    struct ValidatorView {
        address validator;
        bytes32 peerId;
        uint256 power;
        string endpoint;
    }

    /// @notice All that is known of one validator, in any state.
    /// @param status its state; everything else is zero in state None.
    /// @param peerId its Ed25519 public key on the rollup's network.
    /// @param endpoint where its JSON-RPC answers.
    /// @param stake its stake in the token's smallest unit.
    /// @param power its voting power now: 0 unless Active.
    /// @param jailedUntil in state Jailed, the time (seconds) from which it may unjail itself.
    /// @param withdrawableAt in state Exiting, the time (seconds) from which it may withdraw.
    struct ValidatorInfo {
        Status status;
        bytes32 peerId;
        string endpoint;
        uint256 stake;
        uint256 power;
        uint64 jailedUntil;
        uint64 withdrawableAt;
    }

    /// @dev A validator's record.  `activeIndex` is its place in `_active`, in state Active.
    struct Record {
        uint256 stake;
        bytes32 peerId;
        Status status;
        uint64 jailedUntil;
        uint64 withdrawableAt;
        uint32 activeIndex;
        string endpoint;
    }

    // ------------------------------------------------------------------------------ constants

    /// @notice The smallest stake of an active validator, in the token's smallest unit.
    uint256 public constant MIN_STAKE = 1000e18;
    /// @notice One unit of voting power stands for this much stake: one whole token.
    uint256 public constant STAKE_PER_POWER = 1e18;
    /// @notice The largest stake of one validator: its power is below 2^53, so that the power of
    /// `MAX_VALIDATORS` stays below 2^60, the bound that CometBFT's priority rule needs.
    uint256 public constant MAX_STAKE = ((1 << 53) - 1) * STAKE_PER_POWER;
    /// @notice The largest number of active validators.
    uint256 public constant MAX_VALIDATORS = 128;
    /// @notice The longest endpoint in bytes.
    uint256 public constant MAX_ENDPOINT_BYTES = 256;
    /// @notice The time between `requestExit` and `withdraw`, in seconds.
    uint64 public constant UNBONDING_DELAY = 7 days;
    /// @notice How long repeated timeouts keep a validator out, in seconds.
    uint64 public constant TIMEOUT_JAIL = 10 minutes;
    /// @notice How long a double signature keeps a validator out, in seconds.
    uint64 public constant DOUBLE_SIGN_JAIL = 1 days;
    /// @notice The part of the stake that one offence costs.
    uint256 public constant SLASH_PERCENT = 50;
    /// @notice The reporter's part of what was slashed; the rest is burned.
    uint256 public constant REPORTER_PERCENT = 10;
    /// @notice Where burned tokens go: nobody has this address's key.
    address public constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;
    /// @notice The supply of the test token, minted to the deployer.
    uint256 public constant TEST_TOKEN_SUPPLY = 1_000_000_000e18;

    /// @notice The kinds of a vote.
    uint8 public constant KIND_PREVOTE = 1;
    uint8 public constant KIND_PRECOMMIT = 2;
    uint8 public constant KIND_PROPOSAL = 32;

    /// @notice The fault models: a quorum is more than half of the power, or more than two thirds.
    uint8 public constant FAULT_MODEL_CRASH = 0;
    uint8 public constant FAULT_MODEL_BYZANTINE = 1;

    /// @notice The EIP-712 type hash of a vote.
    bytes32 public constant VOTE_TYPEHASH = keccak256(
        "Vote(uint8 kind,uint64 height,uint32 round,int32 validRound,bytes32 blockHash)"
    );

    // ---------------------------------------------------------------------------------- state

    /// @notice The token of the stakes.
    IERC20 public stakeToken;
    /// @notice The coordinator, which may jail for timeouts; zero until the owner named it.
    address public coordinator;
    /// @notice The fault model: FAULT_MODEL_CRASH or FAULT_MODEL_BYZANTINE.
    uint8 public faultModel;
    /// @notice Whether any validator has ever registered: from then on the token is fixed.
    bool public hasEverRegistered;
    /// @notice The number of changes of the active set so far.
    uint256 public currentEpoch;
    /// @notice The sum of the powers of the active validators.
    uint256 public totalVotingPower;
    /// @notice The validator that holds a peer id; zero when it is free.
    mapping(bytes32 peerId => address validator) public validatorOfPeerId;
    /// @notice Whether an offence (`offenceId`) has been punished already.
    mapping(bytes32 offence => bool) public isPunished;

    mapping(address validator => Record) private _records;
    address[] private _active; // in no order; the views sort

    // --------------------------------------------------------------------------------- events

    /// @notice A validator registered with `stake` and joined the active set.
    event ValidatorRegistered(
        address indexed validator, bytes32 indexed peerId, string endpoint, uint256 stake
    );
    /// @notice The answer of `getValidatorSet` changed; `epoch` is the number of the new set.
    event ValidatorSetUpdated(uint256 indexed epoch, uint256 totalPower, uint256 count);
    /// @notice A double signature cost `validator` the amount `slashed` = `reward` + burned rest.
    event ValidatorSlashed(
        address indexed validator,
        address indexed reporter,
        bytes32 indexed offence,
        uint256 slashed,
        uint256 reward
    );
    /// @notice A validator left the active set until it unjails itself, at `until` at the earliest.
    event ValidatorJailed(address indexed validator, JailReason reason, uint64 until);
    /// @notice A jailed validator is back in the active set.
    event ValidatorUnjailed(address indexed validator);
    /// @notice A validator added `amount` to its stake, which is `stake` now.
    event StakeIncreased(address indexed validator, uint256 amount, uint256 stake);
    /// @notice A validator changed where it answers.
    event EndpointUpdated(address indexed validator, string endpoint);
    /// @notice A validator left and may withdraw from the time `withdrawableAt`.
    event ExitRequested(address indexed validator, uint64 withdrawableAt);
    /// @notice A validator got `amount` back, all that was left of its stake.
    event StakeWithdrawn(address indexed validator, uint256 amount);
    /// @notice The owner named the coordinator.
    event CoordinatorSet(address indexed coordinator);
    /// @notice The token of the stakes is `token`.
    event StakeTokenSet(address indexed token);
    /// @notice The owner chose the fault model.
    event FaultModelSet(uint8 model);

    // --------------------------------------------------------------------------------- errors

    /// @notice The caller is a validator already (in any state).
    error AlreadyRegistered(address validator);
    /// @notice The address is no validator.
    error NotRegistered(address validator);
    /// @notice The operation does not exist in the validator's state.
    error WrongStatus(address validator, Status status);
    /// @notice A peer id must not be zero.
    error ZeroPeerId();
    /// @notice Another validator holds the peer id.
    error PeerIdTaken(bytes32 peerId);
    /// @notice An endpoint has 1 to MAX_ENDPOINT_BYTES bytes.
    error InvalidEndpoint(uint256 length);
    /// @notice An amount must not be zero.
    error ZeroAmount();
    /// @notice The stake is below MIN_STAKE.
    error StakeTooSmall(uint256 stake, uint256 minimum);
    /// @notice The stake is above MAX_STAKE.
    error StakeTooLarge(uint256 stake, uint256 maximum);
    /// @notice The active set has MAX_VALIDATORS validators.
    error ValidatorSetFull();
    /// @notice The token did not deliver the exact amount (for example, it takes a fee).
    error TokenAmountMismatch(uint256 expected, uint256 received);
    /// @notice Too early: possible from the time `from` (seconds).
    error TooEarly(uint256 from);
    /// @notice Only the coordinator may do this.
    error NotCoordinator(address caller);
    /// @notice The coordinator is named once.
    error CoordinatorAlreadySet();
    /// @notice The address is no coordinator of this contract.
    error InvalidCoordinator(address coordinator);
    /// @notice The token is fixed from the first registration on.
    error StakeTokenFixed();
    /// @notice The address is no token with 18 decimals.
    error InvalidStakeToken(address token);
    /// @notice There is no such fault model.
    error InvalidFaultModel(uint8 model);
    /// @notice The vote is of no known kind or has a valid round that its kind does not allow.
    error InvalidVote(uint8 kind, int32 validRound);
    /// @notice The two votes differ in height, round or kind, or name the same block: no offence.
    error NotAnOffence();
    /// @notice The two votes were signed by two different keys.
    error SignersDiffer(address first, address second);
    /// @notice This offence was punished before.
    error AlreadyPunished(bytes32 offence);

    // ---------------------------------------------------------------------------- constructor

    /// @notice Makes the deployer the owner and creates a test token whose supply it gets.  The
    /// contract is complete from here on: nothing has to be initialised.
    constructor() Ownable(msg.sender) EIP712("AndeConsensus", "1") {
        stakeToken = new AndeToken(msg.sender, TEST_TOKEN_SUPPLY);
        emit StakeTokenSet(address(stakeToken));
        emit FaultModelSet(FAULT_MODEL_CRASH);
    }

    // ----------------------------------------------------------------------- what validators do

    /// @notice Registers the caller as a validator and moves its stake here.  The caller has called
    /// `approve(this contract, stake)` on the stake token before.
    /// @param peerId the caller's Ed25519 public key on the rollup's network: not zero, and unique.
    /// @param endpoint where the caller's JSON-RPC answers, at most MAX_ENDPOINT_BYTES bytes.
    /// @param stake in the token's smallest unit, from MIN_STAKE to MAX_STAKE.
    function registerValidator(bytes32 peerId, string calldata endpoint, uint256 stake)
        external
        nonReentrant
        whenNotPaused
    {
        Record storage record = _records[msg.sender];
        if (record.status != Status.None) revert AlreadyRegistered(msg.sender);
        if (peerId == bytes32(0)) revert ZeroPeerId();
        if (validatorOfPeerId[peerId] != address(0)) revert PeerIdTaken(peerId);
        _checkEndpoint(endpoint);
        _checkStake(stake);

        hasEverRegistered = true;
        validatorOfPeerId[peerId] = msg.sender;
        record.stake = stake;
        record.peerId = peerId;
        record.endpoint = endpoint;
        _activate(msg.sender, record);
        emit ValidatorRegistered(msg.sender, peerId, endpoint, stake);
        _setChanged();
        _collect(stake);
    }

    /// @notice Adds to the stake of the caller, who is Active or Jailed.  `approve` comes first.
    /// @param amount in the token's smallest unit; the sum must not exceed MAX_STAKE.
    function increaseStake(uint256 amount) external nonReentrant whenNotPaused {
        Record storage record = _records[msg.sender];
        Status status = record.status;
        if (status != Status.Active && status != Status.Jailed) _revertStatus(msg.sender, status);
        if (amount == 0) revert ZeroAmount();
        uint256 powerBefore = record.stake / STAKE_PER_POWER;
        // No overflow can hide here: checked arithmetic reverts on absurd amounts.
        uint256 stake = record.stake + amount;
        if (stake > MAX_STAKE) revert StakeTooLarge(stake, MAX_STAKE);

        record.stake = stake;
        emit StakeIncreased(msg.sender, amount, stake);
        uint256 powerAfter = stake / STAKE_PER_POWER;
        if (status == Status.Active && powerAfter != powerBefore) {
            totalVotingPower = totalVotingPower - powerBefore + powerAfter;
            _setChanged();
        }
        _collect(amount);
    }

    /// @notice Changes where the caller, Active or Jailed, answers.
    /// @param endpoint as in `registerValidator`.
    function setEndpoint(string calldata endpoint) external {
        Record storage record = _records[msg.sender];
        Status status = record.status;
        if (status != Status.Active && status != Status.Jailed) _revertStatus(msg.sender, status);
        _checkEndpoint(endpoint);
        record.endpoint = endpoint;
        emit EndpointUpdated(msg.sender, endpoint);
        if (status == Status.Active) _setChanged();
    }

    /// @notice Takes the caller, Active or Jailed, out of the validators.  Its stake remains at
    /// risk for UNBONDING_DELAY, then `withdraw` pays it.
    function requestExit() external {
        Record storage record = _records[msg.sender];
        Status status = record.status;
        if (status != Status.Active && status != Status.Jailed) _revertStatus(msg.sender, status);
        bool wasActive = status == Status.Active;
        if (wasActive) _deactivate(record);
        uint64 withdrawableAt = uint64(block.timestamp) + UNBONDING_DELAY;
        record.status = Status.Exiting;
        record.jailedUntil = 0;
        record.withdrawableAt = withdrawableAt;
        emit ExitRequested(msg.sender, withdrawableAt);
        if (wasActive) _setChanged();
    }

    /// @notice Pays the caller, who is Exiting, what is left of its stake, and forgets it.  The
    /// record is gone before the token moves, so that a second call, also from within the transfer,
    /// finds no validator.
    function withdraw() external nonReentrant {
        Record storage record = _records[msg.sender];
        if (record.status != Status.Exiting) _revertStatus(msg.sender, record.status);
        if (block.timestamp < record.withdrawableAt) revert TooEarly(record.withdrawableAt);
        uint256 amount = record.stake;
        delete validatorOfPeerId[record.peerId];
        delete _records[msg.sender];
        emit StakeWithdrawn(msg.sender, amount);
        stakeToken.safeTransfer(msg.sender, amount);
    }

    /// @notice Brings the caller, who is Jailed, back when its time is over and its stake suffices.
    function unjail() external whenNotPaused {
        Record storage record = _records[msg.sender];
        if (record.status != Status.Jailed) _revertStatus(msg.sender, record.status);
        if (block.timestamp < record.jailedUntil) revert TooEarly(record.jailedUntil);
        if (record.stake < MIN_STAKE) revert StakeTooSmall(record.stake, MIN_STAKE);
        record.jailedUntil = 0;
        _activate(msg.sender, record);
        emit ValidatorUnjailed(msg.sender);
        _setChanged();
    }

    // --------------------------------------------------------------------------------- faults

    /// @notice Punishes a double signature: SLASH_PERCENT of the signer's stake, of which the
    /// caller gets REPORTER_PERCENT and the rest is burned.  An active signer is jailed; a jailed
    /// one stays so for DOUBLE_SIGN_JAIL from now at least; an exiting one loses its part and goes
    /// on exiting.
    /// @dev One offence is one (signer, kind, height, round), so that three signatures of one round
    /// do not make three offences.  `validRound` alone makes none: the same block proposed with two
    /// valid rounds is one block.
    /// @param first one vote. @param firstSignature r || s || v of `first`, with low s, v 27 or 28.
    /// @param second the other vote, for the same kind, height and round and a different block.
    /// @param secondSignature the signature of `second`.
    function slash(
        Vote calldata first,
        bytes calldata firstSignature,
        Vote calldata second,
        bytes calldata secondSignature
    ) external nonReentrant {
        address validator = _doubleSigner(first, firstSignature, second, secondSignature);
        Record storage record = _records[validator];
        Status status = record.status;
        if (status == Status.None) revert NotRegistered(validator);
        bytes32 offence = offenceId(validator, first.kind, first.height, first.round);
        if (isPunished[offence]) revert AlreadyPunished(offence);
        isPunished[offence] = true;

        if (status == Status.Active) _deactivate(record); // before its stake, thus power, changes
        uint256 slashed = record.stake * SLASH_PERCENT / 100;
        uint256 reward = slashed * REPORTER_PERCENT / 100;
        record.stake -= slashed;
        emit ValidatorSlashed(validator, msg.sender, offence, slashed, reward);
        if (status != Status.Exiting) {
            _jail(validator, record, JailReason.DoubleSign, DOUBLE_SIGN_JAIL);
        }
        if (status == Status.Active) _setChanged();
        stakeToken.safeTransfer(msg.sender, reward);
        stakeToken.safeTransfer(BURN_ADDRESS, slashed - reward);
    }

    /// @inheritdoc IAndeConsensus
    function jail(address validator) external {
        if (msg.sender != coordinator) revert NotCoordinator(msg.sender);
        Record storage record = _records[validator];
        if (record.status != Status.Active) _revertStatus(validator, record.status);
        _deactivate(record);
        _jail(validator, record, JailReason.Timeouts, TIMEOUT_JAIL);
        _setChanged();
    }

    // ------------------------------------------------------------------------ what the owner does

    /// @notice Names the coordinator, once and for all.
    /// @param newCoordinator a contract whose `consensus()` is this contract.
    function setCoordinator(address newCoordinator) external onlyOwner {
        if (coordinator != address(0)) revert CoordinatorAlreadySet();
        if (
            newCoordinator.code.length == 0
                || address(IConsensusClient(newCoordinator).consensus()) != address(this)
        ) revert InvalidCoordinator(newCoordinator);
        coordinator = newCoordinator;
        emit CoordinatorSet(newCoordinator);
    }

    /// @notice Names another stake token, while no validator has ever registered.
    /// @param token an ERC-20 with 18 decimals that moves exactly what it is told to.
    function setStakeToken(address token) external onlyOwner {
        if (hasEverRegistered) revert StakeTokenFixed();
        if (token.code.length == 0 || IERC20Metadata(token).decimals() != 18) {
            revert InvalidStakeToken(token);
        }
        stakeToken = IERC20(token);
        emit StakeTokenSet(token);
    }

    /// @notice Chooses the fault model.  `FAULT_MODEL_BYZANTINE` survives a fault only with four
    /// validators or more; the nodes refuse it with fewer.
    function setFaultModel(uint8 model) external onlyOwner {
        if (model > FAULT_MODEL_BYZANTINE) revert InvalidFaultModel(model);
        faultModel = model;
        emit FaultModelSet(model);
    }

    /// @notice Stops registration, added stake and unjailing in an emergency.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Ends a pause.
    function unpause() external onlyOwner {
        _unpause();
    }

    // ---------------------------------------------------------------------------------- reads

    /// @notice Everything a node needs, of one moment: the active validators by ascending address.
    /// @return epoch the number of this set (`currentEpoch`).
    /// @return totalPower the sum of their powers (`totalVotingPower`).
    /// @return validators the active validators.
    function getValidatorSet()
        external
        view
        returns (uint256 epoch, uint256 totalPower, ValidatorView[] memory validators)
    {
        address[] memory sorted = getActiveValidators();
        validators = new ValidatorView[](sorted.length);
        for (uint256 i = 0; i < sorted.length; i++) {
            Record storage record = _records[sorted[i]];
            validators[i] = ValidatorView(
                sorted[i], record.peerId, record.stake / STAKE_PER_POWER, record.endpoint
            );
        }
        return (currentEpoch, totalVotingPower, validators);
    }

    /// @inheritdoc IAndeConsensus
    function getActivePowers()
        external
        view
        returns (address[] memory validators, uint256[] memory powers)
    {
        validators = getActiveValidators();
        powers = new uint256[](validators.length);
        for (uint256 i = 0; i < validators.length; i++) {
            powers[i] = _records[validators[i]].stake / STAKE_PER_POWER;
        }
    }

    /// @notice The addresses of the active validators, ascending.
    function getActiveValidators() public view returns (address[] memory sorted) {
        sorted = _active;
        for (uint256 i = 1; i < sorted.length; i++) {
            address candidate = sorted[i];
            uint256 place = i;
            for (; place > 0 && sorted[place - 1] > candidate; place--) {
                sorted[place] = sorted[place - 1];
            }
            sorted[place] = candidate;
        }
    }

    /// @notice The number of active validators.
    function getActiveValidatorsCount() external view returns (uint256) {
        return _active.length;
    }

    /// @notice All that is known of `validator`; all zero when it is none.
    function getValidatorInfo(address validator) external view returns (ValidatorInfo memory) {
        Record storage record = _records[validator];
        return ValidatorInfo({
            status: record.status,
            peerId: record.peerId,
            endpoint: record.endpoint,
            stake: record.stake,
            power: activePower(validator),
            jailedUntil: record.jailedUntil,
            withdrawableAt: record.withdrawableAt
        });
    }

    /// @notice Whether `account` is an active validator.
    function isValidator(address account) external view returns (bool) {
        return _records[account].status == Status.Active;
    }

    /// @inheritdoc IAndeConsensus
    function activePower(address validator) public view returns (uint256) {
        Record storage record = _records[validator];
        return record.status == Status.Active ? record.stake / STAKE_PER_POWER : 0;
    }

    /// @inheritdoc IAndeConsensus
    /// @dev More than a half (crash) or more than two thirds (byzantine) of the active power, in
    /// whole units.  An empty set's quorum is 1, which nobody has.
    function quorumPower() external view returns (uint256) {
        uint256 total = totalVotingPower;
        return faultModel == FAULT_MODEL_BYZANTINE ? total * 2 / 3 + 1 : total / 2 + 1;
    }

    /// @notice The EIP-712 digest that a validator signs for `vote`.
    function voteDigest(Vote calldata vote) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    VOTE_TYPEHASH,
                    vote.kind,
                    vote.height,
                    vote.round,
                    vote.validRound,
                    vote.blockHash
                )
            )
        );
    }

    /// @notice The EIP-712 domain separator: this chain and this contract.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice The name under which `isPunished` remembers an offence.
    function offenceId(address validator, uint8 kind, uint64 height, uint32 round)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(validator, kind, height, round));
    }

    // -------------------------------------------------------------------------------- private

    /// @dev The signer of two votes that are an offence; reverts when they are none.
    function _doubleSigner(
        Vote calldata first,
        bytes calldata firstSignature,
        Vote calldata second,
        bytes calldata secondSignature
    ) private view returns (address validator) {
        _checkVote(first);
        _checkVote(second);
        if (
            first.kind != second.kind || first.height != second.height
                || first.round != second.round || first.blockHash == second.blockHash
        ) revert NotAnOffence();
        validator = ECDSA.recover(voteDigest(first), firstSignature);
        address other = ECDSA.recover(voteDigest(second), secondSignature);
        if (validator != other) revert SignersDiffer(validator, other);
    }

    /// @dev Only what the protocol's signer can have signed is a vote.
    function _checkVote(Vote calldata vote) private pure {
        bool valid = vote.kind == KIND_PROPOSAL
            ? vote.validRound >= -1
            : (vote.kind == KIND_PREVOTE || vote.kind == KIND_PRECOMMIT) && vote.validRound == -1;
        if (!valid) revert InvalidVote(vote.kind, vote.validRound);
    }

    /// @dev Puts a validator with its record's stake into the active set.
    function _activate(address validator, Record storage record) private {
        if (_active.length >= MAX_VALIDATORS) revert ValidatorSetFull();
        record.activeIndex = uint32(_active.length); // at most MAX_VALIDATORS
        _active.push(validator);
        record.status = Status.Active;
        totalVotingPower += record.stake / STAKE_PER_POWER;
    }

    /// @dev Takes an active validator out of the active set; the caller gives it its new status.
    function _deactivate(Record storage record) private {
        uint32 index = record.activeIndex;
        address last = _active[_active.length - 1];
        _active[index] = last;
        _records[last].activeIndex = index;
        _active.pop();
        totalVotingPower -= record.stake / STAKE_PER_POWER;
    }

    /// @dev Jails for `duration` from now.  That shortens nothing: the Active are not jailed, and
    /// the Jailed come here for a double signature only, which has the longest term.
    function _jail(address validator, Record storage record, JailReason reason, uint64 duration)
        private
    {
        uint64 until = uint64(block.timestamp) + duration;
        record.status = Status.Jailed;
        record.jailedUntil = until;
        emit ValidatorJailed(validator, reason, until);
    }

    /// @dev To be called once after every change of what `getValidatorSet` answers.
    function _setChanged() private {
        currentEpoch += 1;
        emit ValidatorSetUpdated(currentEpoch, totalVotingPower, _active.length);
    }

    /// @dev Moves the caller's tokens here and insists on the exact amount.
    function _collect(uint256 amount) private {
        IERC20 token = stakeToken;
        uint256 balanceBefore = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - balanceBefore;
        if (received != amount) revert TokenAmountMismatch(amount, received);
    }

    function _checkEndpoint(string calldata endpoint) private pure {
        uint256 length = bytes(endpoint).length;
        if (length == 0 || length > MAX_ENDPOINT_BYTES) revert InvalidEndpoint(length);
    }

    function _checkStake(uint256 stake) private pure {
        if (stake < MIN_STAKE) revert StakeTooSmall(stake, MIN_STAKE);
        if (stake > MAX_STAKE) revert StakeTooLarge(stake, MAX_STAKE);
    }

    function _revertStatus(address validator, Status status) private pure {
        if (status == Status.None) revert NotRegistered(validator);
        revert WrongStatus(validator, status);
    }
}
