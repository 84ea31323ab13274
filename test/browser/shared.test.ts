/**
 * /sluice.shared.js: tabs of one browser that share a connection, while tabs close, are loaded again, and
 * workers are killed. In Chromium.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const isThere = existsSync(executablePath);
if (!isThere) console.log(`skipped: tabs that share a connection: ${executablePath} is not there`);

const HTML = `<!doctype html><meta charset="utf-8"><title>shared</title>
<script type="module">
import { share } from "/sluice.shared.js";
const got = JSON.parse(sessionStorage.getItem("got") ?? "[]");
const client = share(location.origin, { storage: sessionStorage, maxDelay: 500 });
const take = (text) => { got.push(text); sessionStorage.setItem("got", JSON.stringify(got)); };
const follow = (name, options = {}) => client
  .subscribe(name, options, ({ data }) => take(data))
  .on("gap", ({ missed }) => take("gap " + missed))
  .on("error", ({ status }) => take("error " + status));
follow("news");
Object.assign(window, { got, client, follow });
</script>`;

describe.skipIf(!isThere)("tabs", () => {
  let server: RunningServer;
  let browser: Browser;
  let pages: string;
  let published = 0;

  beforeAll(async () => {
    pages = mkdtempSync(join(tmpdir(), "sluice-shared-"));
    writeFileSync(join(pages, "shared.html"), HTML);
    const limits = "[limits]\nmax_channel_id_length = 30";
    const toml = `${layout(limits, { ws: "websocket_allow_subscribe = true" })}
[[location]]
match = "/sluice."
sluice_client = true
[[location]]
match = "/pages/"
alias = "${pages}/"
default_type = "text/html; charset=utf-8"
`;
    server = await startServer({ toml });
    browser = await puppeteer.launch({
      browser: "chrome",
      executablePath,
      headless: true,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
    });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(pages, { recursive: true, force: true });
  });

  const open = async (): Promise<Page> => {
    const page = await browser.newPage();
    await page.goto(`${server.url}/pages/shared.html`);
    await until("it is open", async () => (await page.evaluate("client.state")) === "open");
    return page;
  };
  const got = async (page: Page): Promise<string[]> =>
    JSON.parse(String(await page.evaluate("JSON.stringify(got)")));
  const publish = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) await server.publish("news", String(++published));
  };
  const numbers = (from: number): string[] =>
    Array.from({ length: published - from + 1 }, (_, i) => String(from + i));
  const expectFrom = async (page: Page, from: number): Promise<void> => {
    await until("all is there", async () => (await got(page)).length >= published - from + 1);
    expect(await got(page)).toEqual(numbers(from));
  };

  test("have one connection, and miss nothing when its tab closes, reloads or loses it", async () => {
    const first = await open();
    await until("it stands", async () => (await server.statistics("news")).subscribers === 1);
    const second = await open();
    const third = await open();
    await publish(5);
    for (const page of [first, second, third]) await expectFrom(page, 1);
    expect((await server.statistics("news")).subscribers).toBe(1);
    await first.close();
    await publish(5);
    for (const page of [second, third]) await expectFrom(page, 1);
    await second.reload();
    await publish(5);
    for (const page of [second, third]) await expectFrom(page, 1);
    for (const pid of await server.workerPids()) process.kill(pid, "SIGKILL");
    await until("somebody answers", () =>
      server.publish("none", "x").then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    await publish(5);
    for (const page of [second, third]) await expectFrom(page, 1);
    expect((await server.statistics("news")).subscribers).toBe(1);
    // Old messages for one that asks for them, and none twice for the others.
    const late = await open();
    await late.evaluate('got.length = 0, follow("other", { last: 2 })');
    await until("it stands there", async () => (await server.statistics("other")).subscribers === 1);
    for (const text of ["o1", "o2", "o3"]) await server.publish("other", text);
    // What is on its way to the tab with the connection while somebody joins is new to him as well.
    await until("they came", async () => (await got(late)).includes("o3"));
    await second.evaluate('follow("other", { last: 2 })');
    await until("both have theirs", async () => (await got(second)).includes("o3"));
    expect((await got(late)).filter((text) => text.startsWith("o"))).toEqual(["o1", "o2", "o3"]);
    expect((await got(second)).filter((text) => text.startsWith("o"))).toEqual(["o2", "o3"]);
    await third.evaluate(`follow("${"x".repeat(40)}")`);
    await until("the refusal", async () => (await got(third)).includes("error 400"));
    await publish(2);
    await until("the others go on", async () => (await got(second)).includes(String(published)));
  }, 60_000);
});
