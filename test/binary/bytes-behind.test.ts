/**
 * Bytes behind a request whose answer is held: a stray line end, or the next request (docs/doors.md). Bun's
 * server breaks such a connection, and nothing we can do comes before that; the wire listener keeps them
 * until the answer is over.
 */
import { afterEach, expect, test } from "bun:test";
import { RawConnection, standing } from "./raw-client.ts";
import { layout, type RunningServer, startServer } from "./running-server.ts";

let server: RunningServer;
afterEach(async () => {
  await server.stop();
});

const BEHIND = [
  ["a stray line end", "\r\n"],
  ["a pipelined request", "GET /channels-stats HTTP/1.1\r\nHost: x\r\n\r\n"],
] as const;

test.each([
  ["native", "\n", true],
  ["wire", "", false],
] as const)("%s: what bytes behind a request do to its held answer", async (_door, header, breaks) => {
  const sub = `header_template = ${JSON.stringify(header)}\nmessage_template = "~text~"`;
  server = await startServer({ toml: layout("", { sub }), workers: 1 });
  for (const [name, bytes] of BEHIND) {
    const stream = await RawConnection.open(server.port);
    stream.request("/sub/a");
    await stream.head();
    if (header !== "") await stream.chunkedText(header.length);
    await standing(server.port, "a");
    stream.send(bytes);
    if (breaks) await stream.untilEnd();
    else {
      await server.publish("a", name);
      expect(await stream.chunkedText(name.length)).toBe(name);
      stream.close();
    }
    await standing(server.port, "a", 0);
  }
});
