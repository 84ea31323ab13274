/*
 * The race of the row "race": how long after the last byte of a subscribe request a publish on another
 * connection reaches it.
 *
 * Started by load/crowd-client.ts; one command, `race DELAY_US TRIALS`, answered with
 * {"trials","misses","p50Us","p99Us","maxUs"}. With a delay of -1 the publish waits for the first byte of the
 * answer, and the percentiles are of the time until that. A trial has a channel and a subscriber's connection
 * of its own. After the delay message 1 is published over one of 8 publisher connections in turn, so that
 * every worker is asked; while nothing has come, the next follows each 5 ms. A subscriber who first reads
 * another than 1 has missed it: he was not standing yet.
 */
#include "common.h"
#include <poll.h>
#include <sys/prctl.h>

#define PUBLISHERS 8
#define PATIENCE_MS 5
#define MOST_MESSAGES 1000

static const char *mode = "ws", *subscribe_path = "/ws/%s", *publish_path = "/pub?id=%s";
static const char *channel_name = "race";
static int publishers[PUBLISHERS];
static uint64_t trial_number;

static void post(int fd, const char *name, int number) {
  char request[600], path[256], answer[4096];
  int length = 0;
  fill(path, sizeof path, publish_path, name);
  int n = snprintf(request, sizeof request,
                   "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n#%d$", path,
                   snprintf(NULL, 0, "#%d$", number), number);
  if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n) die("publish: %s", strerror(errno));
  do {
    ssize_t got = recv(fd, answer + length, sizeof answer - 1 - (size_t)length, 0);
    if (got <= 0) die("publisher closed by the server");
    length += (int)got;
    answer[length] = 0;
  } while (!answer_complete(answer, length));
}

struct reading {
  char text[8192];
  int length;
  uint64_t first_ns;
};

/* The number of the first message that is whole in the text; 0: none. Neither heads nor frames have '#'. */
static int first_message(const struct reading *r) {
  const char *p = memchr(r->text, '#', (size_t)r->length), *end = r->text + r->length;
  return p && memchr(p, '$', (size_t)(end - p)) ? atoi(p + 1) : 0;
}

/* Reads on until there is a message or the time is over. */
static int await_message(int fd, struct reading *r, int for_ms) {
  uint64_t end = now_ns() + (uint64_t)for_ms * 1000000;
  for (;;) {
    if (first_message(r)) return 1;
    uint64_t now = now_ns();
    if (now >= end) return 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct timespec wait = time_spec(end - now);
    if (ppoll(&ready, 1, &wait, NULL) <= 0) continue;
    ssize_t n = recv(fd, r->text + r->length, sizeof r->text - (size_t)r->length, 0);
    if (n <= 0) die("a subscriber was closed without a message: %.*s", r->length, r->text);
    if (!r->first_ns) r->first_ns = now_ns();
    r->length += (int)n;
  }
}

/* True when message 1 was missed. `head_ns`: when the answer's first byte came, if before the message. */
static int trial(int delay_us, uint64_t *head_ns) {
  static struct reading r;
  char name[64], path[256], request[800];
  int fd = dial(), publisher = publishers[trial_number % PUBLISHERS];
  snprintf(name, sizeof name, "%s%lu", channel_name, trial_number++);
  fill(path, sizeof path, subscribe_path, name);
  int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", path,
                   subscribe_fields(mode));
  r.length = 0;
  r.first_ns = 0;
  if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n) die("subscribe: %s", strerror(errno));
  uint64_t sent = now_ns();
  struct timespec due = {.tv_sec = (time_t)((sent + (uint64_t)delay_us * 1000) / 1000000000ull),
                         .tv_nsec = (long)((sent + (uint64_t)delay_us * 1000) % 1000000000ull)};
  if (delay_us < 0) {
    if ((n = (int)recv(fd, r.text, sizeof r.text, 0)) <= 0) die("a subscriber was closed without a head");
    r.first_ns = now_ns();
    r.length = n;
  }
  if (delay_us > 0) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
  int number = 0;
  do {
    if (number == MOST_MESSAGES) die("a subscriber got none of %d messages: %.*s", number, r.length, r.text);
    post(publisher, name, ++number);
  } while (!await_message(fd, &r, PATIENCE_MS));
  *head_ns = r.first_ns > sent ? r.first_ns - sent : 0;
  close(fd);
  return first_message(&r) != 1;
}

static void race(int delay_us, int trials) {
  uint32_t *heads = malloc(sizeof *heads * (size_t)trials);
  int misses = 0;
  for (int i = 0; i < trials; i++) {
    uint64_t head = 0;
    misses += trial(delay_us, &head);
    heads[i] = (uint32_t)(head / 1000);
  }
  qsort(heads, (size_t)trials, sizeof *heads, by_value);
  printf("{\"trials\":%d,\"misses\":%d,\"p50Us\":%u,\"p99Us\":%u,\"maxUs\":%u}\n", trials, misses,
         heads[trials / 2], heads[trials * 99 / 100], heads[trials - 1]);
  free(heads);
}

int main(int argc, char **argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (!strcmp(name, "--port")) port = atoi(value);
    else if (!strcmp(name, "--mode")) mode = value;
    else if (!strcmp(name, "--subscribe")) subscribe_path = value;
    else if (!strcmp(name, "--publish")) publish_path = value;
    else if (!strcmp(name, "--name")) channel_name = value;
    else die("unknown argument %s", name);
  }
  prctl(PR_SET_TIMERSLACK, 1); /* the delays are shorter than the default slack of timers lets them be */
  source_count = 8;
  for (int i = 0; i < PUBLISHERS; i++) publishers[i] = dial();
  char line[128];
  while (fgets(line, sizeof line, stdin)) {
    int delay = 0, trials = 0;
    if (sscanf(line, "race %d %d", &delay, &trials) != 2) die("unknown command %s", line);
    race(delay, trials);
    fflush(stdout);
  }
  return 0;
}
