/*
 * The ceiling: the least a server can do to push one message to N sockets on this machine.
 *
 * Speaks just enough HTTP to look like a push server to the load generator: a GET is answered with a chunked
 * head (or 101 when it asks for an upgrade) and the socket joins the list; a POST's body is framed once and
 * handed to every socket of the list with one send(2) each. No channels, no store, no queue, no coalescing:
 * 16 publishes in flight are 16 rounds of sends. Started by peers/ceiling.ts; `ceiling PORT` listens on
 * 127.0.0.1 until it is killed. What it spends per delivery is what the kernel asks for one send.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD 65536
#define MAX_REQUEST 8192

struct connection {
  char *request; /* bytes of a request that is not complete yet; freed once the socket is a subscriber */
  int length;
  int place; /* index in subscribers[], -1 = none */
  int websocket;
};

static struct connection connections[MAX_FD];
static int subscribers[MAX_FD];
static int subscriber_count;
static int epoll_fd;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void drop(int fd) {
  struct connection *c = &connections[fd];
  if (c->place >= 0) {
    int last = subscribers[--subscriber_count];
    subscribers[c->place] = last;
    connections[last].place = c->place;
    c->place = -1;
  }
  free(c->request);
  c->request = NULL;
  close(fd);
}

static void join(int fd, int websocket) {
  /* The accept key belongs to the sample nonce of RFC 6455 section 1.3, the one key the generator sends. */
  static const char head_ws[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  static const char head_stream[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
  struct connection *c = &connections[fd];
  const char *head = websocket ? head_ws : head_stream;
  c->websocket = websocket;
  c->place = subscriber_count;
  subscribers[subscriber_count++] = fd;
  free(c->request);
  c->request = NULL;
  if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0) die("send head");
}

/* One frame for all, one send(2) for each: the loop whose cost is the figure. All subscribers speak one transport. */
static void broadcast(const char *body, int length) {
  static char frame[MAX_REQUEST + 32];
  int n = 0;
  if (subscriber_count == 0) return;
  if (connections[subscribers[0]].websocket) {
    frame[n++] = (char)0x81;
    if (length < 126) {
      frame[n++] = (char)length;
    } else {
      frame[n++] = 126;
      frame[n++] = (char)(length >> 8);
      frame[n++] = (char)length;
    }
  } else {
    n = sprintf(frame, "%x\r\n", length);
  }
  memcpy(frame + n, body, length);
  n += length;
  if (!connections[subscribers[0]].websocket) {
    frame[n++] = '\r';
    frame[n++] = '\n';
  }
  for (int i = 0; i < subscriber_count; i++) {
    if (send(subscribers[i], frame, n, MSG_NOSIGNAL | MSG_DONTWAIT) != n && errno != EPIPE && errno != ECONNRESET)
      die("send message"); /* a full buffer would make the figure a lie */
  }
}

/* Takes one complete request off the front of the buffer. 0 = not complete, or the socket is a subscriber now. */
static int take_request(int fd) {
  static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  struct connection *c = &connections[fd];
  char *end = memmem(c->request, c->length, "\r\n\r\n", 4);
  if (!end) return 0;
  int head = (int)(end - c->request) + 4, body = 0;
  if (!memcmp(c->request, "GET ", 4)) {
    *end = 0;
    join(fd, strcasestr(c->request, "\r\nUpgrade:") != NULL);
    return 0;
  }
  *end = 0;
  char *field = strcasestr(c->request, "\r\nContent-Length:");
  if (field) body = atoi(field + 17);
  *end = '\r';
  if (c->length < head + body) return 0;
  broadcast(c->request + head, body);
  if (send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL) < 0) die("send answer");
  c->length -= head + body;
  memmove(c->request, c->request + head + body, c->length);
  return c->length > 0;
}

static void on_readable(int fd) {
  struct connection *c = &connections[fd];
  char scrap[512];
  int room = c->request ? MAX_REQUEST - c->length : (int)sizeof scrap;
  ssize_t n = recv(fd, c->request ? c->request + c->length : scrap, room, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    drop(fd);
    return;
  }
  if (!c->request) return; /* a subscriber has nothing to say */
  c->length += (int)n;
  while (take_request(fd)) continue;
}

static void on_accept(int listener) {
  for (;;) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= MAX_FD) die("too many descriptors");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[fd] = (struct connection){.request = malloc(MAX_REQUEST), .place = -1};
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fputs("usage: ceiling PORT\n", stderr);
    return 2;
  }
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address)) die("bind");
  if (listen(listener, 4096)) die("listen");
  signal(SIGPIPE, SIG_IGN);
  epoll_fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[512];
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int n = epoll_wait(epoll_fd, ready, 512, -1);
    for (int i = 0; i < n; i++) {
      if (ready[i].data.fd == listener) on_accept(listener);
      else on_readable(ready[i].data.fd);
    }
  }
}
