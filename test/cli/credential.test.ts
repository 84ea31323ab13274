/**
 * The client commands where somebody wants to know who they are: the token or key of a file or of the
 * environment goes along with every request, on every transport, and is shown nowhere.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningServer, startServer } from "../binary/running-server.ts";
import { type Outcome, runSluice } from "./run-sluice.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-credential-"));
const keys = join(folder, "keys");
const keyFile = join(folder, "key");
const guarded = (match: string, role: string): string =>
  `[[location]]\nmatch = "${match}"\n${role}\npublisher_keys_file = "${keys}"`;
const toml = [
  guarded("= /pub", 'publisher = "normal"\nchannels_path = "$arg_id"\nstore_messages = true'),
  guarded("~ ^/ws/(.*)$", 'subscriber = "websocket"\nchannels_path = "$1"'),
  guarded("~ ^/ev/(.*)$", 'subscriber = "eventsource"\nchannels_path = "$1"'),
  guarded("~ ^/sub/(.*)$", 'subscriber = "eventsource"\nchannels_path = "$1"'),
  guarded("~ ^/lp/(.*)$", 'subscriber = "long-polling"\nchannels_path = "$1"'),
  guarded("= /channels-stats", 'statistics = true\nchannels_path = "$arg_id"'),
  guarded("/console/", "console = true"),
].join("\n");

let server: RunningServer;
let key = "";

beforeAll(async () => {
  const made = await runSluice(["key", "add", "me", "--file", keys, "--publish", "*", "--subscribe", "*"]);
  key = /slk_\S+/.exec(made.out)?.[0] ?? "";
  writeFileSync(keyFile, `${key}\n`);
  server = await startServer({ toml });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const url = (): string[] => ["--url", `http://127.0.0.1:${server.port}`];
const keyed = (...args: string[]): Promise<Outcome> =>
  runSluice([...args, ...url(), "--token-file", keyFile], '{"channel":"lines","data":"x"}\n');

test("a key from a file lets every command in", async () => {
  expect(await keyed("pub", "news", "hello")).toMatchObject({ code: 0 });
  expect(await keyed("pub", "--batch", "-")).toMatchObject({ code: 0 });
  for (const transport of ["ws", "sse", "stream", "long-poll"]) {
    const told = await keyed("sub", "news", "--last", "1", "--count", "1", "-t", transport);
    expect(told, transport).toMatchObject({ code: 0, out: "hello\n" });
  }
  expect(JSON.parse((await keyed("stats", "news", "--json")).out).channel).toBe("news");
  expect(JSON.parse((await keyed("top", "--once", "--json")).out).channels).toBe(2);
});

test("so does one from the environment; the file comes first", async () => {
  const env = { SLUICE_TOKEN: key };
  expect((await runSluice(["pub", "news", "again", ...url()], "", env)).code).toBe(0);
  expect((await keyed("pub", "news", "again")).code).toBe(0);
  const other = { SLUICE_TOKEN: "slk_wrong" };
  expect((await runSluice(["pub", "news", "x", ...url()], "", other)).code).toBe(1);
  expect((await runSluice(["pub", "news", "x", ...url(), "--token-file", keyFile], "", other)).code).toBe(0);
});

test.each(["pub news x", "sub news", "stats", "top --once"])(
  "%s without one is refused, and told where it is taken from",
  async (words) => {
    const { code, err } = await runSluice([...words.split(" "), ...url()]);
    expect(code).toBe(1);
    expect(err).toContain("401");
    expect(err).toContain("--token-file or $SLUICE_TOKEN");
  },
);

test("what cannot be a token is refused before anything is sent, and not shown", async () => {
  const secret = join(folder, "secret");
  for (const text of ["", "two words", "line\r\nX-Other: y", "\u0000\u0001", "x".repeat(20_000)]) {
    writeFileSync(secret, text);
    const { code, err } = await runSluice(["pub", "news", "x", ...url(), "--token-file", secret]);
    expect(code).toBe(2);
    if (text !== "") expect(err).not.toContain(text);
  }
  const endless = await runSluice(["pub", "news", "x", ...url(), "--token-file", "/dev/zero"]);
  expect(endless.code).toBe(2);
  expect((await runSluice(["stats", ...url(), "--token-file", join(folder, "none")])).code).toBe(2);
});
