// One connection that publishes for so long: batches of 100 messages, one request after the other, or publish
// frames over a WebSocket with 256 in flight. `bun bench/load/publish-client.ts PORT batch|frames
// MILLISECONDS`; prints JSON. All bytes are made beforehand.
import { WEBSOCKET_FIELDS } from "./request-fields.ts";

const [port = "0", kind = "batch", forMs = "1000"] = process.argv.slice(2);
const LINES = 100;
const IN_FLIGHT = 256;
const DATA = "x".repeat(100);

let messages = 0;
const cpu = process.cpuUsage();
const startMs = performance.now();
const isOver = (): boolean => performance.now() - startMs >= Number(forMs);
const over = Promise.withResolvers<void>();

interface Talk {
  open(socket: Bun.Socket<undefined>): void;
  data(socket: Bun.Socket<undefined>, bytes: Buffer): void;
}

/** What the kernel did not take at once leaves when it does. */
let unsent = Buffer.alloc(0);
function write(socket: Bun.Socket<undefined>, bytes: Buffer): void {
  const all = unsent.length === 0 ? bytes : Buffer.concat([unsent, bytes]);
  const sent = Math.max(0, socket.write(all));
  unsent = sent === all.length ? Buffer.alloc(0) : Buffer.from(all.subarray(sent));
}

function batches(): Talk {
  const body = `${JSON.stringify({ channel: "batches", data: DATA })}\n`.repeat(LINES);
  const head =
    "POST /pub HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n" +
    `Content-Length: ${body.length}\r\n\r\n`;
  const request = Buffer.from(head + body);
  let left = -1;
  let text = "";
  return {
    open: (socket) => write(socket, request),
    data(socket, bytes) {
      if (left < 0) {
        text += bytes.toString("latin1");
        const end = text.indexOf("\r\n\r\n");
        if (end < 0) return;
        if (!text.startsWith("HTTP/1.1 200")) throw new Error(text);
        left = Number(/content-length: (\d+)/i.exec(text)?.[1]) - (text.length - end - 4);
      } else left -= bytes.length;
      if (left > 0) return;
      left = -1;
      text = "";
      messages += LINES;
      if (isOver()) over.resolve();
      else write(socket, request);
    },
  };
}

/** Masked with zeros, which is a mask. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126
      ? [0x81, 0x80 | payload.length]
      : [0x81, 0xfe, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
}

function frames(): Talk {
  const frames = Array.from({ length: IN_FLIGHT }, (_, ref) =>
    frame(JSON.stringify({ kind: "publish", ref, channel: "frames", data: DATA })),
  );
  const protocol = "Sec-WebSocket-Protocol: sluice.json.v1\r\n";
  const handshake = `GET /ws/frames HTTP/1.1\r\nHost: x\r\n${WEBSOCKET_FIELDS}${protocol}\r\n`;
  let held: Buffer = Buffer.alloc(0);
  let isUp = false;
  return {
    open: (socket) => write(socket, Buffer.from(handshake)),
    data(socket, bytes) {
      held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      if (!isUp) {
        const end = held.indexOf("\r\n\r\n");
        if (end < 0) return;
        held = held.subarray(end + 4);
        isUp = true;
        write(socket, Buffer.concat(frames));
      }
      const answered: Buffer[] = [];
      let at = 0;
      while (held.length - at >= 4) {
        const short = held[at + 1] ?? 0;
        const head = short < 126 ? 2 : 4;
        const end = at + head + (short < 126 ? short : held.readUInt16BE(at + 2));
        if (end > held.length) break;
        // Its own messages come back to it as well.
        if (held.indexOf('"kind":"published"', at) === at + head + 1) {
          answered.push(frames[messages++ % IN_FLIGHT] ?? held);
        }
        at = end;
      }
      held = Buffer.from(held.subarray(at));
      if (isOver()) over.resolve();
      else if (answered.length > 0) write(socket, Buffer.concat(answered));
    },
  };
}

const talk = kind === "batch" ? batches() : frames();
await Bun.connect({
  hostname: "127.0.0.1",
  port: Number(port),
  socket: {
    open: (socket) => talk.open(socket),
    data: (socket, bytes) => talk.data(socket, bytes),
    drain: (socket) => write(socket, Buffer.alloc(0)),
    close: () => over.reject(new Error("the server has closed the connection")),
    error: (_, error) => over.reject(error),
  },
});
await over.promise;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ messages, wallMs: performance.now() - startMs, cpuUs: user + system }));
process.exit(0);
