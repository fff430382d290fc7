#pragma once
/* `baton testnet`: a network of real node processes on one machine, watched and reported on.
 *
 * One thread does everything in turns (testnet_run.c): it starts what is due, collects the
 * processes that ended, asks nodes for their status, sends transactions, kills when a failure is to
 * be injected, and prints a line now and then.  Nodes are `baton node` of this very program, each
 * with a directory of its own, full mesh over the loopback device, validators fixed in the genesis
 * file; there is neither L1 nor DA.  When this process dies, however, its nodes are killed by the
 * kernel; when it ends, all of them have ended before. */
#include <sys/types.h>

#include "base/secp.h"
#include "chain/fork.h"
#include "chain/validators.h"
#include "tools/http.h"
#include "tools/testnet_report.h"

#define TESTNET_NODES_MAX    VALIDATORS_MAX
#define TESTNET_PORTS        3 /* of each node: RPC, metrics, p2p */
#define TESTNET_PATH_BYTES   512
#define TESTNET_ACCOUNTS     64
#define TESTNET_STAKE        1000 /* of each validator: voting power */
#define TESTNET_CHAIN_ID     31337
#define TESTNET_LOAD_MAX     256 /* transactions in one turn */
#define TESTNET_REQUESTS_MAX (TESTNET_NODES_MAX + TESTNET_LOAD_MAX)
#define TESTNET_ANSWER_BYTES 4096
#define TESTNET_BODY_BYTES   768

struct testnet_options {
    uint32_t validators;
    uint64_t duration_ms;
    const char *report;    /* file; NULL: standard output */
    const char *directory; /* empty: a temporary one, removed at the end */
    uint32_t kills;
    uint64_t down_ms; /* a killed node stays away for so long */
    uint64_t block_time_ms;
    uint64_t load_tps; /* transactions per second */
    enum fault_model model;
    uint16_t port_base;
    uint64_t stagger_ms;   /* between two starts */
    uint64_t start_ms_max; /* until all are ready */
    uint64_t timeout_propose_ms, timeout_vote_ms;
};

/* One node. */
struct testnet_member {
    char home[TESTNET_PATH_BYTES]; /* config.json, keys, data/, log */
    struct address address;
    struct hash32 peer_id;
    uint16_t rpc_port, metrics_port, p2p_port;
    pid_t pid;            /* 0: does not run */
    uint64_t start_at_ms; /* when it is (re)started; UINT64_MAX: not */
    uint64_t failed_ms;   /* when it ended without having been asked to; 0: has not, or is back */
    uint64_t poll_at_ms;
    /* as it said last; is_answering: it did so when it was asked last */
    bool is_answering, is_ready;
    uint64_t height;
    uint32_t peers;
    /* what its metrics said of decisions when the measurement began; 0 when it was started since */
    double decide_seconds_before;
    uint64_t decide_count_before;
};

struct testnet_account {
    struct secp_key key;
    uint64_t nonce;
    bool is_unsure; /* its nonce must be asked for first */
};

/* What a request of a turn is about. */
struct testnet_purpose {
    enum { TESTNET_POLL, TESTNET_SEND, TESTNET_NONCE } kind;
    uint32_t index; /* member or account */
};

struct testnet {
    struct testnet_options options;
    struct testnet_figures figures;
    struct testnet_member members[TESTNET_NODES_MAX];
    struct testnet_account accounts[TESTNET_ACCOUNTS];
    char directory[TESTNET_PATH_BYTES];
    bool is_temporary;
    struct http *http;
    uint64_t began_ms; /* of the measured time; 0: it has not begun */
    bool is_measuring;
    struct address leader; /* who leads, as a node said last */
    uint64_t load_at_us;   /* up to then transactions were sent */
    uint32_t next_account, next_node;
    uint64_t sent, accepted, refused;
    uint32_t kills_done;

    /* one turn's requests */
    size_t requests_count;
    struct http_request requests[TESTNET_REQUESTS_MAX];
    struct testnet_purpose purposes[TESTNET_REQUESTS_MAX];
    char bodies[TESTNET_REQUESTS_MAX][TESTNET_BODY_BYTES];
    char answers[TESTNET_REQUESTS_MAX][TESTNET_ANSWER_BYTES + 1];
};

/* --- testnet_setup.c */
/* testnet_setup makes directories, keys, the genesis and each node's settings.  ERR_EXISTS: the
 * directory is not empty; ERR_SYSTEM, ERR_MEMORY; `error` says which file. */
MUST_USE enum err testnet_setup(struct testnet *net, char error[512]);
/* testnet_forget removes a temporary directory. */
void testnet_forget(struct testnet *net);

/* --- testnet_process.c */
/* testnet_spawn starts a member.  ERR_SYSTEM. */
MUST_USE enum err testnet_spawn(struct testnet_member *member);
/* testnet_reap collects processes that ended; whoever was not asked to is counted and started again
 * after options.down_ms. */
void testnet_reap(struct testnet *net, uint64_t now_ms);
/* testnet_kill kills a member as a power cut would (SIGKILL). */
void testnet_kill(struct testnet *net, uint32_t index, uint64_t now_ms);
/* testnet_stop ends all processes, SIGTERM first, and waits for every one. */
void testnet_stop(struct testnet *net);
/* testnet_resident_bytes is the memory that all members have to themselves. */
uint64_t testnet_resident_bytes(const struct testnet *net);

/* --- testnet_load.c */
/* testnet_load_add adds the transactions that are due to the turn; testnet_load_take reads what a
 * node answered to one. */
void testnet_load_add(struct testnet *net, uint64_t now_us);
void testnet_load_take(struct testnet *net, size_t request);

/* --- testnet_collect.c: what the chain and the nodes say */
/* testnet_collect_begin notes what the nodes' metrics have counted before the measurement. */
void testnet_collect_begin(struct testnet *net);
/* testnet_collect fills the figures from blocks (first, last] and the nodes' metrics, and compares
 * the nodes' chains; false when two nodes have different blocks at one height. */
bool testnet_collect(struct testnet *net, uint64_t first, uint64_t last);

/* --- testnet_run.c */
/* testnet_request adds a JSON-RPC call to a member to the turn; `params` is JSON.  NULL: the turn
 * is full. */
struct http_request *testnet_request(struct testnet *net, uint32_t member,
                                     struct testnet_purpose purpose, const char *method,
                                     const char *params);
/* testnet_ask_ms is how long one answer may take: all nodes share the machine. */
uint64_t testnet_ask_ms(const struct testnet *net);
/* testnet_seconds is the time since the measurement began, in seconds. */
double testnet_seconds(const struct testnet *net, uint64_t now_ms);
/* testnet_run starts, measures and stops the network; the result is the exit code. */
int testnet_run(struct testnet *net);
