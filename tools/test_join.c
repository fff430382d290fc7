/* `baton join` and a bootstrap node that lies about the size of its genesis file. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hex.h"
#include "p2p/p2p.h"
#include "sequencer/message.h"
#include "tools/commands.h"

#define PIECE_BYTES (5u << 20)
#define TOTAL_BYTES (64u << 20) /* as many as join takes */

enum lie { LIE_SHRINKS, LIE_GROWS, LIE_SMALL_TALK };

static struct p2p *host;
static _Atomic enum lie lie; /* the host's thread reads it */
static atomic_uint answers;
static struct message answer;
static uint8_t piece[PIECE_BYTES], encoded[MESSAGE_BYTES_MAX];

static void on_message(void *context, const struct hash32 *peer, struct bytes message) {
    (void)context, (void)peer, (void)message;
}

static void on_connected(void *context, const struct hash32 *peer, bool is_connected) {
    (void)context, (void)peer, (void)is_connected;
}

static void say(const struct hash32 *guest) {
    struct buffer out = buffer_over(encoded, sizeof encoded);
    message_encode(&answer, &out);
    CHECK(!out.overflow);
    p2p_send(host, guest, P2P_LANE_SYNC, buffer_bytes(&out));
}

/* The last piece that fits nearly fills the room; the one after it says that the file is short. */
static void on_guest_message(void *context, const struct hash32 *guest, struct bytes message) {
    static struct message request;
    const struct message_context none = {.recoverer = secp_recoverer()};
    (void)context;
    CHECK(message_decode(&none, message, &request) == VERDICT_ACCEPTED);
    const enum lie told = atomic_load(&lie);
    atomic_fetch_add(&answers, 1);
    answer = (struct message){.kind = MESSAGE_CHAIN, .request = request.request};
    answer.height = request.height;
    answer.count = 1;
    answer.pieces[0] = (struct bytes){piece, sizeof piece};
    answer.total_bytes = TOTAL_BYTES;
    if (told == LIE_GROWS) answer.total_bytes = request.height + 2 * sizeof piece;
    const bool is_near = request.height + sizeof piece > TOTAL_BYTES;
    if (told == LIE_SHRINKS && is_near) answer.total_bytes = 10;
    if (told == LIE_SMALL_TALK) answer.kind = MESSAGE_STATUS;
    for (int i = 0; i < (told == LIE_SMALL_TALK ? 5000 : 1); i++)
        say(guest);
}

static uint16_t host_start(void) {
    static const uint8_t seed[32] = {7, 7};
    for (uint16_t port = 26310; port < 26400; port++) {
        const struct p2p_config config = {
            .key = ed25519_key_from_seed(seed),
            .listen_host = "127.0.0.1",
            .listen_port = port,
            .chain_digest = {{7}},
            .guests_max = 4,
            .events = {NULL, on_message, on_connected, NULL, on_guest_message, on_connected},
        };
        if (p2p_start(&config, &host) == ERR_OK) return port;
    }
    CHECK(false);
    return 0;
}

/* join_run is the command, in the process that join_fails starts. */
static int join_run(char *where, char *directory) {
    char *words[] = {"join", "--follower", "--bootstrap", where, "--data-dir", directory, NULL};
    (void)alarm(50);
    return command_join(6, words);
}

/* join_fails runs the command in a process of its own, a new program because this one has threads:
 * it must say what is wrong and end. */
static void join_fails(uint16_t port, enum lie told) {
    char where[64], directory[] = "/tmp/test_join.XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    (void)snprintf(where, sizeof where, "127.0.0.1:%u", port);
    atomic_store(&lie, told);
    atomic_store(&answers, 0);
    int status = 0;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_join", where, directory, (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
    CHECK(atomic_load(&answers) > 0);
    CHECK(rmdir(directory) == 0); /* nothing of it was kept */
}

int main(int argc, char **argv) {
    if (argc == 3) return join_run(argv[1], argv[2]);
    CHECK(ed25519_init() == ERR_OK);
    const uint16_t port = host_start();
    join_fails(port, LIE_SHRINKS);
    join_fails(port, LIE_GROWS);
    join_fails(port, LIE_SMALL_TALK);
    p2p_stop(host);
    puts("tools join: ok");
    return 0;
}
