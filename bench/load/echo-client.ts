// Load of the row "echo": sockets that each have one message under way, for a while. Frames are made once and
// only counted when they come back, so that this process is cheaper than the server. `bun
// bench/load/echo-client.ts PORT PATH SOCKETS MS`; prints JSON.
import { WEBSOCKET_FIELDS } from "./request-fields.ts";

const [port = "0", path = "/echo", sockets = "64", forMs = "1000"] = process.argv.slice(2);
const PAYLOAD_BYTES = 100;
const ECHO_BYTES = PAYLOAD_BYTES + 2;
const HEAD_END = "\r\n\r\n";

const frame = Buffer.alloc(PAYLOAD_BYTES + 6, "x");
frame.set([0x81, 0x80 | PAYLOAD_BYTES, 0, 0, 0, 0]);

let echoes = 0;
let isOver = false;

function connectOne(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let head = "";
  let got = 0;
  void Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      open(socket) {
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${WEBSOCKET_FIELDS}\r\n`);
      },
      data(socket, bytes) {
        if (head !== "open") {
          head += bytes.toString("latin1");
          if (!head.endsWith(HEAD_END)) return;
          if (!head.startsWith("HTTP/1.1 101")) throw new Error(`no upgrade: ${head}`);
          head = "open";
          resolve();
          return;
        }
        got += bytes.length;
        if (got < ECHO_BYTES) return;
        got -= ECHO_BYTES;
        echoes++;
        if (!isOver) socket.write(frame);
      },
    },
  }).then((socket) => {
    all.push(socket);
  });
  return promise;
}

const all: Bun.Socket<undefined>[] = [];
for (let i = 0; i < Number(sockets); i++) await connectOne();
const cpu = process.cpuUsage();
const startMs = performance.now();
for (const socket of all) socket.write(frame);
await Bun.sleep(Number(forMs));
const wallMs = performance.now() - startMs;
const messages = echoes;
isOver = true;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ messages, wallMs, cpuUs: user + system }));
process.exit(0);
