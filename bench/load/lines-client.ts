// Load of the row "lines": so many requests at a time, each followed by the next, until all are answered;
// every body is checked. `bun bench/load/lines-client.ts PORT PATH CONCURRENT REQUESTS BODY_BYTES LINES`;
// prints JSON.

const [port = "0", path = "/lines", concurrent = "500", requests = "2000", bodyBytes = "56", lines = "4"] =
  process.argv.slice(2);
const REQUEST = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const LAST_CHUNK = "0\r\n\r\n";
const CONNECT_BATCH = 200;

let begun = 0;
let done = 0;
let failed = 0;
const over = Promise.withResolvers<void>();

class Client {
  /** Resolves with the first bytes of the first answer. */
  readonly answered = Promise.withResolvers<void>();
  #text = "";

  send(socket: Bun.Socket<undefined>): void {
    if (begun >= Number(requests)) {
      socket.end();
      return;
    }
    begun++;
    this.#text = "";
    socket.write(REQUEST);
  }

  heard(socket: Bun.Socket<undefined>, bytes: Buffer): void {
    this.answered.resolve();
    this.#text += bytes.toString("latin1");
    if (!this.#text.endsWith(LAST_CHUNK)) return;
    if (!isGood(this.#text)) failed++;
    this.#count();
    this.send(socket);
  }

  lost(): void {
    if (this.#text === "" || this.#text.endsWith(LAST_CHUNK)) return;
    failed++;
    this.#count();
  }

  #count(): void {
    done++;
    if (done >= Number(requests)) over.resolve();
  }
}

/** The whole body, cut into as many chunks as it has lines. */
function isGood(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  const chunks = text
    .slice(end + 4)
    .split(/[0-9a-f]+\r\n/)
    .filter((chunk) => chunk.length > 2);
  const body = chunks.map((chunk) => chunk.slice(0, -2)).join("");
  return (
    text.startsWith("HTTP/1.1 200") && body.length === Number(bodyBytes) && chunks.length === Number(lines)
  );
}

/**
 * The next batch comes when this one is served: connections beyond the server's backlog would cost them a
 * second each.
 */
async function connectOne(): Promise<void> {
  const client = new Client();
  await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      open: (socket) => client.send(socket),
      data: (socket, bytes) => client.heard(socket, bytes),
      close: () => client.lost(),
      error: () => client.lost(),
    },
  });
  await client.answered.promise;
}

const cpu = process.cpuUsage();
const startMs = performance.now();
for (let i = 0; i < Number(concurrent); i += CONNECT_BATCH) {
  const batch = Math.min(CONNECT_BATCH, Number(concurrent) - i);
  await Promise.all(Array.from({ length: batch }, connectOne));
}
await over.promise;
const wallMs = performance.now() - startMs;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ done, failed, wallMs, cpuUs: user + system }));
process.exit(0);
