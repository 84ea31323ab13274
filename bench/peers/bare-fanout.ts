// The floor of a delivery on the runtime's own HTTP server: a POST's body is handed to every WebSocket by one
// native publish, and to every held stream by one write. No channels, no store. Started by peers/bare.ts.
// `bun bench/peers/bare-fanout.ts PORT`.

interface Sink {
  write(bytes: Uint8Array): unknown;
}

const TOPIC = "all";
const sinks: Sink[] = [];
const waiting: Uint8Array[] = [];

const held = (): ReadableStream =>
  new ReadableStream({
    type: "direct",
    pull(sink) {
      sinks.push(sink);
      // The head leaves with the first byte.
      sink.write("\n");
      return new Promise<void>(() => undefined);
    },
  });

/** Behind the answers of the turn, as sluice does it. */
function deliver(): void {
  for (const body of waiting.splice(0)) {
    server.publish(TOPIC, new TextDecoder().decode(body));
    for (const sink of sinks) sink.write(body);
  }
}

const server = Bun.serve({
  port: Number(process.argv[2]),
  hostname: "127.0.0.1",
  idleTimeout: 0,
  async fetch(request, own) {
    if (request.headers.has("upgrade"))
      return own.upgrade(request) ? undefined : new Response("", { status: 400 });
    if (request.method === "GET") return new Response(held());
    waiting.push(await request.bytes());
    if (waiting.length === 1) setImmediate(deliver);
    return new Response("ok\n");
  },
  websocket: {
    open: (socket) => void socket.subscribe(TOPIC),
    message: () => undefined,
  },
});
