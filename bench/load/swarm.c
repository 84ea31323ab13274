/*
 * The load generator: N subscribers and a handful of publishers in one single-threaded epoll loop.
 *
 * Started by load/swarm-client.ts as a process of its own; commands come as lines on stdin, each is answered
 * with one JSON line on stdout:
 *   grow N             connect subscribers until there are N, each through its head      -> {"subscribers":N}
 *   run WINDOW MS      keep WINDOW publishes in flight for MS (a publish is in flight
 *                      until it is answered and every subscriber has it)                 -> result
 *   pace HZ MS MOST    publish at a fixed rate, over MOST connections; where all of them wait for an answer
 *                      the next publish waits, and its latency with it                   -> result with
 *                      samples
 *   several N          publish N messages, each when all have the last                   -> result
 * result = {"messages","deliveries","wallUs","cpuUs","p50Us","p99Us","maxUs"[,"samplesUs"]}
 * Latency counts from the moment a publish is due (pace) or sent (run) until the last subscriber has read it.
 *
 * C and not TypeScript, because at 0.4 us a delivery on the server's side a JavaScript reader would be what
 * is measured (swarm.ts does the same where there is no compiler). Framing is not parsed: a payload is '#'
 * ten digits 'x'... '$', and neither HTTP chunks, SSE fields nor frame headers of these sizes contain '#'.
 *
 * Every subscriber checks every message: the first to see the k-th message writes it into order[]; all others
 * must see the same there, so a lost, doubled or swapped message on any socket ends the run with an error.
 */
#include "common.h"
#include <sys/epoll.h>

#define LOG_SIZE 4096 /* messages that can be under way at once; a power of two */
#define LOG_MASK (LOG_SIZE - 1)
#define MAX_PAYLOAD 2000000
#define MAX_PUBLISHERS 64
#define MAX_SAMPLES 2000000
#define CONNECT_BATCH 128 /* handshakes under way at once: below any listen backlog */
#define NAP_US 200
#define STALL_NS 15000000000ull

enum { HEAD, BODY };

struct subscriber {
  int fd;
  uint8_t state, matched; /* matched: bytes of \r\n\r\n seen so far */
  uint32_t have;          /* bytes of the payload under way */
  uint32_t sequence;
  uint64_t position; /* how many messages it has read */
};

struct publisher {
  int fd, busy, length;
  char answer[4096];
  uint32_t sequence;
};

static int payload_size = 100, epoll_fd;
static const char *mode = "stream", *subscribe_path = "/sub/bench", *publish_path = "/pub?id=bench";
static struct subscriber *subscribers;
static int subscriber_count, heads_seen, long_poll;
static struct publisher publishers[MAX_PUBLISHERS];
static int publisher_count, window_now = MAX_PUBLISHERS;
static uint32_t next_sequence;
static uint64_t order_length;
static uint32_t order[LOG_SIZE];  /* by position: the sequence number seen there */
static int received[LOG_SIZE];    /* by position: subscribers that have it */
static uint64_t due_ns[LOG_SIZE]; /* by sequence: when the publish was due */
static uint8_t waiting[LOG_SIZE]; /* by sequence: 1 = sent, not seen by anyone yet */
static int undone;
static unsigned nap_us;         /* rest before each look at the sockets, see measure() */
static uint32_t *samples_us;
static int sample_count;
static uint64_t deliveries, completed, last_progress;

static void watch(int fd, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = tag};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

static void complete(uint32_t sequence) {
  uint64_t taken = now_ns() - due_ns[sequence & LOG_MASK];
  if (sample_count < MAX_SAMPLES) samples_us[sample_count++] = (uint32_t)(taken / 1000);
  undone--;
  completed++;
}

static void delivered(struct subscriber *s, uint32_t sequence) {
  uint64_t at = s->position++;
  uint32_t slot = (uint32_t)at & LOG_MASK;
  deliveries++;
  if (at == order_length) {
    if (!waiting[sequence & LOG_MASK]) die("message %u came twice or was never published", sequence);
    waiting[sequence & LOG_MASK] = 0;
    order[slot] = sequence;
    received[slot] = 0;
    order_length++;
  } else if (order[slot] != sequence) {
    die("subscriber %d read message %u where others read %u", (int)(s - subscribers), sequence, order[slot]);
  }
  if (++received[slot] == subscriber_count) complete(sequence);
}

/* Skips the response head; returns the first byte after what it used. */
static const char *scan_head(struct subscriber *s, const char *p, const char *end) {
  for (; p < end; p++) {
    s->matched = *p == "\r\n\r\n"[s->matched] ? s->matched + 1 : *p == '\r';
    if (s->matched == 4) {
      s->state = BODY;
      heads_seen++;
      return p + 1;
    }
  }
  return end;
}

static void scan(struct subscriber *s, const char *p, const char *end) {
  while (p < end) {
    if (s->state == HEAD) {
      p = scan_head(s, p, end);
      continue;
    }
    if (s->have == 0 && !(p = memchr(p, '#', (size_t)(end - p)))) return;
    /* Byte by byte over digits, then in one jump over the filler: a payload may be cut anywhere. */
    while (p < end && s->have < 11) {
      if (s->have == 0) s->sequence = 0;
      else s->sequence = s->sequence * 10 + (uint32_t)(*p - '0');
      s->have++;
      p++;
    }
    long rest = payload_size - (long)s->have, room = end - p;
    if (room < rest) {
      s->have += (uint32_t)room;
      return;
    }
    if (p[rest - 1] != '$') die("message %u is damaged", s->sequence);
    p += rest;
    s->have = 0;
    delivered(s, s->sequence);
  }
}

/* Edge triggered: what a full buffer leaves behind is read at once. */
static void read_subscriber(struct subscriber *s) {
  static char buffer[262144];
  ssize_t n = recv(s->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    if (!long_poll || s->position == 0) die("subscriber %d: closed by the server", (int)(s - subscribers));
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    return;
  }
  int is_head = s->state == HEAD && s->matched == 0 && n > 12;
  if (is_head && memcmp(buffer + 9, "200", 3) && memcmp(buffer + 9, "101", 3))
    die("subscriber refused: %.60s", buffer);
  scan(s, buffer, buffer + n);
  if (n == sizeof buffer) read_subscriber(s);
}

static void read_publisher(struct publisher *p) {
  ssize_t n = recv(p->fd, p->answer + p->length, sizeof p->answer - 1 - (size_t)p->length, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0 && p->busy) die("publisher closed by the server, in the middle of %.200s", p->answer);
  if (n <= 0) {
    /* Between two requests it may. */
    close(p->fd);
    p->fd = -1;
    return;
  }
  p->length += (int)n;
  p->answer[p->length] = 0;
  if (!p->busy || !answer_complete(p->answer, p->length)) return;
  p->busy = p->length = 0;
  last_progress = 0;
  if (subscriber_count == 0) complete(p->sequence);
}

static struct publisher *idle_publisher(void) {
  int i = 0;
  while (i < publisher_count && publishers[i].busy) i++;
  if (i >= window_now) return NULL;
  struct publisher *p = &publishers[i];
  if (i < publisher_count && p->fd >= 0) return p;
  if (i == publisher_count) publisher_count++;
  p->fd = dial();
  watch(p->fd, (uint64_t)1 << 32 | (uint32_t)i);
  return p;
}

static void publish(struct publisher *p, uint64_t due) {
  static char request[MAX_PAYLOAD + 1000];
  uint32_t sequence = next_sequence++;
  int n = sprintf(request, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n#%010u",
                  publish_path, payload_size, sequence);
  memset(request + n, 'x', (size_t)(payload_size - 11));
  n += payload_size - 11;
  request[n - 1] = '$';
  p->busy = 1;
  p->sequence = sequence;
  due_ns[sequence & LOG_MASK] = due;
  waiting[sequence & LOG_MASK] = 1;
  undone++;
  if (send(p->fd, request, (size_t)n, MSG_NOSIGNAL) != n) die("publish: %s", strerror(errno));
}

/* One turn: waits at most `wait_ns`, reads everything that is ready. */
static void turn(uint64_t wait_ns) {
  struct epoll_event ready[1024];
  if (nap_us) usleep(nap_us);
  struct timespec wait = time_spec(wait_ns);
  int n = epoll_pwait2(epoll_fd, ready, 1024, &wait, NULL);
  for (int i = 0; i < n; i++) {
    uint32_t index = (uint32_t)ready[i].data.u64;
    if (ready[i].data.u64 >> 32) read_publisher(&publishers[index]);
    else read_subscriber(&subscribers[index]);
  }
  if (n > 0 || last_progress == 0) last_progress = now_ns();
  else if (now_ns() - last_progress > STALL_NS) die("nothing came for 15 s, %d messages under way", undone);
}

static uint32_t percentile(double share) {
  return sample_count ? samples_us[(int)(share * (sample_count - 1) + 0.5)] : 0;
}

static void report(uint64_t wall_ns, uint64_t cpu, int with_samples) {
  qsort(samples_us, (size_t)sample_count, sizeof *samples_us, by_value);
  printf("{\"messages\":%lu,\"deliveries\":%lu,\"wallUs\":%lu,\"cpuUs\":%lu,"
         "\"p50Us\":%u,\"p99Us\":%u,\"maxUs\":%u",
         completed, deliveries, wall_ns / 1000, cpu, percentile(0.5), percentile(0.99), percentile(1));
  if (with_samples) {
    printf(",\"samplesUs\":[");
    for (int i = 0; i < sample_count; i++) printf(i ? ",%u" : "%u", samples_us[i]);
    printf("]");
  }
  printf("}\n");
}

/* window > 0: closed loop. hz > 0: open loop, a publish is due every 1/hz, whatever the last one does. */
static void measure(int window, double hz, int most, uint64_t duration_ns, uint64_t max_messages) {
  uint64_t cpu = cpu_us(), start = now_ns(), step = hz > 0 ? (uint64_t)(1e9 / hz) : 0, sent = 0, now = start;
  completed = deliveries = last_progress = 0;
  sample_count = 0;
  window_now = hz > 0 ? most : window;
  /* In a closed loop with subscribers the reader rests 0.2 ms between looks and never sleeps in
     epoll_wait: a server on loopback pays for waking its reader, a cost that real (remote) readers do
     not cause and that comes and goes with the reader's pace. With it the same loop measured 4.1 to 6.1
     us a send, without it 3.6 to 3.9. */
  nap_us = hz > 0 || subscriber_count == 0 ? 0 : NAP_US;
  for (;;) {
    struct publisher *p;
    uint64_t wait = STALL_NS;
    now = now_ns();
    int open = now - start < duration_ns && sent < max_messages;
    int is_due;
    for (;;) {
      is_due = open && (hz > 0 ? start + sent * step <= now : undone < window);
      if (!is_due || !(p = idle_publisher())) break;
      publish(p, hz > 0 ? start + sent * step : now_ns());
      open = ++sent < max_messages;
    }
    if (!open && undone == 0) break;
    if (hz > 0 && open && !is_due) wait = start + sent * step - now;
    turn(nap_us ? 0 : wait);
  }
  nap_us = 0;
  /* An answer may still be on its way when every subscriber already has the message. */
  for (int i = 0; i < publisher_count; i++)
    while (publishers[i].busy) turn(STALL_NS);
  report(now - start, cpu_us() - cpu, hz > 0);
}

static void send_subscribe(int fd) {
  char request[600];
  int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", subscribe_path,
                   subscribe_fields(mode));
  if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n) die("subscribe: %s", strerror(errno));
}

static void grow(int target) {
  if (order_length > 0) die("subscribers must be there before the first message");
  subscribers = realloc(subscribers, sizeof *subscribers * (size_t)target);
  last_progress = 0;
  while (subscriber_count < target) {
    struct subscriber *s = &subscribers[subscriber_count];
    *s = (struct subscriber){.fd = dial()};
    send_subscribe(s->fd);
    watch(s->fd, (uint64_t)(uint32_t)subscriber_count++);
    if (!long_poll)
      while (subscriber_count - heads_seen > CONNECT_BATCH) turn(STALL_NS);
    else if (subscriber_count % CONNECT_BATCH == 0)
      usleep(5000); /* a long poll is silent until a message comes: no head to wait for */
  }
  while (!long_poll && heads_seen < subscriber_count) turn(STALL_NS);
  printf("{\"subscribers\":%d}\n", subscriber_count);
}

int main(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--mode")) mode = argv[i + 1];
    else if (!strcmp(argv[i], "--subscribe")) subscribe_path = argv[i + 1];
    else if (!strcmp(argv[i], "--publish")) publish_path = argv[i + 1];
    else if (!strcmp(argv[i], "--size")) payload_size = atoi(argv[i + 1]);
    else if (!strcmp(argv[i], "--sources")) source_count = atoi(argv[i + 1]);
    else die("unknown argument %s", argv[i]);
  }
  if (payload_size < 16 || payload_size > MAX_PAYLOAD) die("--size must be 16 to %d", MAX_PAYLOAD);
  long_poll = !strcmp(mode, "longpoll");
  epoll_fd = epoll_create1(0);
  samples_us = malloc(sizeof *samples_us * MAX_SAMPLES);
  char line[128];
  while (fgets(line, sizeof line, stdin)) {
    int count = 0, ms = 0;
    double hz = 0;
    if (sscanf(line, "grow %d", &count) == 1) grow(count);
    else if (sscanf(line, "run %d %d", &count, &ms) == 2)
      measure(count, 0, 0, (uint64_t)ms * 1000000, UINT64_MAX);
    else if (sscanf(line, "pace %lf %d %d", &hz, &ms, &count) == 3)
      measure(0, hz, count < MAX_PUBLISHERS ? count : MAX_PUBLISHERS, (uint64_t)ms * 1000000, UINT64_MAX);
    else if (sscanf(line, "several %d", &count) == 1) measure(1, 0, 0, UINT64_MAX, (uint64_t)count);
    else die("unknown command %s", line);
    fflush(stdout);
  }
  return 0;
}
