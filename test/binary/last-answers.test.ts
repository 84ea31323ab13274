/**
 * The answer that ends its connection comes whole, also to a client that reads little and late, and behind it
 * comes an end and no reset: what was given to the kernel is on its way when the server hangs up. Both doors.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { KernelSocket } from "./kernel-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const FROM_THE_BEGINNING = "If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT\r\nIf-None-Match: W/0\r\n";
/** Less than one answer. */
const WINDOW_BYTES = 4096;

describe.each([
  ["native", 'header_template = "."'],
  ["wire", ""],
])("%s door", (_door, sub) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ toml: layout("", { sub }), workers: 1 });
    await server.publish("small", "s".repeat(60_000));
    await server.publish("large", "l".repeat(1_000_000));
  });
  afterAll(async () => {
    expect(server.log).not.toMatch(/ error /);
    await server.stop();
  });

  /** Of what came the bytes behind the head, and how it ended. */
  async function lastAnswer(line: string, fields: string, endsFirst: boolean) {
    const client = new KernelSocket(server.port, { receiveBuffer: WINDOW_BYTES });
    let text = "";
    try {
      await client.send(`${line}\r\nHost: x\r\n${FROM_THE_BEGINNING}${fields}\r\n`);
      if (endsFirst) client.shutdown();
      // Answered, and what it did not take waits.
      await server.statistics("small");
      await until("the end", () => {
        for (let bytes = client.read(); bytes.length > 0; bytes = client.read())
          text += Buffer.from(bytes).toString("latin1");
        return client.ended;
      });
      const body = text.slice(text.indexOf("\r\n\r\n"));
      // Sizes of chunks have none of these letters.
      const { length } = body.replaceAll(/[^sl]/g, "");
      return { status: text.slice(9, 12), body: length, wasReset: client.wasReset };
    } finally {
      client.close();
    }
  }

  test.each([
    ["Connection: close", "GET /poll/%s HTTP/1.1", "Connection: close\r\n", false],
    ["HTTP/1.0", "GET /poll/%s HTTP/1.0", "", false],
    ["a client that ends its side, too", "GET /poll/%s HTTP/1.1", "Connection: close\r\n", true],
  ] as const)("%s", async (_name, line, fields, endsFirst) => {
    for (const [channel, length] of [
      ["small", 60_000],
      ["large", 1_000_000],
    ] as const) {
      const answer = await lastAnswer(line.replace("%s", channel), fields, endsFirst);
      expect({ channel, ...answer }).toEqual({ channel, status: "200", body: length, wasReset: false });
    }
  });
});
