#pragma once
/* Every instruction of the EVM, once: the table that analysis and dispatch are generated from.
 *
 * An instruction's price here is the one of the fork that introduced it, without what its handler
 * charges (memory, words, cold access); later forks' prices are in rules.c, one difference list per
 * fork.  The handler's kind says how dispatch (interpreter.c) calls it:
 *   STACK    op_x(top): reads and writes the stack only, cannot fail
 *   FRAME    op_x(frame, top): may charge gas, read the host, fail
 *   CONTROL  written out in the dispatch function: jumps, calls, ends
 *   PUSH     becomes a push of a constant, small or wide
 * `top` points at the uppermost word; results overwrite the deepest operand.
 *
 * To add an instruction: one line here, one handler; a price change is one line in rules.c. */
#include <stdint.h>

/* DUP, SWAP and PUSH families, for the tables of handlers. */
#define OPCODES_DUP(X)                                                                             \
    X(0x80, DUP1, dup1, 1, 2, 3, FRONTIER, STACK)                                                  \
    X(0x81, DUP2, dup2, 2, 3, 3, FRONTIER, STACK)                                                  \
    X(0x82, DUP3, dup3, 3, 4, 3, FRONTIER, STACK)                                                  \
    X(0x83, DUP4, dup4, 4, 5, 3, FRONTIER, STACK)                                                  \
    X(0x84, DUP5, dup5, 5, 6, 3, FRONTIER, STACK)                                                  \
    X(0x85, DUP6, dup6, 6, 7, 3, FRONTIER, STACK)                                                  \
    X(0x86, DUP7, dup7, 7, 8, 3, FRONTIER, STACK)                                                  \
    X(0x87, DUP8, dup8, 8, 9, 3, FRONTIER, STACK)                                                  \
    X(0x88, DUP9, dup9, 9, 10, 3, FRONTIER, STACK)                                                 \
    X(0x89, DUP10, dup10, 10, 11, 3, FRONTIER, STACK)                                              \
    X(0x8a, DUP11, dup11, 11, 12, 3, FRONTIER, STACK)                                              \
    X(0x8b, DUP12, dup12, 12, 13, 3, FRONTIER, STACK)                                              \
    X(0x8c, DUP13, dup13, 13, 14, 3, FRONTIER, STACK)                                              \
    X(0x8d, DUP14, dup14, 14, 15, 3, FRONTIER, STACK)                                              \
    X(0x8e, DUP15, dup15, 15, 16, 3, FRONTIER, STACK)                                              \
    X(0x8f, DUP16, dup16, 16, 17, 3, FRONTIER, STACK)

#define OPCODES_SWAP(X)                                                                            \
    X(0x90, SWAP1, swap1, 2, 2, 3, FRONTIER, STACK)                                                \
    X(0x91, SWAP2, swap2, 3, 3, 3, FRONTIER, STACK)                                                \
    X(0x92, SWAP3, swap3, 4, 4, 3, FRONTIER, STACK)                                                \
    X(0x93, SWAP4, swap4, 5, 5, 3, FRONTIER, STACK)                                                \
    X(0x94, SWAP5, swap5, 6, 6, 3, FRONTIER, STACK)                                                \
    X(0x95, SWAP6, swap6, 7, 7, 3, FRONTIER, STACK)                                                \
    X(0x96, SWAP7, swap7, 8, 8, 3, FRONTIER, STACK)                                                \
    X(0x97, SWAP8, swap8, 9, 9, 3, FRONTIER, STACK)                                                \
    X(0x98, SWAP9, swap9, 10, 10, 3, FRONTIER, STACK)                                              \
    X(0x99, SWAP10, swap10, 11, 11, 3, FRONTIER, STACK)                                            \
    X(0x9a, SWAP11, swap11, 12, 12, 3, FRONTIER, STACK)                                            \
    X(0x9b, SWAP12, swap12, 13, 13, 3, FRONTIER, STACK)                                            \
    X(0x9c, SWAP13, swap13, 14, 14, 3, FRONTIER, STACK)                                            \
    X(0x9d, SWAP14, swap14, 15, 15, 3, FRONTIER, STACK)                                            \
    X(0x9e, SWAP15, swap15, 16, 16, 3, FRONTIER, STACK)                                            \
    X(0x9f, SWAP16, swap16, 17, 17, 3, FRONTIER, STACK)

#define OPCODES_PUSH(X)                                                                            \
    X(0x5f, PUSH0, push0, 0, 1, 2, SHANGHAI, PUSH)                                                 \
    X(0x60, PUSH1, push1, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x61, PUSH2, push2, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x62, PUSH3, push3, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x63, PUSH4, push4, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x64, PUSH5, push5, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x65, PUSH6, push6, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x66, PUSH7, push7, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x67, PUSH8, push8, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x68, PUSH9, push9, 0, 1, 3, FRONTIER, PUSH)                                                 \
    X(0x69, PUSH10, push10, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x6a, PUSH11, push11, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x6b, PUSH12, push12, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x6c, PUSH13, push13, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x6d, PUSH14, push14, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x6e, PUSH15, push15, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x6f, PUSH16, push16, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x70, PUSH17, push17, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x71, PUSH18, push18, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x72, PUSH19, push19, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x73, PUSH20, push20, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x74, PUSH21, push21, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x75, PUSH22, push22, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x76, PUSH23, push23, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x77, PUSH24, push24, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x78, PUSH25, push25, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x79, PUSH26, push26, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x7a, PUSH27, push27, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x7b, PUSH28, push28, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x7c, PUSH29, push29, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x7d, PUSH30, push30, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x7e, PUSH31, push31, 0, 1, 3, FRONTIER, PUSH)                                               \
    X(0x7f, PUSH32, push32, 0, 1, 3, FRONTIER, PUSH)

/*    code  name            handler         in out  gas    first fork      kind */
#define OPCODES(X)                                                                                 \
    X(0x00, STOP, stop, 0, 0, 0, FRONTIER, CONTROL)                                                \
    X(0x01, ADD, add, 2, 1, 3, FRONTIER, STACK)                                                    \
    X(0x02, MUL, mul, 2, 1, 5, FRONTIER, STACK)                                                    \
    X(0x03, SUB, sub, 2, 1, 3, FRONTIER, STACK)                                                    \
    X(0x04, DIV, div, 2, 1, 5, FRONTIER, STACK)                                                    \
    X(0x05, SDIV, sdiv, 2, 1, 5, FRONTIER, STACK)                                                  \
    X(0x06, MOD, mod, 2, 1, 5, FRONTIER, STACK)                                                    \
    X(0x07, SMOD, smod, 2, 1, 5, FRONTIER, STACK)                                                  \
    X(0x08, ADDMOD, addmod, 3, 1, 8, FRONTIER, STACK)                                              \
    X(0x09, MULMOD, mulmod, 3, 1, 8, FRONTIER, STACK)                                              \
    X(0x0a, EXP, exp, 2, 1, 10, FRONTIER, FRAME)                                                   \
    X(0x0b, SIGNEXTEND, signextend, 2, 1, 5, FRONTIER, STACK)                                      \
    X(0x10, LT, lt, 2, 1, 3, FRONTIER, STACK)                                                      \
    X(0x11, GT, gt, 2, 1, 3, FRONTIER, STACK)                                                      \
    X(0x12, SLT, slt, 2, 1, 3, FRONTIER, STACK)                                                    \
    X(0x13, SGT, sgt, 2, 1, 3, FRONTIER, STACK)                                                    \
    X(0x14, EQ, eq, 2, 1, 3, FRONTIER, STACK)                                                      \
    X(0x15, ISZERO, iszero, 1, 1, 3, FRONTIER, STACK)                                              \
    X(0x16, AND, and, 2, 1, 3, FRONTIER, STACK)                                                    \
    X(0x17, OR, or, 2, 1, 3, FRONTIER, STACK)                                                      \
    X(0x18, XOR, xor, 2, 1, 3, FRONTIER, STACK)                                                    \
    X(0x19, NOT, not, 1, 1, 3, FRONTIER, STACK)                                                    \
    X(0x1a, BYTE, byte, 2, 1, 3, FRONTIER, STACK)                                                  \
    X(0x1b, SHL, shl, 2, 1, 3, CONSTANTINOPLE, STACK)                                              \
    X(0x1c, SHR, shr, 2, 1, 3, CONSTANTINOPLE, STACK)                                              \
    X(0x1d, SAR, sar, 2, 1, 3, CONSTANTINOPLE, STACK)                                              \
    X(0x1e, CLZ, clz, 1, 1, 5, OSAKA, STACK)                                                       \
    X(0x20, KECCAK256, keccak256, 2, 1, 30, FRONTIER, FRAME)                                       \
    X(0x30, ADDRESS, address, 0, 1, 2, FRONTIER, FRAME)                                            \
    X(0x31, BALANCE, balance, 1, 1, 20, FRONTIER, FRAME)                                           \
    X(0x32, ORIGIN, origin, 0, 1, 2, FRONTIER, FRAME)                                              \
    X(0x33, CALLER, caller, 0, 1, 2, FRONTIER, FRAME)                                              \
    X(0x34, CALLVALUE, callvalue, 0, 1, 2, FRONTIER, FRAME)                                        \
    X(0x35, CALLDATALOAD, calldataload, 1, 1, 3, FRONTIER, FRAME)                                  \
    X(0x36, CALLDATASIZE, calldatasize, 0, 1, 2, FRONTIER, FRAME)                                  \
    X(0x37, CALLDATACOPY, calldatacopy, 3, 0, 3, FRONTIER, FRAME)                                  \
    X(0x38, CODESIZE, codesize, 0, 1, 2, FRONTIER, FRAME)                                          \
    X(0x39, CODECOPY, codecopy, 3, 0, 3, FRONTIER, FRAME)                                          \
    X(0x3a, GASPRICE, gasprice, 0, 1, 2, FRONTIER, FRAME)                                          \
    X(0x3b, EXTCODESIZE, extcodesize, 1, 1, 20, FRONTIER, FRAME)                                   \
    X(0x3c, EXTCODECOPY, extcodecopy, 4, 0, 20, FRONTIER, FRAME)                                   \
    X(0x3d, RETURNDATASIZE, returndatasize, 0, 1, 2, BYZANTIUM, FRAME)                             \
    X(0x3e, RETURNDATACOPY, returndatacopy, 3, 0, 3, BYZANTIUM, FRAME)                             \
    X(0x3f, EXTCODEHASH, extcodehash, 1, 1, 400, CONSTANTINOPLE, FRAME)                            \
    X(0x40, BLOCKHASH, blockhash, 1, 1, 20, FRONTIER, FRAME)                                       \
    X(0x41, COINBASE, coinbase, 0, 1, 2, FRONTIER, FRAME)                                          \
    X(0x42, TIMESTAMP, timestamp, 0, 1, 2, FRONTIER, FRAME)                                        \
    X(0x43, NUMBER, number, 0, 1, 2, FRONTIER, FRAME)                                              \
    X(0x44, PREVRANDAO, prevrandao, 0, 1, 2, FRONTIER, FRAME)                                      \
    X(0x45, GASLIMIT, gaslimit, 0, 1, 2, FRONTIER, FRAME)                                          \
    X(0x46, CHAINID, chainid, 0, 1, 2, ISTANBUL, FRAME)                                            \
    X(0x47, SELFBALANCE, selfbalance, 0, 1, 5, ISTANBUL, FRAME)                                    \
    X(0x48, BASEFEE, basefee, 0, 1, 2, LONDON, FRAME)                                              \
    X(0x49, BLOBHASH, blobhash, 1, 1, 3, CANCUN, FRAME)                                            \
    X(0x4a, BLOBBASEFEE, blobbasefee, 0, 1, 2, CANCUN, FRAME)                                      \
    X(0x50, POP, pop, 1, 0, 2, FRONTIER, STACK)                                                    \
    X(0x51, MLOAD, mload, 1, 1, 3, FRONTIER, FRAME)                                                \
    X(0x52, MSTORE, mstore, 2, 0, 3, FRONTIER, FRAME)                                              \
    X(0x53, MSTORE8, mstore8, 2, 0, 3, FRONTIER, FRAME)                                            \
    X(0x54, SLOAD, sload, 1, 1, 50, FRONTIER, FRAME)                                               \
    X(0x55, SSTORE, sstore, 2, 0, 0, FRONTIER, FRAME)                                              \
    X(0x56, JUMP, jump, 1, 0, 8, FRONTIER, CONTROL)                                                \
    X(0x57, JUMPI, jumpi, 2, 0, 10, FRONTIER, CONTROL)                                             \
    X(0x58, PC, pc, 0, 1, 2, FRONTIER, PUSH)                                                       \
    X(0x59, MSIZE, msize, 0, 1, 2, FRONTIER, FRAME)                                                \
    X(0x5a, GAS, gas, 0, 1, 2, FRONTIER, FRAME)                                                    \
    X(0x5b, JUMPDEST, jumpdest, 0, 0, 1, FRONTIER, BLOCK)                                          \
    X(0x5c, TLOAD, tload, 1, 1, 100, CANCUN, FRAME)                                                \
    X(0x5d, TSTORE, tstore, 2, 0, 100, CANCUN, FRAME)                                              \
    X(0x5e, MCOPY, mcopy, 3, 0, 3, CANCUN, FRAME)                                                  \
    OPCODES_PUSH(X)                                                                                \
    OPCODES_DUP(X)                                                                                 \
    OPCODES_SWAP(X)                                                                                \
    X(0xa0, LOG0, log0, 2, 0, 375, FRONTIER, FRAME)                                                \
    X(0xa1, LOG1, log1, 3, 0, 750, FRONTIER, FRAME)                                                \
    X(0xa2, LOG2, log2, 4, 0, 1125, FRONTIER, FRAME)                                               \
    X(0xa3, LOG3, log3, 5, 0, 1500, FRONTIER, FRAME)                                               \
    X(0xa4, LOG4, log4, 6, 0, 1875, FRONTIER, FRAME)                                               \
    X(0xf0, CREATE, create, 3, 1, 32000, FRONTIER, CONTROL)                                        \
    X(0xf1, CALL, call, 7, 1, 40, FRONTIER, CONTROL)                                               \
    X(0xf2, CALLCODE, callcode, 7, 1, 40, FRONTIER, CONTROL)                                       \
    X(0xf3, RETURN, return, 2, 0, 0, FRONTIER, CONTROL)                                            \
    X(0xf4, DELEGATECALL, delegatecall, 6, 1, 40, HOMESTEAD, CONTROL)                              \
    X(0xf5, CREATE2, create2, 4, 1, 32000, CONSTANTINOPLE, CONTROL)                                \
    X(0xfa, STATICCALL, staticcall, 6, 1, 700, BYZANTIUM, CONTROL)                                 \
    X(0xfd, REVERT, revert, 2, 0, 0, BYZANTIUM, CONTROL)                                           \
    X(0xfe, INVALID, invalid, 0, 0, 0, FRONTIER, CONTROL)                                          \
    X(0xff, SELFDESTRUCT, selfdestruct, 1, 0, 0, FRONTIER, CONTROL)

enum opcode {
#define X(code, name, handler, in, out, gas, fork, kind) OP_##name = code,
    OPCODES(X)
#undef X
};

/* opcode_name returns "ADD", "PUSH1", ...; NULL for a code that no fork defines; static storage. */
const char *opcode_name(uint8_t code);
