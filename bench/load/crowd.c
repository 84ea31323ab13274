/*
 * The load generator for many channels and many connections: rooms, cross traffic, crowds that come (back),
 * connections that only wait, and publishers that connect for each message. swarm.c is the one for many
 * subscribers of one channel.
 *
 * Started by load/crowd-client.ts as a process of its own; commands are lines on stdin, each is answered with
 * one JSON line:
 *   grow N INFLIGHT          connect subscribers until there are N, INFLIGHT handshakes at a time; latency is
 *                            connect to whole head
 *   replay N INFLIGHT COUNT  the same, but each is only done when it has read COUNT messages that lie behind
 *   store COUNT              publish COUNT messages to each channel, one after another
 *   run MS                   one publish in flight in each channel, until it is answered and all its
 *                            subscribers have it
 *   pace HZ MS               HZ publishes a second, channels in turn; latency is from when it was due to each
 *                            single delivery
 *   post INFLIGHT MS         a connection for each POST, which the client closes after the answer
 *   idle MS                  answer pings
 *   shut                     close all subscribers
 * A subscriber is in TOPICS of the CHANNELS channels, evenly. Each channel has one publish under way at a
 * time, so every subscriber must see the numbers of a channel without gap or repetition; else the run ends
 * with an error. A payload is '#' four digits of the channel, ten of the number, 'x'... '$'. Frames, chunks
 * and SSE fields contain no '#'.
 */
#include "common.h"
#include <sys/epoll.h>

#define MAX_TOPICS 8
#define MAX_CHANNELS 4096
#define MAX_PUBLISHERS 64
#define HEADER 15
#define MAX_SAMPLES 4000000
#define NAP_US 200
#define STALL_NS 20000000000ull
#define UNKNOWN UINT32_MAX

enum { SUBSCRIBER, PUBLISHER, POSTER };

struct subscriber {
  int fd;
  uint8_t matched, open; /* matched: bytes of \r\n\r\n seen so far */
  uint16_t have;         /* bytes of the payload under way */
  uint16_t channel, left; /* left: messages still to come before it counts as here */
  uint32_t sequence;
  uint64_t began_ns;
  uint32_t next[MAX_TOPICS]; /* the number it must see next in each of its channels */
};

struct publisher {
  int fd, busy, length;
  uint32_t channel;
  char answer[2048];
};

struct channel {
  int subscribers, received, answered, busy;
  uint32_t sequence;
  uint64_t due_ns;
};

static const char *mode = "ws", *subscribe_path = "/ws/%s", *publish_path = "/pub?id=%s";
static const char *channel_name = "c", *extra_field = "";
static int payload_size = 100, epoll_fd, topics = 1, channel_count = 1;
static struct subscriber *subscribers;
static int subscriber_count, arrived, replay_count;
static struct channel channels[MAX_CHANNELS];
static struct publisher publishers[MAX_PUBLISHERS];
static int publisher_count;
static uint32_t *samples_us;
static int sample_count, every_delivery;
static uint64_t messages, deliveries, pings, last_progress;
static unsigned nap_us;

static void watch(int fd, int kind, int index) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                              .data.u64 = (uint64_t)kind << 32 | (uint32_t)index};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

static void measured(uint64_t since_ns) {
  if (sample_count < MAX_SAMPLES) samples_us[sample_count++] = (uint32_t)((now_ns() - since_ns) / 1000);
}

static void finish_if_done(struct channel *c) {
  if (!c->busy || !c->answered || c->received < c->subscribers) return;
  c->busy = 0;
  messages++;
  if (!every_delivery) measured(c->due_ns);
}

static void came(struct subscriber *s) {
  arrived++;
  measured(s->began_ns);
}

static void delivered(struct subscriber *s) {
  int index = (int)(s - subscribers), step = channel_count / topics;
  int away = (s->channel - index % channel_count + channel_count) % channel_count;
  if (away % step) die("subscriber %d read a message of channel %d", index, s->channel);
  uint32_t *next = &s->next[away / step];
  if (*next != UNKNOWN && *next != s->sequence)
    die("subscriber %d, channel %d: message %u where %u is next", index, s->channel, s->sequence, *next);
  *next = s->sequence + 1;
  deliveries++;
  if (s->left > 0) {
    if (--s->left == 0) came(s);
    return;
  }
  struct channel *c = &channels[s->channel];
  if (!c->busy || s->sequence + 1 != c->sequence)
    die("message %u of channel %d is none under way", s->sequence, s->channel);
  c->received++;
  if (every_delivery) measured(c->due_ns);
  finish_if_done(c);
}

static const char *scan_head(struct subscriber *s, const char *p, const char *end) {
  for (; p < end; p++) {
    s->matched = *p == "\r\n\r\n"[s->matched] ? s->matched + 1 : *p == '\r';
    if (s->matched == 4) {
      s->open = 1;
      if (s->left == 0) came(s);
      return p + 1;
    }
  }
  return end;
}

static void scan(struct subscriber *s, const char *p, const char *end) {
  while (p < end) {
    if (!s->open) {
      p = scan_head(s, p, end);
      continue;
    }
    if (s->have == 0 && !(p = memchr(p, '#', (size_t)(end - p)))) return;
    while (p < end && s->have < HEADER) {
      int digit = *p++ - '0';
      if (s->have == 0) s->channel = s->sequence = 0;
      else if (s->have < 5) s->channel = (uint16_t)(s->channel * 10 + digit);
      else s->sequence = s->sequence * 10 + (uint32_t)digit;
      s->have++;
    }
    long rest = payload_size - s->have, room = end - p;
    if (room < rest) {
      s->have += (uint16_t)room;
      return;
    }
    if (p[rest - 1] != '$' || s->channel >= channel_count) die("message %u is damaged", s->sequence);
    p += rest;
    s->have = 0;
    delivered(s);
  }
}

/* RFC 6455 5.5.2: a ping is answered with what it carried; masked with zeros. */
static const char *answer_ping(struct subscriber *s, const char *p, const char *end) {
  int length = p + 1 < end ? p[1] & 127 : 0;
  char pong[6 + 125] = {(char)0x8a, (char)(0x80 | length)};
  if (length > 125 || p + 2 + length > end) die("a ping came in pieces");
  memcpy(pong + 6, p + 2, (size_t)length);
  if (send(s->fd, pong, (size_t)(6 + length), MSG_NOSIGNAL) != 6 + length) die("pong: %s", strerror(errno));
  pings++;
  return p + 2 + length;
}

static void read_subscriber(struct subscriber *s) {
  static char buffer[262144];
  ssize_t n = recv(s->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) die("subscriber %d: closed by the server", (int)(s - subscribers));
  if (!s->open && s->matched == 0 && n > 12 && memcmp(buffer + 9, "200", 3) && memcmp(buffer + 9, "101", 3))
    die("subscriber refused: %.60s", buffer);
  const char *p = buffer;
  while (s->open && s->have == 0 && p < buffer + n && *p == (char)0x89) p = answer_ping(s, p, buffer + n);
  scan(s, p, buffer + n);
  if (n == sizeof buffer) read_subscriber(s);
}

static void publish(struct publisher *p, int index, uint64_t due) {
  static char request[70000];
  char name[64], path[256];
  struct channel *c = &channels[index];
  snprintf(name, sizeof name, "%s%d", channel_name, index);
  fill(path, sizeof path, publish_path, name);
  int n = sprintf(request, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n#%04d%010u",
                  path, payload_size, index, c->sequence);
  memset(request + n, 'x', (size_t)(payload_size - HEADER));
  n += payload_size - HEADER;
  request[n - 1] = '$';
  c->sequence++;
  c->busy = 1;
  c->received = c->answered = 0;
  c->due_ns = due;
  p->busy = 1;
  p->length = 0;
  p->channel = (uint32_t)index;
  if (send(p->fd, request, (size_t)n, MSG_NOSIGNAL) != n) die("publish: %s", strerror(errno));
}

static struct publisher *idle_publisher(void) {
  for (int i = 0; i < publisher_count; i++)
    if (!publishers[i].busy) return &publishers[i];
  if (publisher_count == MAX_PUBLISHERS) return NULL;
  struct publisher *p = &publishers[publisher_count];
  *p = (struct publisher){.fd = dial()};
  watch(p->fd, PUBLISHER, publisher_count++);
  return p;
}

/* True when a whole answer is there. */
static int read_answer(struct publisher *p) {
  ssize_t n = recv(p->fd, p->answer + p->length, sizeof p->answer - 1 - (size_t)p->length, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) die("publisher closed by the server");
  p->length += (int)n;
  p->answer[p->length] = 0;
  return p->busy && answer_complete(p->answer, p->length);
}

static void read_publisher(struct publisher *p) {
  if (!read_answer(p)) return;
  p->busy = 0;
  channels[p->channel].answered = 1;
  finish_if_done(&channels[p->channel]);
}

static struct publisher posters[1024];
static uint64_t post_began[1024];
static uint64_t posts_end_ns;
static int posts_open;

static void begin_post(int i) {
  struct publisher *p = &posters[i];
  post_began[i] = now_ns();
  *p = (struct publisher){.fd = dial()};
  channels[i % channel_count].busy = 0;
  publish(p, i % channel_count, post_began[i]);
  watch(p->fd, POSTER, i);
}

static void read_poster(int i) {
  struct publisher *p = &posters[i];
  if (!read_answer(p)) return;
  close(p->fd);
  messages++;
  measured(post_began[i]);
  if (now_ns() < posts_end_ns) begin_post(i);
  else posts_open--;
}

/* One turn: waits at most `wait_ns`, reads everything that is ready. */
static void turn(uint64_t wait_ns) {
  struct epoll_event ready[1024];
  if (nap_us) usleep(nap_us);
  struct timespec wait = time_spec(wait_ns);
  int n = epoll_pwait2(epoll_fd, ready, 1024, &wait, NULL);
  for (int i = 0; i < n; i++) {
    int index = (int)(uint32_t)ready[i].data.u64, kind = (int)(ready[i].data.u64 >> 32);
    if (kind == PUBLISHER) read_publisher(&publishers[index]);
    else if (kind == POSTER) read_poster(index);
    else read_subscriber(&subscribers[index]);
  }
  if (n > 0 || last_progress == 0) last_progress = now_ns();
  else if (now_ns() - last_progress > STALL_NS) die("nothing came for 20 s");
}

static uint32_t percentile(double share) {
  return sample_count ? samples_us[(int)(share * (sample_count - 1) + 0.5)] : 0;
}

static uint64_t begun_ns, begun_cpu_us;

static void begin(void) {
  sample_count = every_delivery = 0;
  messages = deliveries = pings = last_progress = 0;
  begun_ns = now_ns();
  begun_cpu_us = cpu_us();
}

static void report(void) {
  uint64_t wall = (now_ns() - begun_ns) / 1000, cpu = cpu_us() - begun_cpu_us;
  qsort(samples_us, (size_t)sample_count, sizeof *samples_us, by_value);
  printf("{\"subscribers\":%d,\"messages\":%lu,\"deliveries\":%lu,\"pings\":%lu,"
         "\"wallUs\":%lu,\"cpuUs\":%lu,\"p50Us\":%u,\"p90Us\":%u,"
         "\"p95Us\":%u,\"p99Us\":%u,\"p999Us\":%u,\"maxUs\":%u}\n",
         subscriber_count, messages, deliveries, pings, wall, cpu, percentile(0.5), percentile(0.9),
         percentile(0.95), percentile(0.99), percentile(0.999), percentile(1));
}

static int anything_busy(void) {
  for (int i = 0; i < channel_count; i++)
    if (channels[i].busy) return 1;
  return 0;
}

static void subscribe(int index) {
  char names[600] = "", path[800], request[1600];
  struct subscriber *s = &subscribers[index];
  *s = (struct subscriber){.began_ns = now_ns(), .left = (uint16_t)replay_count};
  s->fd = dial();
  for (int k = 0, n = 0; k < topics; k++) {
    int channel = (index + k * (channel_count / topics)) % channel_count;
    n += snprintf(names + n, sizeof names - (size_t)n, k ? "/%s%d" : "%s%d", channel_name, channel);
    s->next[k] = replay_count ? UNKNOWN : channels[channel].sequence;
    channels[channel].subscribers++;
  }
  fill(path, sizeof path, subscribe_path, names);
  int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s\r\n", path,
                   subscribe_fields(mode), extra_field);
  if (send(s->fd, request, (size_t)n, MSG_NOSIGNAL) != n) die("subscribe: %s", strerror(errno));
  watch(s->fd, SUBSCRIBER, index);
}

static void grow(int target, int in_flight, int behind) {
  if (anything_busy()) die("grow while messages are under way");
  begin();
  replay_count = behind;
  subscribers = realloc(subscribers, sizeof *subscribers * (size_t)target);
  while (subscriber_count < target) {
    subscribe(subscriber_count++);
    while (subscriber_count - arrived >= in_flight) turn(STALL_NS);
  }
  while (arrived < subscriber_count) turn(STALL_NS);
  report();
}

static void shut(void) {
  begin();
  for (int i = 0; i < subscriber_count; i++) close(subscribers[i].fd);
  for (int i = 0; i < channel_count; i++) channels[i].subscribers = 0;
  subscriber_count = arrived = 0;
  report();
}

static void run(uint64_t duration_ns, uint32_t most) {
  uint32_t sent[MAX_CHANNELS] = {0};
  begin();
  nap_us = subscriber_count > 0 ? NAP_US : 0; /* see measure() in swarm.c */
  for (;;) {
    int open = now_ns() - begun_ns < duration_ns, left = 0;
    for (int i = 0; i < channel_count; i++) {
      struct publisher *p;
      left |= channels[i].busy || (open && sent[i] < most);
      if (!open || channels[i].busy || sent[i] >= most || !(p = idle_publisher())) continue;
      publish(p, i, now_ns());
      sent[i]++;
    }
    if (!left) break;
    turn(nap_us ? 0 : STALL_NS);
  }
  nap_us = 0;
  report();
}

static void pace(double hz, uint64_t duration_ns) {
  uint64_t step = (uint64_t)(1e9 / hz), sent = 0;
  begin();
  every_delivery = 1;
  for (;;) {
    uint64_t now = now_ns(), due = begun_ns + sent * step, wait = STALL_NS;
    if (due - begun_ns >= duration_ns) break;
    struct channel *c = &channels[sent % (uint64_t)channel_count];
    struct publisher *p = NULL;
    /* A channel whose last message is on its way waits; that counts, as latency begins when it was due. */
    if (due <= now && !c->busy && (p = idle_publisher()))
      publish(p, (int)(sent++ % (uint64_t)channel_count), due);
    if (due > now) wait = due - now;
    turn(p ? 0 : wait);
  }
  while (anything_busy()) turn(STALL_NS);
  report();
}

static void post(int in_flight, uint64_t duration_ns) {
  if (in_flight > 1024) die("at most 1024 posts in flight");
  begin();
  posts_end_ns = begun_ns + duration_ns;
  for (posts_open = 0; posts_open < in_flight; posts_open++) begin_post(posts_open);
  while (posts_open > 0) turn(STALL_NS);
  for (int i = 0; i < channel_count; i++) channels[i].busy = 0;
  report();
}

static void idle(uint64_t duration_ns) {
  begin();
  for (uint64_t now; (now = now_ns()) - begun_ns < duration_ns; last_progress = now)
    turn(duration_ns - (now - begun_ns));
  report();
}

int main(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!strcmp(name, "--port")) port = atoi(value);
    else if (!strcmp(name, "--mode")) mode = value;
    else if (!strcmp(name, "--subscribe")) subscribe_path = value;
    else if (!strcmp(name, "--publish")) publish_path = value;
    else if (!strcmp(name, "--name")) channel_name = value;
    else if (!strcmp(name, "--channels")) channel_count = atoi(value);
    else if (!strcmp(name, "--topics")) topics = atoi(value);
    else if (!strcmp(name, "--size")) payload_size = atoi(value);
    else if (!strcmp(name, "--block")) source_block = atoi(value);
    else if (!strcmp(name, "--sources")) source_count = atoi(value);
    else if (!strcmp(name, "--field")) asprintf((char **)&extra_field, "%s\r\n", value);
    else die("unknown argument %s", name);
  }
  if (payload_size < 16 || payload_size > 60000) die("--size must be 16 to 60000");
  if (channel_count < 1 || channel_count > MAX_CHANNELS) die("--channels must be 1 to %d", MAX_CHANNELS);
  if (topics < 1 || topics > MAX_TOPICS || channel_count % topics)
    die("--topics must divide --channels, and be 1 to %d", MAX_TOPICS);
  epoll_fd = epoll_create1(0);
  samples_us = malloc(sizeof *samples_us * MAX_SAMPLES);
  char line[128];
  while (fgets(line, sizeof line, stdin)) {
    int count = 0, other = 0, third = 0;
    double hz = 0;
    if (sscanf(line, "grow %d %d", &count, &other) == 2) grow(count, other, 0);
    else if (sscanf(line, "replay %d %d %d", &count, &other, &third) == 3) grow(count, other, third);
    else if (sscanf(line, "store %d", &count) == 1) run(UINT64_MAX, (uint32_t)count);
    else if (sscanf(line, "run %d", &count) == 1) run((uint64_t)count * 1000000, UINT32_MAX);
    else if (sscanf(line, "pace %lf %d", &hz, &count) == 2) pace(hz, (uint64_t)count * 1000000);
    else if (sscanf(line, "post %d %d", &count, &other) == 2) post(count, (uint64_t)other * 1000000);
    else if (sscanf(line, "idle %d", &count) == 1) idle((uint64_t)count * 1000000);
    else if (!strncmp(line, "shut", 4)) shut();
    else die("unknown command %s", line);
    fflush(stdout);
  }
  return 0;
}
