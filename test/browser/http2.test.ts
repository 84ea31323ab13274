/**
 * A hundred event streams of one page over one HTTP/2 connection, in real Chromium, which has six connections
 * a host for HTTP/1.1; they go on where they were when the workers are replaced.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { freePort, layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const isThere = existsSync(executablePath);
if (!isThere) console.log("skipped: event streams over HTTP/2 in a browser: they need chromium");
const STREAMS = 100;
const certificate = (name: string): string => join(import.meta.dir, "../listen/certificates", name);

describe.skipIf(!isThere)("HTTP/2 in Chromium", () => {
  const port = freePort();
  let server: RunningServer;
  let browser: Browser;
  beforeAll(async () => {
    const plain = freePort();
    const toml = `${layout(`listen = ["127.0.0.1:${plain}"]`, { sub: 'header_template = "-"' })}
[[server]]
listen = ["127.0.0.1:${port} ssl http2"]
tls_certificate = "${certificate("one.pem")}"
tls_certificate_key = "${certificate("one.key")}"
[[server.location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
header_template = ": hello"
event_ids = "auto"
[[server.location]]
match = "= /count"
statistics = true
channels_path = "$arg_id"
`;
    server = await startServer({ toml, port: plain, listensByFile: true });
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("a hundred EventSources over one connection hear each its own, also after a reload", async () => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`https://127.0.0.1:${port}/count`);
    await page.evaluate(`
      window.heard = [];
      window.sources = Array.from({ length: ${STREAMS} }, (_, at) => {
        const source = new EventSource("/ev/c" + at);
        source.onmessage = ({ data }) => window.heard.push("c" + at + " " + data);
        return source;
      });`);
    await until("all of them", async () => (await server.summary()).subscribers === STREAMS);
    for (let at = 0; at < STREAMS; at++) await server.publish(`c${at}`, `text ${at}`);
    await until("a message each", async () => (await page.evaluate("window.heard.length")) === STREAMS);
    let rounds = 0;
    const heard = (await page.evaluate("window.heard")) as string[];
    const wanted = Array.from({ length: STREAMS }, (_, at) => `c${at} text ${at}`);
    expect(heard.toSorted()).toEqual(wanted.toSorted());
    expect(connectionsOf(port)).toBe(1);
    expect(await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")).toBe("h2");

    const before = await server.workerPids();
    server.process.kill("SIGHUP");
    await until(
      "new workers only",
      async () => {
        for (let at = 0; at < STREAMS; at++) {
          await server.publish(`c${at}`, `text ${at} again ${rounds}`);
          wanted.push(`c${at} text ${at} again ${rounds}`);
        }
        rounds++;
        const pids = await server.workerPids();
        return pids.length > 0 && !pids.some((pid) => before.includes(pid));
      },
      15_000,
    );
    await until("all of them again", async () => (await server.summary()).subscribers === STREAMS);
    await until(
      "what was said meanwhile",
      async () => ((await page.evaluate("window.heard.length")) as number) >= wanted.length,
    );
    const all = (await page.evaluate("window.heard")) as string[];
    expect(all.toSorted()).toEqual(wanted.toSorted());
    await context.close();
  }, 30_000);
});

/** Established ones on the server's side, by the kernel's own list. */
function connectionsOf(port: number): number {
  const wanted = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "latin1").split("\n");
  return rows.filter((row) => {
    const [, local, , state] = row.trim().split(/\s+/);
    return local === wanted && state === "01";
  }).length;
}
