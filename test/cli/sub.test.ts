/**
 * `sluice sub` against the compiled binary, through a proxy that cuts: what it prints, how it goes on, how it
 * ends.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { freePort, layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Cutter } from "../client/cutter.ts";
import { command, RunningSluice, runSluice } from "./run-sluice.ts";

const TRANSPORTS = ["ws", "sse", "stream", "long-poll"] as const;
/** What no location has a prelude for, so that both listeners can have it. */
const PINGED = 'header_template = " "\nping_message_interval = "300ms"';
const toml = layout("[store]\nmax_messages_stored_per_channel = 4\n[limits]\nmax_channel_id_length = 30", {
  sub: PINGED,
  ev: PINGED,
  ws: 'websocket_allow_subscribe = true\nping_message_interval = "300ms"',
});

let server: RunningServer;
let cutter: Cutter;
let channels = 0;
const fresh = (): string => `sub${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml });
  cutter = new Cutter(server.port);
});
afterAll(async () => {
  cutter.stop();
  await server.stop();
});

const sub = (...args: string[]) => new RunningSluice(["sub", ...args, "--url", cutter.url]);
const standing = (channel: string, count = 1): Promise<void> =>
  until("somebody stands there", async () => (await server.statistics(channel)).subscribers === count);

/** The texts of the messages in --json output. */
const received = (out: string): unknown[] =>
  out
    .split("\n")
    .filter((line) => line.startsWith('{"kind":"message"'))
    .map((line) => JSON.parse(line).data);

describe.each(TRANSPORTS)("%s", (transport) => {
  test("prints what is published, counts, exits 0", async () => {
    const channel = fresh();
    const running = sub(channel, "--transport", transport, "--count", "3");
    await running.connected();
    for (const text of ["one", "two é", "three"]) await server.publish(channel, text);
    expect(await running.ended()).toMatchObject({ code: 0, out: "one\ntwo é\nthree\n" });
  });

  test("a connection that is cut: nothing lost, nothing twice, what is gone is told", async () => {
    const channel = fresh();
    for (const text of ["a", "b", "c"]) await server.publish(channel, text);
    const running = sub(channel, "--transport", transport, "--last", "2", "--json");
    await running.until(({ out }) => received(out).length === 2);
    for (let round = 0; round < 2; round++) {
      cutter.cut();
      for (const text of ["x", "y"]) await server.publish(channel, `${text}${round}`);
      await running.until(({ out }) => out.includes(`y${round}`));
    }
    cutter.cutAfter = 0;
    cutter.cut();
    await standing(channel, 0);
    for (let n = 1; n <= 7; n++) await server.publish(channel, `z${n}`);
    cutter.cutAfter = Number.POSITIVE_INFINITY;
    await running.until(({ out }) => out.includes("z7"));
    const { out, err } = await running.stop();
    expect(received(out)).toEqual(["b", "c", "x0", "y0", "x1", "y1", "z4", "z5", "z6", "z7"]);
    expect(err).toContain("* connection lost: ");
    expect(err).toContain(`* connected again to ${cutter.url} by ${transport}, going on where it stopped\n`);
    expect(err).toContain(`! 3 messages of ${channel} were missed\n`);
    expect(out).toContain(`{"kind":"gap","channel":"${channel}","missed":3}\n`);
  }, 15_000);

  test("SIGINT and SIGTERM end it with 0 and without a word", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const running = sub(fresh(), "--transport", transport);
      await running.connected();
      const { code, err } = await running.stop(signal);
      expect([code, err.trim().split("\n").length]).toEqual([0, 1]);
    }
  });

  test("a refusal and nobody there are one sentence each, exit 1", async () => {
    const refused = await runSluice(["sub", "ALL", "--transport", transport, "--url", server.url]);
    expect(refused).toEqual({
      code: 1,
      out: "",
      err: `sluice: ${server.url} refused: 403 Channel id not authorized for this method.\n`,
    });
    const url = `http://127.0.0.1:${freePort()}`;
    const { code, err } = await runSluice(["sub", "a", "--transport", transport, "--url", url]);
    const sentence = `sluice: cannot reach ${url}: connection refused. Is "sluice serve" running?\n`;
    expect({ code, err }).toEqual({ code: 1, err: sentence });
  });
});

test("--json has what is known, bytes that are no UTF-8 as base64; a deletion is told", async () => {
  const channel = fresh();
  const running = sub(channel, "--json");
  await running.connected();
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  await server.publish(channel, "hi", { "Event-Type": "greeting", traceparent });
  await server.publish(channel, Uint8Array.of(0xff, 0x00));
  await server.request(`/pub?id=${channel}`, { method: "DELETE", body: "over" });
  await running.until(({ out }) => out.includes("deleted"));
  const { out, err } = await running.stop();
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const known = { kind: "message", channel, time: expect.any(Number), tag: expect.any(Number) };
  const position = expect.stringMatching(/^[0-9a-z]+-\d+$/);
  expect(lines.slice(0, 3)).toEqual([
    { ...known, id: 1, position, event_type: "greeting", traceparent, data: "hi" },
    { ...known, id: 2, position, data_base64: "/wA=" },
    { kind: "deleted", channel, data: "over" },
  ]);
  expect(err).toContain(`! channel ${channel} was deleted: over\n`);
});

test("bytes reach a pipe as they were published; one that has enough (| head) ends it with 0", async () => {
  const channel = fresh();
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  await server.publish(channel, every);
  const last = ["sub", channel, "--last", "1", "--count", "1", "--url", server.url];
  const child = Bun.spawn([...command, ...last], { stdout: "pipe", stderr: "ignore" });
  expect(await new Response(child.stdout).bytes()).toEqual(Buffer.concat([every, Uint8Array.of(10)]));
  for (let n = 0; n < 4; n++) await server.publish(channel, "x".repeat(300_000));
  const shell = `"$@" sub ${channel} --last 4 --url ${server.url} 2>/dev/null; echo "exit $?" >&2`;
  const cut = Bun.spawn(["sh", "-c", shell, "sh", ...command], { stdout: "pipe", stderr: "pipe" });
  const reader = cut.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await new Response(cut.stderr).text()).toBe("exit 0\n");
});

test("--timeout before --count exits 3 and says how far it came; --count is the most", async () => {
  const channel = fresh();
  await server.publish(channel, "only one");
  const args = ["sub", channel, "--last", "4", "--url", server.url, "--timeout", "0.7", "--count"];
  const { code, out, err } = await runSluice([...args, "2"]);
  expect({ code, out }).toEqual({ code: 3, out: "only one\n" });
  expect(err).toEndWith("sluice: the timeout of 0.7 s came after 1 of 2 messages.\n");
  for (const text of ["a", "b", "c"]) await server.publish(channel, text);
  expect((await runSluice([...args, "2"])).out).toBe("only one\na\n");
});

test("several channels, each from its own position; one that is refused ends it", async () => {
  const [a, b] = [fresh(), fresh()];
  const running = sub(a, b, "--transport", "sse", "--json");
  await running.connected();
  await server.publish(b, "b1");
  await running.until(({ out }) => out.includes("b1"));
  cutter.cut();
  await server.publish(a, "a1");
  await server.publish(b, "b2");
  await running.until(({ out }) => received(out).length === 3);
  expect(received((await running.stop()).out).toSorted()).toEqual(["a1", "b1", "b2"]);
  const name = "x".repeat(40);
  const { code, err } = await runSluice(["sub", a, name, "--url", server.url]);
  expect([code, err.includes("400 Channel id is too large.")]).toEqual([1, true]);
});

test("a connection that falls silent is given up and made again", async () => {
  const running = sub(fresh(), "--transport", "sse");
  await running.connected();
  await Bun.sleep(700);
  cutter.isHeld = true;
  await running.until(({ err }) => err.includes("connection lost: the server is silent"));
  cutter.isHeld = false;
  await running.connected(2);
  await running.stop();
}, 15_000);

test("what is no sluice is left, also one that never ends a message", async () => {
  const chunk = Buffer.from("x".repeat(1 << 20));
  const endless = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(Buffer.from("data: ")),
        pull: (controller) => controller.enqueue(chunk),
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    },
  });
  const url = endless.url.origin;
  const { code, err } = await runSluice(["sub", "a", "--transport", "sse", "--url", url]);
  expect([code, err.includes("answered, but not as a sluice of this version does.")]).toEqual([1, true]);
  await endless.stop(true);
}, 15_000);
