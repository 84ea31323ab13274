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
#define FIRST_ROOM 8192 /* of a request: grows to what its Content-Length says */
#define MAX_REQUEST 4000000

/* One message as it goes over the wire. Kept only while a socket has not taken all of it. */
struct frame {
  int references, length;
  char bytes[];
};

struct connection {
  char *request; /* bytes of a request that is not complete yet; freed once the socket is a subscriber */
  int length, room;
  struct frame *rest; /* what the socket has not taken, from `sent` on */
  int sent;
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

static void release(struct frame *frame) {
  if (--frame->references == 0) free(frame);
}

static void drop(int fd) {
  struct connection *c = &connections[fd];
  if (c->rest) release(c->rest);
  c->rest = NULL;
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
  static const char head_ws[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
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

static void watch_writable(int fd, int wanted) {
  struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event)) die("epoll_ctl");
}

/* Hands over what the socket takes of its rest. Messages of 100 bytes go in one send; one of a megabyte takes
   several turns. */
static void push(int fd) {
  struct connection *c = &connections[fd];
  ssize_t n = send(fd, c->rest->bytes + c->sent, c->rest->length - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0 && errno != EAGAIN) n = c->rest->length; /* it is gone: reading will tell */
  if (n > 0) c->sent += (int)n;
  if (c->sent < c->rest->length) return;
  release(c->rest);
  c->rest = NULL;
}

/* One frame for all, one send(2) for each: the loop whose cost is the figure. All speak one transport. */
static void broadcast(const char *body, int length) {
  if (subscriber_count == 0) return;
  struct frame *frame = malloc(sizeof *frame + length + 32);
  char *p = frame->bytes;
  int n = 0, websocket = connections[subscribers[0]].websocket;
  if (websocket) {
    p[n++] = (char)0x81;
    if (length < 126) {
      p[n++] = (char)length;
    } else if (length < 65536) {
      p[n++] = 126;
      p[n++] = (char)(length >> 8);
      p[n++] = (char)length;
    } else {
      p[n++] = 127;
      for (int shift = 56; shift >= 0; shift -= 8) p[n++] = (char)((unsigned long)length >> shift);
    }
  } else {
    n = sprintf(p, "%x\r\n", length);
  }
  memcpy(p + n, body, length);
  n += length;
  if (!websocket) {
    p[n++] = '\r';
    p[n++] = '\n';
  }
  frame->length = n;
  frame->references = 1;
  for (int i = 0; i < subscriber_count; i++) {
    struct connection *c = &connections[subscribers[i]];
    /* More than one send a message would make the figure a lie. */
    if (c->rest) die("a reader lags by a message");
    c->rest = frame;
    c->sent = 0;
    frame->references++;
    push(subscribers[i]);
    if (c->rest) watch_writable(subscribers[i], 1);
  }
  release(frame);
}

/* Takes one complete request off the front of the buffer. 0: not complete, or the socket is a subscriber. */
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
  if (head + body > MAX_REQUEST) die("a request is too large");
  if (head + body > c->room) c->request = realloc(c->request, c->room = head + body);
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
  int room = c->request ? c->room - c->length : (int)sizeof scrap;
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

static void on_ready(int fd, unsigned events) {
  struct connection *c = &connections[fd];
  if (c->rest && events & EPOLLOUT) {
    push(fd);
    if (!c->rest) watch_writable(fd, 0);
  }
  if (events & ~EPOLLOUT) on_readable(fd);
}

static void on_accept(int listener) {
  for (;;) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (fd >= MAX_FD) die("too many descriptors");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[fd] = (struct connection){.request = malloc(FIRST_ROOM), .room = FIRST_ROOM, .place = -1};
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
      else on_ready(ready[i].data.fd, ready[i].events);
    }
  }
}
