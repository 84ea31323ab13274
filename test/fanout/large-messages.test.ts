/**
 * Large messages to readers that take them slowly, at both listeners: who holds the rest of one reads it
 * whole, however many messages and other readers come and go meanwhile.
 */
import { describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { layout, startServer, until } from "../binary/running-server.ts";
import { ownBytes } from "../process-memory.ts";

const MESSAGES = 7;
const BYTES = 700_000;
/** Every transport that is written to in pieces; of two versions, as one has no chunks. */
const READERS = [
  "GET /sub/c HTTP/1.1",
  "GET /sub/c HTTP/1.0",
  "GET /ev/c HTTP/1.1",
  "GET /ws/c HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

const bodyOf = (number: number): string => `${`${number},`.repeat(BYTES).slice(0, BYTES - number)}|`;

class SlowReader {
  text = "";
  ends = 0;
  readonly #socket: Socket;

  constructor(port: number, request: string) {
    this.#socket = connect({ port, host: "127.0.0.1" });
    this.#socket.on("error", () => undefined);
    this.#socket.on("data", (bytes) => {
      this.text += bytes.toString("latin1");
      if (bytes.includes("|")) this.ends += bytes.toString("latin1").split("|").length - 1;
    });
    this.#socket.write(`${request}\r\nHost: x\r\n\r\n`);
  }

  stop(): void {
    this.#socket.pause();
  }
  goOn(): void {
    this.#socket.resume();
  }
  leave(): void {
    this.#socket.destroy();
  }

  /** The messages without what stands around and, where a chunk ends, between them. */
  get messages(): string[] {
    const runs = this.text.replace(/\r\n[0-9a-f]*\r\n/g, "").match(/[0-9][0-9,]{1000,}\|/g) ?? [];
    return runs.map((run) => run.replace(/^[0-9]*?(\d),/, "$1,"));
  }
}

describe.each(["wire", "native"])("%s listener", (door) => {
  test("slow and fast readers of large messages have each of them whole, in order", async () => {
    const toml = layout(
      '[limits]\nmax_body_size = "5MiB"\nmax_unsent_size = "8MiB"\n[store]\nsize = "32MiB"',
      {
        sub: 'header_template = "\\n"',
      },
    );
    const server = await startServer({ toml, workers: 1, args: ["--listener", door] });
    try {
      const readers = [...READERS, ...READERS, ...READERS].map((one) => new SlowReader(server.port, one));
      const standing = async (count: number) => (await server.statistics("c")).subscribers === count;
      await until("all stand", async () => await standing(readers.length));
      const leavers = READERS.map((one) => new SlowReader(server.port, one));
      await until("all stand", async () => await standing(readers.length + leavers.length));
      for (const reader of [...readers.slice(READERS.length), ...leavers]) reader.stop();
      const sent = Array.from({ length: MESSAGES }, (_, number) => bodyOf(number));
      for (const [i, body] of sent.entries()) {
        expect((await server.publish("c", body)).status).toBe(200);
        if (i === 2) for (const reader of leavers) reader.leave();
        if (i === 3) for (const reader of readers.slice(2 * READERS.length)) reader.goOn();
      }
      for (const reader of readers) reader.goOn();
      await until("all have all", () => readers.every(({ ends }) => ends === MESSAGES));
      for (const { messages } of readers)
        expect(messages.map((m) => m === sent[Number(m[0])])).toEqual(sent.map(() => true));
      for (const reader of readers) reader.leave();
    } finally {
      await server.stop();
    }
  });

  test("thirty messages of 1 MB to WebSockets leave no memory behind, and need that of a few", async () => {
    const toml = layout('[limits]\nmax_body_size = "5MiB"\n[store]\nsize = "32MiB"');
    const server = await startServer({ toml, workers: 1, args: ["--listener", door] });
    try {
      const handshake = READERS.at(-1) ?? "";
      const readers = Array.from({ length: 20 }, () => new SlowReader(server.port, handshake));
      await until("all stand", async () => (await server.statistics("c")).subscribers === readers.length);
      const [pid = 0] = await server.workerPids();
      const publish = async (body: string, count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          expect((await server.publish("c", body)).status).toBe(200);
          await until("all have it", () => readers.every(({ ends }) => ends === 1));
          for (const reader of readers) reader.ends = 0;
          if (body.length > 100) for (const reader of readers) reader.text = "";
        }
      };
      await publish("small|", 1);
      const before = ownBytes(pid);
      let most = 0;
      const look = setInterval(() => {
        most = Math.max(most, ownBytes(pid) - before);
      }, 5);
      await publish(`${"x".repeat(999_999)}|`, 30);
      clearInterval(look);
      expect(most).toBeLessThan(18 * 2 ** 20);
      for (const reader of readers) reader.leave();
    } finally {
      await server.stop();
    }
  });
});
