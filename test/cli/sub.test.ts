/** `sluice sub` against the server double: receiving and resuming on each transport, gaps, refusals. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { freePort } from "../binary/running-server.ts";
import { RunningSluice, runSluice } from "./run-sluice.ts";
import { ServerDouble } from "./server-double.ts";

let server: ServerDouble;
beforeEach(() => {
  server = ServerDouble.start();
});
afterEach(() => server.stop());

const sub = (...args: string[]) => new RunningSluice(["sub", ...args, "--url", server.url]);
const RESUMING = ["ws", "sse", "long-poll"] as const;

/** Until the double has a subscriber again: on long polls "connected" is said before the request arrived. */
async function standing(count = 1): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (server.subscribers() < count) {
    if (performance.now() > deadlineMs) throw new Error("nobody subscribed");
    await Bun.sleep(10);
  }
}

describe("every transport", () => {
  for (const transport of ["ws", "sse", "stream", "long-poll"] as const) {
    test(`${transport}: prints what is published, counts, exits 0`, async () => {
      const running = sub("ch1", "--transport", transport, "--count", "3");
      await running.connected();
      for (const text of ["one", "two é", "three"]) {
        await standing();
        server.publish("ch1", text);
      }
      expect(await running.ended()).toMatchObject({ code: 0, out: "one\ntwo é\nthree\n" });
    });

    test(`${transport}: --last asks for stored messages, once`, async () => {
      for (const text of ["a", "b", "c"]) server.publish("ch1", text);
      const running = sub("ch1", "--transport", transport, "--last", "2");
      await running.until(({ out }) => out === "b\nc\n");
      expect(server.requests[0]).toContain("/ch1.b2");
      await standing();
      await server.cut();
      server.listen();
      await running.connected(2);
      await standing();
      server.publish("ch1", "d");
      await running.until(({ out }) => out.includes("d"));
      expect((await running.stop()).out).toBe("b\nc\nd\n");
    });

    test(`${transport}: SIGINT and SIGTERM end it with 0 and without a word`, async () => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const running = sub("ch1", "--transport", transport);
        await running.connected();
        const { code, err } = await running.stop(signal);
        expect(code).toBe(0);
        expect(err.trim().split("\n")).toHaveLength(1);
      }
    });

    test(`${transport}: a refusal is one sentence with the server's reason, exit 1`, async () => {
      server.refuse = { status: 403, explain: "Channel id not authorized for this method." };
      const { code, out, err } = await runSluice([
        "sub",
        "ALL",
        "--transport",
        transport,
        "--url",
        server.url,
      ]);
      const reason = transport === "ws" ? "403 " : "403 Channel id not authorized for this method.";
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toStartWith(`sluice: ${server.url} refused: ${reason}`);
    });

    test(`${transport}: nobody there is one sentence, exit 1`, async () => {
      const url = `http://127.0.0.1:${freePort()}`;
      const { code, err } = await runSluice(["sub", "a", "--transport", transport, "--url", url]);
      const sentence = `sluice: cannot reach ${url}: connection refused. Is "sluice serve" running?\n`;
      expect({ code, err }).toEqual({ code: 1, err: sentence });
    });
  }
});

describe("a connection that is cut", () => {
  for (const transport of RESUMING) {
    test(`${transport}: nothing lost, nothing twice, half a message discarded`, async () => {
      const running = sub("ch1", "--transport", transport, "--json");
      await running.connected();
      await standing();
      const sent: string[] = [];
      const publish = (text: string) => {
        sent.push(text);
        server.publish("ch1", text);
      };
      publish("before");
      await running.until(({ out }) => out.includes("before"));
      for (let round = 0; round < 3; round++) {
        await standing();
        await server.cut(true);
        publish(`while away ${round}a`);
        publish(`while away ${round}b`);
        server.listen();
        await running.connected(round + 2);
        await standing();
        publish(`again ${round}`);
        await running.until(({ out }) => out.includes(`again ${round}`));
      }
      const { out } = await running.stop();
      expect(received(out)).toEqual(sent);
    });
  }

  test("ws, sse: several channels resume each from its own position", async () => {
    for (const transport of ["ws", "sse"] as const) {
      const running = sub("a", "b", "--transport", transport, "--json");
      await running.connected();
      await standing();
      server.publish("b", `b1 ${transport}`);
      await running.until(({ out }) => out.includes("b1"));
      await server.cut();
      server.publish("a", `a1 ${transport}`);
      server.publish("b", `b2 ${transport}`);
      server.listen();
      await running.until(({ out }) => received(out).length >= 3);
      expect(received((await running.stop()).out)).toEqual([
        `b1 ${transport}`,
        `a1 ${transport}`,
        `b2 ${transport}`,
      ]);
      await server.cut();
      server.listen();
    }
  });

  test("stream: says that it cannot resume", async () => {
    const running = sub("ch1", "--transport", "stream");
    await running.connected();
    await server.cut();
    server.listen();
    await running.connected(2);
    expect((await running.stop()).err).toContain("! a plain stream cannot resume: messages");
  });

  test("long-poll: sends Last-Modified and Etag back", async () => {
    const running = sub("ch1", "--transport", "long-poll", "--count", "2");
    for (const text of ["1", "2"]) {
      await standing();
      server.publish("ch1", text);
    }
    await running.ended();
    expect(server.requests[1]).toBe(
      "GET /ev/ch1 if-modified-since=Tue, 14 Nov 2023 22:13:20 GMT if-none-match=W/100",
    );
  });

  for (const transport of ["ws", "sse"] as const) {
    test(`${transport}: messages that are no longer stored are told as a gap`, async () => {
      const running = sub("ch1", "--transport", transport, "--json");
      await running.connected();
      await standing();
      server.publish("ch1", "seen");
      await running.until(({ out }) => out.includes("seen"));
      await server.cut();
      for (const text of ["lost 1", "lost 2", "lost 3", "kept"]) server.publish("ch1", text);
      server.evict(4);
      server.listen();
      await running.until(({ out }) => out.includes("kept"));
      const { out, err } = await running.stop();
      expect(err).toContain("! 3 messages of ch1 were missed\n");
      expect(out).toContain('{"kind":"gap","channel":"ch1","missed":3}\n');
      expect(received(out)).toEqual(["seen", "kept"]);
    });
  }
});

/** The texts of the messages in --json output. */
const received = (out: string): string[] =>
  out
    .split("\n")
    .filter((line) => line.startsWith('{"kind":"message"'))
    .map((line) => {
      const { data }: { data: string } = JSON.parse(line);
      return data;
    });
