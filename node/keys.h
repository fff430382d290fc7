#pragma once
/* Key files: 32 secret bytes as hex ("0x" optional, a newline may follow), mode 0600, owned by us.
 *
 * `baton key new DIR` writes validator.key (secp256k1: signs votes and L1 transactions; the same
 * form as a private key of cast) and peer.key (seed of the Ed25519 p2p identity). */
#include "base/ed25519.h"
#include "base/err.h"
#include "base/secp.h"

/* keys_read_secret reads a key file.  ERR_PERMISSION: others may read it; ERR_NOT_FOUND;
 * ERR_ENCODING: not 32 bytes of hex.  `error` names `setting` and the file. */
MUST_USE enum err keys_read_secret(const char *path, const char *setting, uint8_t out[32],
                                   char error[512]);
/* keys_check_file checks existence, mode and owner of a file with a secret, without reading it.
 * ERR_NOT_FOUND, ERR_PERMISSION: `error` names `setting` and the file. */
MUST_USE enum err keys_check_file(const char *path, const char *setting, char error[512]);
/* keys_read_validator also refuses zero, numbers beyond the curve's order and, unless allowed, the
 * well-known development keys. */
MUST_USE enum err keys_read_validator(const char *path, bool allow_dev_keys, struct secp_key *out,
                                      char error[512]);
/* keys_write_secret makes a key file (mode 0600).  ERR_EXISTS: there is one already; ERR_SYSTEM;
 * `error` names the file. */
MUST_USE enum err keys_write_secret(const char *path, const uint8_t secret[32], char error[512]);
/* keys_make_validator and keys_make_peer make a key file (mode 0600) where there is none.
 * ERR_SYSTEM. */
MUST_USE enum err keys_make_validator(const char *path, char error[512]);
MUST_USE enum err keys_make_peer(const char *path, char error[512]);
MUST_USE enum err keys_read_peer(const char *path, struct ed25519_key *out, char error[512]);

/* keys_is_development: one of the first 100 keys of the test mnemonic that anvil and hardhat print.
 */
bool keys_is_development(const struct secp_key *key);
/* keys_development derives the first `count` keys of that mnemonic (BIP-32 m/44'/60'/0'/0/index).
 */
void keys_development(struct secp_key *out, uint32_t count);
