/** `sluice pub` against the server double. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { freePort } from "../binary/running-server.ts";
import { runSluice } from "./run-sluice.ts";
import { ServerDouble } from "./server-double.ts";

let server: ServerDouble;
beforeEach(() => {
  server = ServerDouble.start();
});
afterEach(() => server.stop());

const pub = (args: string[], input: string | Uint8Array = "") =>
  runSluice(["pub", ...args, "--url", server.url], input);
/** What the double holds of a channel. */
const stored = (channel: string) =>
  server.stored(channel).map((data) => Buffer.from(data).toString("latin1"));

describe("what is published", () => {
  test("a text", async () => {
    expect(await pub(["ch1", "hello"])).toEqual({
      code: 0,
      out: "ch1: published, 0 subscribers, 1 stored\n",
      err: "",
    });
    expect(stored("ch1")).toEqual(["hello"]);
  });

  test("several channels", async () => {
    const { out } = await pub(["a/b", "hello"]);
    expect(out).toBe("a: published, 0 subscribers, 1 stored\nb: published, 0 subscribers, 1 stored\n");
  });

  test("all of standard input as one message, whatever its bytes; with - and without", async () => {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await pub(["ch1", "-"], every);
    await pub(["ch1"], every);
    const text = Buffer.from(every).toString("latin1");
    expect(stored("ch1")).toEqual([text, text]);
  });

  test("a large standard input", async () => {
    await pub(["ch1"], "x".repeat(3_000_000));
    expect(stored("ch1")[0]).toHaveLength(3_000_000);
  });

  test("--lines: one message a line, in order, no empty ones, the last LF may be missing", async () => {
    const { out } = await pub(["ch1", "--lines"], "one\n\ntwo\r\nthree");
    expect(stored("ch1")).toEqual(["one", "two\r", "three"]);
    expect(out).toBe("ch1: 3 messages published, 0 subscribers, 3 stored\n");
  });

  test("--json: the server's answer, one object a line", async () => {
    const { out } = await pub(["ch1", "--lines", "--json"], "one\ntwo\n");
    const line = (count: number) =>
      `{"channel":"ch1","published_messages":${count},"stored_messages":${count},"subscribers":0}\n`;
    expect(out).toBe(line(1) + line(2));
  });

  test("Event-Id and Event-Type are sent as UTF-8", async () => {
    await pub(["ch1", "x", "--event-id", "é☃", "--event-type", "score"]);
    const id = Buffer.from("é☃").toString("latin1");
    expect(server.requests).toContain(`Event-Id=${id} Event-Type=score`);
  });
});

describe("what goes wrong", () => {
  test("an empty message is refused in the server's words, exit 1", async () => {
    const { code, out, err } = await pub(["ch1"], "");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe(`sluice: ${server.url} refused: 400 Empty post requests are not allowed.\n`);
  });

  test("a refusal without words is explained", async () => {
    server.refuse = { status: 413, explain: "" };
    expect((await pub(["ch1", "x"])).err).toContain(
      "413 the message is larger than the server's max_body_size.",
    );
  });

  test("a server's explanation cannot write to the terminal", async () => {
    server.refuse = { status: 403, explain: "no\u009b2J" };
    expect((await pub(["ch1", "x"])).err).not.toContain("\u009b");
  });

  test("--lines says how many were published before the fault", async () => {
    server.refuseAfter = { requests: 2, status: 503, explain: "Server is shutting down." };
    const { code, err } = await pub(["ch1", "--lines"], "1\n2\n3\n4\n");
    expect(code).toBe(1);
    expect(err).toContain("after 2 messages: ");
    expect(err).toContain("503 Server is shutting down.");
  });

  test("nobody there, exit 1", async () => {
    const url = `http://127.0.0.1:${freePort()}`;
    const { code, err } = await runSluice(["pub", "a", "x", "--url", url]);
    const sentence = `sluice: cannot reach ${url}: connection refused. Is "sluice serve" running?\n`;
    expect({ code, err }).toEqual({ code: 1, err: sentence });
  });

  test("a host that does not exist, exit 1", async () => {
    const { code, err } = await runSluice(["pub", "a", "x", "--url", "http://no-such-host.invalid"]);
    expect({ code, err }).toEqual({
      code: 1,
      err: "sluice: cannot reach http://no-such-host.invalid: the host name is not known.\n",
    });
  });

  test("a server that does not answer, exit 3", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    const url = `http://127.0.0.1:${silent.port}`;
    const { code, err } = await runSluice(["pub", "a", "x", "--timeout", "0.5", "--url", url]);
    silent.stop(true);
    expect({ code, err }).toEqual({
      code: 3,
      err: `sluice: cannot reach ${url}: it did not answer in time.\n`,
    });
  });
});
