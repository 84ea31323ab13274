// Load of the row "answers": so many streams at once, each read to its last word. `bun
// bench/load/tokens-client.ts PORT PATH STREAMS TOKENS`, where "#" in the path is the stream's number; prints
// JSON.

const [port = "0", path = "/tokens", streams = "500", tokens = "100"] = process.argv.slice(2);
const CONNECT_BATCH = 100;
const LAST = Buffer.from("event: end");
const TOKEN = "data: token";

let done = 0;
let failed = 0;
let received = 0;
const over = Promise.withResolvers<void>();

class Client {
  #tokens = 0;
  #isOver = false;

  heard(socket: Bun.Socket<undefined>, bytes: Buffer): void {
    for (let at = bytes.indexOf(TOKEN); at >= 0; at = bytes.indexOf(TOKEN, at + 1)) this.#tokens++;
    if (!bytes.includes(LAST)) return;
    received += this.#tokens;
    this.#end(this.#tokens === Number(tokens));
    socket.end();
  }

  lost(): void {
    this.#end(false);
  }

  #end(isGood: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!isGood) failed++;
    if (++done >= Number(streams)) over.resolve();
  }
}

async function connect(number: number): Promise<void> {
  const client = new Client();
  await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      open: (socket) =>
        void socket.write(`GET ${path.replace("#", String(number))} HTTP/1.1\r\nHost: x\r\n\r\n`),
      data: (socket, bytes) => client.heard(socket, bytes),
      close: () => client.lost(),
      error: () => client.lost(),
    },
  });
}

const startMs = performance.now();
for (let from = 0; from < Number(streams); from += CONNECT_BATCH) {
  const batch = Math.min(CONNECT_BATCH, Number(streams) - from);
  await Promise.all(Array.from({ length: batch }, (_, at) => connect(from + at)));
}
await over.promise;
console.log(JSON.stringify({ done, failed, received, wallMs: performance.now() - startMs }));
process.exit(0);
