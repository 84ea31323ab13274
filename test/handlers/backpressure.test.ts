/**
 * A generator is not resumed faster than its client reads, and a slow one costs no memory. Raw bytes of the
 * compiled binary.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { ask } from "../binary/raw-client.ts";
import { until } from "../binary/running-server.ts";
import { keepsLess, ownBytes } from "../process-memory.ts";
import { handlerLocations, startHandlers, workerPids } from "./handler-server.ts";

setDefaultTimeout(60_000);

const PIECE_BYTES = 1024;
const FILES = {
  "pieces.ts": `
    const yielded = new Map<string, number>();
    let closed = 0;
    export default async function* ({ query }) {
      if (query.has("count")) {
        yield JSON.stringify({ yielded: yielded.get(query.get("count")) ?? 0, closed });
        return;
      }
      const name = query.get("name"), piece = "x".repeat(${PIECE_BYTES - 1}) + "\\n";
      try {
        for (let i = 0; i < Number(query.get("n")); i++) { yielded.set(name, i + 1); yield piece; }
      } finally { closed++; }
    }`,
};

/** A client that reads only when it is told to. */
class Reader {
  received = 0;
  ended = false;
  readonly socket: Socket;

  constructor(port: number, path: string) {
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.on("error", () => {
      this.ended = true;
    });
    this.socket.on("close", () => {
      this.ended = true;
    });
    this.socket.pause();
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  }

  readAll(): void {
    this.socket.on("data", (data) => {
      this.received += data.length;
    });
    this.socket.resume();
  }
}

describe.each(["native", "wire"] as const)("%s listener", (listener) => {
  test("it stands still while nobody reads, and goes on when somebody does", async () => {
    const server = await startHandlers(
      { workers: 1, listener },
      { files: FILES, toml: handlerLocations(["pieces"]) },
    );
    const state = async (): Promise<{ yielded: number; closed: number }> =>
      JSON.parse((await ask(server.port, "/pieces?count=a")).body.toString());
    // More than all buffers on the way can hold.
    const pieces = 60_000;
    const reader = new Reader(server.port, `/pieces?name=a&n=${pieces}`);
    let stood = -1;
    await until(
      "it to stand still",
      async () => {
        const { yielded } = await state();
        const isStill = yielded === stood && yielded > 0;
        stood = yielded;
        await Bun.sleep(100);
        return isStill;
      },
      30_000,
    );
    expect(stood).toBeLessThan(pieces / 2);
    reader.readAll();
    await until("it to go on", async () => (await state()).yielded > stood);
    reader.socket.destroy();
    await until("its finally", async () => (await state()).closed === 1);
    await server.stop();
  });

  test("slow readers hold the worker's memory flat", async () => {
    const server = await startHandlers(
      { workers: 1, listener },
      { files: FILES, toml: handlerLocations(["pieces"]) },
    );
    const [pid = 0] = workerPids(server);
    const pieces = 1024; // 1 MB
    const warm = new Reader(server.port, `/pieces?name=warm&n=${pieces}`);
    warm.readAll();
    await until("a first reader to be through", () => warm.ended);
    const before = ownBytes(pid);
    const readers = Array.from(
      { length: 40 },
      (_, i) => new Reader(server.port, `/pieces?name=${i}&n=${pieces * 8}`),
    );
    const begun = async (i: number): Promise<boolean> =>
      JSON.parse((await ask(server.port, `/pieces?count=${i}`)).body.toString()).yielded > 100;
    await until("all to have begun", async () => (await Promise.all([0, 20, 39].map(begun))).every(Boolean));
    // Who does not wait for its readers has all of it long before: 40 times 8 MB would be 320 MB.
    await keepsLess([pid], before, 60 * 2 ** 20);
    for (const reader of readers) reader.socket.destroy();
    await server.stop();
  });
});
