/*
 * What the load generators share: time, CPU, sockets from several loopback addresses, percentiles, and the
 * one way to fail (an answer with "error"). Included by swarm.c, crowd.c and race.c; each is one translation
 * unit, so everything here is static.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

static int port;
/* Own addresses to connect from: 127.1.BLOCK.1 and so many more. One address has 28,000 ports towards one
   server. 0: the kernel's choice. */
static int source_block = 1, source_count;

UNUSED static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

UNUSED static struct timespec time_spec(uint64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / 1000000000ull), .tv_nsec = (long)(ns % 1000000000ull)};
}

UNUSED static void die(const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  for (char *p = text; *p; p++)
    if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ' || (unsigned char)*p > '~') *p = '\'';
  printf("{\"error\":\"%s\"}\n", text);
  fflush(stdout);
  exit(1);
}

UNUSED static int dial(void) {
  static unsigned dialled;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  if (source_count > 0) {
    struct sockaddr_in own = {.sin_family = AF_INET};
    unsigned first = 0x7f010000u + ((unsigned)source_block << 8) + 1;
    own.sin_addr.s_addr = htonl(first + dialled++ % (unsigned)source_count);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&own, sizeof own)) die("bind: %s", strerror(errno));
  }
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

UNUSED static uint64_t cpu_us(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000ull +
         (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

UNUSED static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

/* `text` with its first "%s" replaced. */
UNUSED static void fill(char *out, size_t room, const char *text, const char *name) {
  const char *at = strstr(text, "%s");
  if (!at) snprintf(out, room, "%s", text);
  else snprintf(out, room, "%.*s%s%s", (int)(at - text), text, name, at + 2);
}

/* What a subscriber says after its request line and Host. */
UNUSED static const char *subscribe_fields(const char *mode) {
  if (!strcmp(mode, "sse")) return "Accept: text/event-stream\r\n";
  if (!strcmp(mode, "longpoll")) return "";
  if (!strcmp(mode, "ws"))
    return "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  return "TE: chunked\r\n"; /* Nchan streams chunks only to those who ask */
}

/* Whether `answer`, ended by a zero byte, is a whole answer by Content-Length or by its last chunk. Dies when
   it is no 2xx. */
UNUSED static int answer_complete(char *answer, int length) {
  char *end = strstr(answer, "\r\n\r\n");
  if (!end) return 0;
  if (answer[9] != '2') die("publish refused: %.60s", answer);
  *end = 0;
  char *field = strcasestr(answer, "\r\nContent-Length:");
  *end = '\r';
  if (field) return length >= (end - answer) + 4 + atoi(field + 17);
  return !memcmp(answer + 9, "204", 3) || (length > 5 && !memcmp(answer + length - 5, "0\r\n\r\n", 5));
}
