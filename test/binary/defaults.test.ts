/** `sluice defaults > sluice.toml` is a file to start from: serving it is serving without a file. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RawConnection } from "./raw-client.ts";
import { binary, type RunningServer, startServer } from "./running-server.ts";

/** Answered at once. */
const ASKED: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/"],
  ["POST", "/pub?id=a"],
  ["POST", "/pub?id=a/b"],
  ["GET", "/pub?id=a"],
  ["GET", "/channels-stats"],
  ["GET", "/channels-stats?id=ALL"],
  ["GET", "/poll/a.b1/b.b1"],
  ["GET", "/lp/a.b1"],
  ["GET", "/jsonp/a.b1?callback=f"],
  ["GET", "/pushstream.js"],
  ["GET", "/examples/"],
  ["GET", "/ws/a"],
  ["GET", "/health/ready"],
  ["GET", "/elsewhere"],
  ["DELETE", "/pub?id=b"],
  ["POST", `/pub?id=${"x".repeat(257)}`],
];
/** Held open. */
const HELD = ["/sub/a.b1", "/ev/a.b1", "/iframe/a.b1", "/mjpeg/a.b1", "/examples/lines/stream"];

test("sluice defaults > sluice.toml serves what sluice serve serves", async () => {
  const embedded = await startServer({ workers: 1 });
  const printed = Bun.spawnSync([binary, "defaults"]);
  expect(printed.exitCode).toBe(0);
  const file = await startServer({ workers: 1, toml: printed.stdout.toString() });
  try {
    // Without the words of the command line that startServer adds.
    const alone = join(file.folder, "alone.toml");
    writeFileSync(alone, printed.stdout);
    const check = Bun.spawnSync([binary, "check", alone]);
    expect(check.stderr.toString()).toBe("");
    expect(check.stdout.toString()).toContain("OK (listen 127.0.0.1:8080");
    expect(await answers(file)).toEqual(await answers(embedded));
    expect(readFileSync(alone, "utf8")).toContain('max_bytes_stored_per_channel = "16MiB"');
  } finally {
    await Promise.all([embedded.stop(), file.stop()]);
  }
});

test("with the embedded default a second's absence from a busy channel loses nothing", async () => {
  const server = await startServer({ workers: 1 });
  try {
    for (let number = 0; number < 600; number++) await server.publish("busy", `m${number}`);
    expect((await server.request("/poll/busy.b600")).text.trim().split("\n")).toHaveLength(600);
    // However large its messages, one channel takes a part of the store: the others keep theirs.
    const large = "x".repeat(1_000_000);
    for (let number = 0; number < 80; number++) await server.publish("greedy", large);
    expect(Number((await server.statistics("busy")).stored_messages)).toBe(600);
    expect(Number((await server.statistics("greedy")).stored_messages)).toBe(15);
  } finally {
    await server.stop();
  }
});

async function answers(server: RunningServer): Promise<readonly string[]> {
  const all: string[] = [];
  for (const [method, path] of ASKED) {
    const { status, headers, text } = await server.request(path, {
      method,
      ...(method === "POST" ? { body: "hello" } : {}),
    });
    all.push(sameEachTime(`${method} ${path} ${status} ${headers.get("content-type")}\n${text}`));
  }
  for (const path of HELD) {
    const connection = await RawConnection.open(server.port);
    connection.request(path, { headers: { Host: "localhost" } });
    const { statusLine, fields } = await connection.head();
    all.push(`${path} ${statusLine} ${fields.get("content-type")} ${await connection.chunkedText(6)}`);
    connection.close();
  }
  return all.map(sameEachTime);
}

const sameEachTime = (text: string): string =>
  text
    .replace(/\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g, "DATE")
    .replace(/\d{4}-\d\d-\d\dT[\d:]{8}/g, "TIME")
    .replace(/("tag"|"pid"|"uptime")(: "?)\d+/g, "$1$2N")
    .replace(/\b[\w-]+\.\d+-\d+/g, "POSITION")
    .replaceAll(/127\.0\.0\.1:\d+/g, "ADDRESS");
