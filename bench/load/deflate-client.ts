// So many WebSockets of one channel, that offer permessage-deflate or do not, and somebody who publishes 2 kB
// of JSON again and again, each when all have the last. `bun bench/load/deflate-client.ts PORT PATH SOCKETS
// offer|plain MILLISECONDS`; prints JSON with the bytes that came.
import { WEBSOCKET_FIELDS } from "./request-fields.ts";

const [port = "0", path = "/ws", sockets = "1000", wish = "plain", forMs = "1000"] = process.argv.slice(2);
const CONNECT_BATCH = 100;
const MESSAGE = JSON.stringify(
  Array.from({ length: 24 }, (_, at) => ({
    id: at * 7919,
    user: `user${(at * 31) % 97}`,
    text: "somebody said so",
    at: 1.7e9 + at,
  })),
);
const OFFER = wish === "offer" ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "";
const REQUEST = `GET ${path}/deflate HTTP/1.1\r\nHost: x\r\n${WEBSOCKET_FIELDS}${OFFER}\r\n`;

let frames = 0;
let bytesCame = 0;
let wanted = 0;
let arrived = Promise.withResolvers<void>();

class Client {
  readonly up = Promise.withResolvers<void>();
  #isUp = false;
  #left = 0;

  heard(bytes: Buffer): void {
    if (!this.#isUp) {
      const isAgreed = bytes.includes("permessage-deflate");
      if (isAgreed !== (wish === "offer")) throw new Error("it was agreed on otherwise");
      this.#isUp = true;
      this.up.resolve();
      return;
    }
    bytesCame += bytes.length;
    let at = 0;
    while (at < bytes.length) {
      if (this.#left === 0) {
        // A head never stands alone here: every frame leaves in one piece, and fits into it.
        const short = bytes[at + 1] ?? 0;
        this.#left = short < 126 ? 2 + short : 4 + bytes.readUInt16BE(at + 2);
      }
      const step = Math.min(this.#left, bytes.length - at);
      this.#left -= step;
      at += step;
      if (this.#left === 0 && ++frames === wanted) arrived.resolve();
    }
  }
}

async function connect(): Promise<void> {
  const client = new Client();
  await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: { open: (socket) => void socket.write(REQUEST), data: (_, bytes) => client.heard(bytes) },
  });
  await client.up.promise;
}

for (let made = 0; made < Number(sockets); made += CONNECT_BATCH)
  await Promise.all(Array.from({ length: Math.min(CONNECT_BATCH, Number(sockets) - made) }, connect));
console.error("ready");
for await (const _ of Bun.stdin.stream()) break;

const cpu = process.cpuUsage();
const startMs = performance.now();
let messages = 0;
while (performance.now() - startMs < Number(forMs)) {
  arrived = Promise.withResolvers();
  wanted = ++messages * Number(sockets);
  const answer = await fetch(`http://127.0.0.1:${port}/pub?id=deflate`, { method: "POST", body: MESSAGE });
  if (answer.status !== 200) throw new Error(`a publish was answered ${answer.status}`);
  await arrived.promise;
}
const { user, system } = process.cpuUsage(cpu);
const wallMs = performance.now() - startMs;
console.log(
  JSON.stringify({
    messages,
    deliveries: frames,
    bytes: bytesCame,
    messageBytes: MESSAGE.length,
    wallMs,
    cpuUs: user + system,
  }),
);
process.exit(0);
