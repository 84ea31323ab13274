// Load of the row "connects" with TLS: connects, subscribes, waits for the first byte of the answer, and
// closes, so many at a time. `bun bench/load/tls-connects.ts PORT PATH TRANSPORT COUNT IN_FLIGHT`; prints
// JSON. Each handshake is a full one. A handshake costs a client in this process about what it costs a
// server, so the row sets server CPU against connections, not the clock.
import { TRANSPORT_FIELDS } from "./request-fields.ts";

const [port = "0", path = "/", transport = "ws", count = "1000", inFlight = "64"] = process.argv.slice(2);
const REQUEST = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${TRANSPORT_FIELDS[transport] ?? ""}\r\n`;

let begun = 0;
let done = 0;

async function connectOne(): Promise<void> {
  const answered = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    tls: { rejectUnauthorized: false },
    socket: {
      handshake(own) {
        own.write(REQUEST);
      },
      data(_, bytes) {
        const status = bytes.toString("latin1", 9, 12);
        if (status === "101" || status === "200") answered.resolve();
        else answered.reject(new Error(`refused: ${bytes.toString("latin1", 0, 60)}`));
      },
      close: () => answered.reject(new Error("closed by the server")),
      error: (_, error) => answered.reject(error),
    },
  });
  await answered.promise;
  done++;
  socket.end();
}

async function connectMany(): Promise<void> {
  while (begun < Number(count)) {
    begun++;
    await connectOne();
  }
}

const cpu = process.cpuUsage();
const startMs = performance.now();
await Promise.all(Array.from({ length: Number(inFlight) }, connectMany));
const wallMs = performance.now() - startMs;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ connects: done, wallMs, cpuUs: user + system }));
process.exit(0);
