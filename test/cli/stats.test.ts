/** `sluice stats` against the server double. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { duration } from "../../src/cli/stats.ts";
import { runSluice } from "./run-sluice.ts";
import { ServerDouble } from "./server-double.ts";

let server: ServerDouble;
beforeEach(() => {
  server = ServerDouble.start();
  for (const channel of ["news", "news", "漢字", "x\u001b[2J"]) server.publish(channel, "m");
});
afterEach(() => server.stop());

// A folder in which no server has left anything: others run on this machine.
const folder = mkdtempSync(join(tmpdir(), "sluice-stats-"));
afterAll(() => rmSync(folder, { recursive: true }));
const stats = (...args: string[]) =>
  runSluice(["stats", ...args, "--url", server.url], "", { RUNTIME_DIRECTORY: folder });

test("no channel: the summary", async () => {
  expect((await stats()).out).toBe(
    [
      "host        double",
      "uptime      1 d 2 h",
      "channels    2",
      "subscribers 3",
      "published   7",
      "stored      5",
      "",
      "WORKER  SUBSCRIBERS   UPTIME",
      "123               3  1 d 2 h",
      "",
    ].join("\n"),
  );
});

test("ALL: a table of all channels, wide characters counted as two, control characters shown", async () => {
  expect((await stats("ALL")).out).toBe(
    [
      "CHANNEL   SUBSCRIBERS  PUBLISHED  STORED",
      "news                0          2       2",
      "漢字                0          1       1",
      "x\\x1b[2J            0          1       1",
      "",
    ].join("\n"),
  );
});

test("one channel, several channels", async () => {
  expect((await stats("news")).out.split("\n")).toHaveLength(3);
  expect((await stats("news/漢字")).out.split("\n")).toHaveLength(4);
});

test("--json is the server's JSON on one line", async () => {
  const { out } = await stats("news", "--json");
  expect(out).toBe('{"channel":"news","published_messages":2,"stored_messages":2,"subscribers":0}\n');
  expect((await stats("--json")).out.trim().split("\n")).toHaveLength(1);
});

test("a channel that does not exist is one sentence, exit 1", async () => {
  const { code, err } = await stats("nope");
  expect({ code, err }).toEqual({ code: 1, err: `sluice: there is no channel "nope" on ${server.url}.\n` });
});

test("an answer that is no statistics is one sentence, exit 1", async () => {
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<html>") });
  const { code, err } = await runSluice(["stats", "--url", other.url.origin]);
  await other.stop(true);
  expect(code).toBe(1);
  expect(err).toBe(`sluice: ${other.url.origin} answered no statistics. Is --url right?\n`);
});

test("durations", () => {
  expect([0, 42, 303, 3600, 12_000, 187_200, 86_400].map(duration)).toEqual([
    "0 s",
    "42 s",
    "5 min 3 s",
    "1 h",
    "3 h 20 min",
    "2 d 4 h",
    "1 d",
  ]);
});
