// The ceiling where there is no C compiler: the same least of a push server on Bun's bare socket loop, no
// HTTP server, no store. Started by peers/ceiling.ts as `bun ceiling-bun.ts PORT`. Dearer per send than
// ceiling.c, so the table's ratio to it flatters; the notes say which ceiling was used.

const WEBSOCKET_HEAD =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const STREAM_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

interface Connection {
  pending: Buffer;
  websocket: boolean;
}

const subscribers = new Set<Bun.Socket<Connection>>();

/** Bytes on the wire for one message; bodies of the bench are shorter than 64 KiB. */
function frame(body: Buffer, websocket: boolean): Buffer {
  if (!websocket)
    return Buffer.from(`${body.length.toString(16)}\r\n${body.toString("latin1")}\r\n`, "latin1");
  const head = body.length < 126 ? [0x81, body.length] : [0x81, 126, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from(head), body]);
}

function broadcast(body: Buffer): void {
  let bytes: Buffer | null = null;
  for (const socket of subscribers) {
    bytes ??= frame(body, socket.data.websocket);
    if (socket.write(bytes) !== bytes.length)
      throw new Error("a socket buffer is full: the figure would be a lie");
  }
}

/** Takes one complete request off the front; false when there is none. */
function takeRequest(socket: Bun.Socket<Connection>): boolean {
  const { pending } = socket.data;
  const end = pending.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const head = pending.toString("latin1", 0, end);
  if (head.startsWith("GET ")) {
    socket.data = { pending: Buffer.alloc(0), websocket: /\r\nUpgrade:/i.test(head) };
    socket.write(socket.data.websocket ? WEBSOCKET_HEAD : STREAM_HEAD);
    subscribers.add(socket);
    return false;
  }
  const length = Number(/\r\nContent-Length: *(\d+)/i.exec(head)?.[1] ?? 0);
  if (pending.length < end + 4 + length) return false;
  broadcast(pending.subarray(end + 4, end + 4 + length));
  socket.write(ANSWER);
  socket.data.pending = pending.subarray(end + 4 + length);
  return true;
}

Bun.listen<Connection>({
  hostname: "127.0.0.1",
  port: Number(Bun.argv[2]),
  socket: {
    open(socket) {
      socket.data = { pending: Buffer.alloc(0), websocket: false };
    },
    data(socket, bytes) {
      socket.data.pending = Buffer.concat([socket.data.pending, bytes]);
      while (takeRequest(socket));
    },
    close(socket) {
      subscribers.delete(socket);
    },
  },
});
