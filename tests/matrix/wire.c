/* A network of network namespaces whose links can be made bad, for tests/matrix.
 *
 * Each namespace given gets a tap device `wire0`; this program is the switch between them.  What
 * goes from one to another can be blocked, delayed (with jitter, in order), lost and limited in
 * rate, for each direction by itself: what `tc netem` and firewall rules do, but in one place, with
 * counts of what really happened, and on kernels that are built without netem too.
 *
 * usage: wire SEED NAMESPACE...     (names of `ip netns`; root)
 *
 * Lines on standard input, each answered with one line:
 *   set FROM TO BLOCKED DELAY_MS JITTER_MS LOSS_PPM RATE_KBIT   -> ok       (0: no delay, loss,
 * limit) counts                                                      -> {"passed":..} FROM and TO
 * count the namespaces from 0.  The end of standard input ends the program, and with it go the
 * devices. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HOSTS_MAX        32
#define FRAME_BYTES_MAX  1536
#define FRAMES_MAX       32768 /* waiting, all links together: 50 MB */
#define READS_IN_A_ROW   64
#define LINK_FRAMES_MAX  4096 /* waiting on one link: a router's queue */
#define LINE_BYTES_MAX   256
#define NS_PER_MS        1000000ull
#define LOSS_PPM_CERTAIN 1000000u

struct link {
    bool is_blocked;
    uint64_t delay_ns, jitter_ns;
    uint32_t loss_ppm;
    uint64_t rate_kbit;
    uint64_t free_at_ns; /* when the frames before have left, with a rate */
    uint64_t due_at_ns;  /* of the frame before: frames stay in order */
    uint32_t waiting;
};

struct frame {
    uint64_t due_at_ns, number; /* the smaller number goes first at the same time */
    uint32_t bytes;
    uint8_t from, to;
    uint8_t data[FRAME_BYTES_MAX];
};

static int taps[HOSTS_MAX];
static size_t hosts_count;
static struct link links[HOSTS_MAX][HOSTS_MAX];
static struct frame *heap[FRAMES_MAX]; /* by due_at_ns, then number */
static size_t heap_count;
static struct frame *free_frames[FRAMES_MAX];
static size_t free_count;
static uint64_t next_number;
static uint64_t random_state;
static struct { uint64_t passed, blocked, lost, delayed, overflowed; } counts;

static void die(const char *what) {
    fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* random_below gives one of 0..bound-1 (xorshift64*; the little bias is of no matter). */
static uint64_t random_below(uint64_t bound) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545f4914f6cdd1dull >> 16) % bound;
}

static bool is_before(const struct frame *a, const struct frame *b) {
    if (a->due_at_ns != b->due_at_ns) return a->due_at_ns < b->due_at_ns;
    return a->number < b->number;
}

static void heap_push(struct frame *frame) {
    size_t at = heap_count++;
    while (at > 0 && is_before(frame, heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = frame;
}

static struct frame *heap_pop(void) {
    struct frame *first = heap[0];
    struct frame *last = heap[--heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && is_before(heap[child + 1], heap[child])) child += 1;
        if (!is_before(heap[child], last)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

/* deliver hands a frame to its namespace; a device that is down or full loses it, as cables do. */
static void deliver(const struct frame *frame) {
    if (write(taps[frame->to], frame->data, frame->bytes) == (ssize_t)frame->bytes) {
        counts.passed += 1;
    } else {
        counts.overflowed += 1;
    }
}

/* due_of says when a frame leaves the link at the other end. */
static uint64_t due_of(struct link *link, uint32_t bytes, uint64_t now) {
    uint64_t due = now;
    if (link->rate_kbit != 0) {
        if (link->free_at_ns < now) link->free_at_ns = now;
        link->free_at_ns += (uint64_t)bytes * 8 * NS_PER_MS / link->rate_kbit;
        due = link->free_at_ns;
    }
    due += link->delay_ns;
    if (link->jitter_ns != 0) due += random_below(link->jitter_ns);
    if (due < link->due_at_ns) due = link->due_at_ns;
    link->due_at_ns = due;
    return due;
}

static void pass(size_t from, size_t to, const uint8_t *data, uint32_t bytes, uint64_t now) {
    struct link *link = &links[from][to];
    if (link->is_blocked) {
        counts.blocked += 1;
        return;
    }
    if (link->loss_ppm != 0 && random_below(LOSS_PPM_CERTAIN) < link->loss_ppm) {
        counts.lost += 1;
        return;
    }
    if (free_count == 0 || link->waiting == LINK_FRAMES_MAX) {
        counts.overflowed += 1;
        return;
    }
    struct frame *frame = free_frames[--free_count];
    frame->from = (uint8_t)from;
    frame->to = (uint8_t)to;
    frame->bytes = bytes;
    frame->number = next_number++;
    frame->due_at_ns = due_of(link, bytes, now);
    memcpy(frame->data, data, bytes);
    if (frame->due_at_ns > now) counts.delayed += 1;
    link->waiting += 1;
    heap_push(frame);
}

/* switch_frame: the last byte of our hardware addresses is the host's number plus one. */
static void switch_frame(size_t from, const uint8_t *data, uint32_t bytes, uint64_t now) {
    if (bytes < 14) return;
    if ((data[0] & 1) == 0) {
        const size_t to = (size_t)data[5] - 1;
        if (to < hosts_count && to != from) pass(from, to, data, bytes, now);
        return;
    }
    for (size_t to = 0; to < hosts_count; to++) {
        if (to != from) pass(from, to, data, bytes, now);
    }
}

static void read_tap(size_t from) {
    uint8_t data[FRAME_BYTES_MAX];
    for (int i = 0; i < READS_IN_A_ROW; i++) {
        const ssize_t bytes = read(taps[from], data, sizeof data);
        if (bytes < 0) {
            if (errno == EAGAIN || errno == EINTR || errno == EIO) return; /* EIO: it is down */
            die("tap");
        }
        switch_frame(from, data, (uint32_t)bytes, now_ns());
    }
}

static void deliver_due(void) {
    while (heap_count != 0 && heap[0]->due_at_ns <= now_ns()) {
        struct frame *frame = heap_pop();
        deliver(frame);
        links[frame->from][frame->to].waiting -= 1;
        free_frames[free_count++] = frame;
    }
}

static void command(const char *line) {
    unsigned from, to, blocked, delay_ms, jitter_ms, loss_ppm, rate_kbit;
    if (strcmp(line, "counts") == 0) {
        printf("{\"passed\":%llu,\"blocked\":%llu,\"lost\":%llu,\"delayed\":%llu,"
               "\"overflowed\":%llu}\n",
               (unsigned long long)counts.passed, (unsigned long long)counts.blocked,
               (unsigned long long)counts.lost, (unsigned long long)counts.delayed,
               (unsigned long long)counts.overflowed);
    } else if (sscanf(line, "set %u %u %u %u %u %u %u", &from, &to, &blocked, &delay_ms, &jitter_ms,
                      &loss_ppm, &rate_kbit) == 7 &&
               from < hosts_count && to < hosts_count) {
        struct link *link = &links[from][to];
        link->is_blocked = blocked != 0;
        link->delay_ns = delay_ms * NS_PER_MS;
        link->jitter_ns = jitter_ms * NS_PER_MS;
        link->loss_ppm = loss_ppm;
        link->rate_kbit = rate_kbit;
        puts("ok");
    } else {
        printf("error: %s\n", line);
    }
    fflush(stdout);
}

/* read_commands: false when standard input has ended. */
static bool read_commands(void) {
    static char line[LINE_BYTES_MAX];
    static size_t used;
    char bytes[LINE_BYTES_MAX];
    const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count <= 0) return count < 0 && errno == EINTR;
    for (ssize_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            line[used] = '\0';
            command(line);
            used = 0;
        } else if (used < sizeof line - 1) {
            line[used++] = bytes[i];
        }
    }
    return true;
}

/* open_tap makes the device wire0 in a namespace, with the hardware address of its number. */
static int open_tap(const char *name, size_t number) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", name);
    const int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) die(path);
    close(space);
    const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0) die("/dev/net/tun");
    struct ifreq request = {.ifr_name = "wire0"};
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(tap, TUNSETIFF, &request) != 0) die("wire0");
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memset(request.ifr_hwaddr.sa_data, 0, sizeof request.ifr_hwaddr.sa_data);
    request.ifr_hwaddr.sa_data[0] = 2;
    request.ifr_hwaddr.sa_data[5] = (char)(number + 1);
    if (ioctl(tap, SIOCSIFHWADDR, &request) != 0) die("hardware address");
    return tap;
}

static void run(void) {
    struct pollfd polled[HOSTS_MAX + 1];
    for (size_t i = 0; i < hosts_count; i++)
        polled[i] = (struct pollfd){.fd = taps[i], .events = POLLIN};
    polled[hosts_count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        struct timespec wait = {.tv_sec = 3600};
        if (heap_count != 0) {
            const uint64_t now = now_ns();
            const uint64_t due = heap[0]->due_at_ns;
            const uint64_t left = due > now ? due - now : 0;
            wait = (struct timespec){(time_t)(left / 1000000000ull), (long)(left % 1000000000ull)};
        }
        if (ppoll(polled, hosts_count + 1, &wait, NULL) < 0 && errno != EINTR) die("poll");
        for (size_t i = 0; i < hosts_count; i++) {
            if (polled[i].revents != 0) read_tap(i);
        }
        deliver_due();
        if (polled[hosts_count].revents != 0 && !read_commands()) return;
    }
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 2 + HOSTS_MAX) {
        fprintf(stderr, "usage: wire SEED NAMESPACE...   (at most %d)\n", HOSTS_MAX);
        return 2;
    }
    random_state = strtoull(argv[1], NULL, 10) * 2 + 1;
    hosts_count = (size_t)(argc - 2);
    struct frame *frames = calloc(FRAMES_MAX, sizeof *frames);
    if (frames == NULL) die("memory");
    for (size_t i = 0; i < FRAMES_MAX; i++)
        free_frames[free_count++] = &frames[i];
    for (size_t i = 0; i < hosts_count; i++)
        taps[i] = open_tap(argv[2 + i], i);
    puts("ready");
    fflush(stdout);
    run();
    free(frames);
    return 0;
}
