/** `sluice sub` against the server double: what it prints, and the limits of count, time, silence and size. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { command, RunningSluice, runSluice } from "./run-sluice.ts";
import { ServerDouble } from "./server-double.ts";

let server: ServerDouble;
beforeEach(() => {
  server = ServerDouble.start();
});
afterEach(() => server.stop());

const sub = (...args: string[]) => new RunningSluice(["sub", ...args, "--url", server.url]);

/** Until the double has a subscriber again: on long polls "connected" is said before the request arrived. */
async function standing(count = 1): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (server.subscribers() < count) {
    if (performance.now() > deadlineMs) throw new Error("nobody subscribed");
    await Bun.sleep(10);
  }
}

describe("output", () => {
  test("--json has what ws tells, bytes that are no UTF-8 as base64", async () => {
    const running = sub("ch1", "--json", "--count", "2");
    await running.connected();
    await standing();
    server.publish("ch1", "hi", "greeting");
    server.publish("ch1", Uint8Array.of(0xff, 0x00));
    const lines = (await running.ended()).out.trim().split("\n");
    expect(lines).toEqual([
      '{"kind":"message","channel":"ch1","id":1,"position":"k7x1-100","time":1700000000,"tag":100,"event_type":"greeting","data":"hi"}',
      '{"kind":"message","channel":"ch1","id":2,"position":"k7x1-101","time":1700000000,"tag":101,"data_base64":"/wA="}',
    ]);
  });

  test("bytes reach a pipe as they were published", async () => {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    server.publish("ch1", every);
    const child = Bun.spawn([...command, "sub", "ch1", "--last", "1", "--count", "1", "--url", server.url], {
      stdout: "pipe",
      stderr: "ignore",
    });
    expect(await new Response(child.stdout).bytes()).toEqual(Buffer.concat([every, Uint8Array.of(10)]));
  });

  test("a reader that has enough (| head) ends it with 0", async () => {
    for (let n = 0; n < 2000; n++) server.publish("ch1", `message ${n} ${"x".repeat(100)}`);
    const url = server.url;
    const child = Bun.spawn(
      ["sh", "-c", `"$@" sub ch1 --last 2000 --url ${url} 2>/dev/null; echo "exit $?" >&2`, "sh", ...command],
      { stdout: "pipe", stderr: "pipe" },
    );
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    expect(await new Response(child.stderr).text()).toBe("exit 0\n");
  });
});

describe("limits of time and count", () => {
  test("--timeout before --count exits 3 and says how far it came", async () => {
    server.publish("ch1", "only one");
    const { code, out, err } = await runSluice([
      "sub",
      "ch1",
      "--last",
      "1",
      "--count",
      "2",
      "--timeout",
      "0.7",
      "--url",
      server.url,
    ]);
    expect({ code, out }).toEqual({ code: 3, out: "only one\n" });
    expect(err).toEndWith("sluice: the timeout of 0.7 s came after 1 of 2 messages.\n");
  });

  test("more messages in one go than --count asks for are not printed", async () => {
    for (const text of ["a", "b", "c"]) server.publish("ch1", text);
    const { out } = await runSluice([
      "sub",
      "ch1",
      "--last",
      "3",
      "--count",
      "2",
      "--transport",
      "sse",
      "--url",
      server.url,
    ]);
    expect(out).toBe("a\nb\n");
  });

  test("a connection that stops pinging is given up and made again", async () => {
    const running = sub("ch1", "--transport", "sse");
    await running.connected();
    await standing();
    for (let n = 0; n < 3; n++) {
      server.ping();
      await Bun.sleep(100);
    }
    await running.connected(2);
    expect((await running.stop()).err).toContain("connection lost: the server fell silent");
  }, 10_000);

  test("a server that never ends a message is left", async () => {
    const endless = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(endlessBody(), { headers: ENDLESS_HEADERS }),
    });
    for (const transport of ["sse", "long-poll", "stream"]) {
      const { code, out, err } = await runSluice([
        "sub",
        "a",
        "--transport",
        transport,
        "--url",
        endless.url.origin,
      ]);
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toContain(
        "sluice: the server sent a message larger than 64 MiB; the connection was given up.",
      );
    }
    await endless.stop(true);
  }, 20_000);

  test("a stream quieter than the HTTP client's idle timeout stays connected", async () => {
    const running = new RunningSluice(["sub", "ch1", "--transport", "sse", "--url", server.url], {
      BUN_CONFIG_HTTP_IDLE_TIMEOUT: "2",
    });
    await running.connected();
    await Bun.sleep(9_000);
    server.publish("ch1", "still here");
    await running.until(({ out }) => out === "still here\n");
    expect((await running.stop()).err).not.toContain("lost");
  }, 20_000);
});

const ENDLESS_HEADERS = {
  "Content-Type": "text/event-stream",
  "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
  Etag: "W/1",
};

/** "data: xxxx…" for ever. */
function endlessBody(): ReadableStream<Uint8Array> {
  const chunk = Buffer.from("x".repeat(1 << 20));
  return new ReadableStream({
    start: (controller) => controller.enqueue(Buffer.from("data: ")),
    pull: (controller) => controller.enqueue(chunk),
  });
}
