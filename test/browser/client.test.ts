/**
 * /sluice.js in Chromium and Firefox, one client on each transport, while workers are killed, the server is
 * reloaded and restarted and the page itself is loaded again: nothing is lost, nothing comes twice.
 * `SLUICE_ROUNDS=20` makes many rounds of it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { SurePublisher } from "../client/sure-publisher.ts";

const ROUNDS = Number(process.env["SLUICE_ROUNDS"] ?? 1);
const BROWSERS = [
  { browser: "chrome", path: process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium" },
  { browser: "firefox", path: process.env["SLUICE_TEST_FIREFOX"] ?? "/usr/bin/firefox-esr" },
] as const;

/** What a tab got, before it was loaded again and since. */
const HTML = `<!doctype html><meta charset="utf-8"><title>client</title>
<script type="module">
import { Sluice } from "/sluice.js";
const got = JSON.parse(sessionStorage.getItem("got") ?? "[]");
const states = {};
for (const transport of ["websocket", "sse", "poll"]) {
  // Positions of three clients of one page: each under a name of its own.
  const storage = {
    getItem: (key) => sessionStorage.getItem(transport + key),
    setItem: (key, value) => sessionStorage.setItem(transport + key, value),
  };
  const client = new Sluice(location.origin, { transports: [transport], storage, maxDelay: 1000 });
  client.on("state", ({ state }) => { states[transport] = state; });
  const take = (text) => {
    got.push(transport + " " + text);
    sessionStorage.setItem("got", JSON.stringify(got));
  };
  client.subscribe("news", ({ data }) => take(data)).on("gap", ({ missed }) => take("gap " + missed));
}
window.seen = () => ({ got, states });
</script>`;

const THERE = BROWSERS.filter(({ path }) => existsSync(path));
for (const { browser, path } of BROWSERS)
  if (!existsSync(path)) console.log(`skipped: the client in ${browser}: ${path} is not there`);

let server: RunningServer;
let pages: string;
let toml: string;
const browsers: Browser[] = [];
const tabs: { readonly name: string; readonly page: Page }[] = [];
const publisher = new SurePublisher(() => server, ["news"]);

beforeAll(async () => {
  if (THERE.length === 0) return;
  pages = mkdtempSync(join(tmpdir(), "sluice-pages-"));
  writeFileSync(join(pages, "client.html"), HTML);
  toml = `${layout('drain_rate = 0\nshutdown_timeout = "2s"', { ws: "websocket_allow_subscribe = true" })}
[[location]]
match = "/sluice."
sluice_client = true
[[location]]
match = "/pages/"
alias = "${pages}/"
default_type = "text/html; charset=utf-8"
`;
  server = await startServer({ toml });
  await Promise.all(THERE.map(({ browser, path }) => open(browser, path)));
}, 60_000);
afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  await server?.stop();
  if (THERE.length > 0) rmSync(pages, { recursive: true, force: true });
});

async function open(name: "chrome" | "firefox", executablePath: string): Promise<void> {
  const browser = await puppeteer.launch({
    browser: name,
    executablePath,
    headless: true,
    args: name === "chrome" ? ["--no-sandbox", "--disable-gpu", "--disable-quic"] : [],
  });
  browsers.push(browser);
  const page = await browser.newPage();
  await page.goto(`${server.url}/pages/client.html`);
  tabs.push({ name, page });
}

const seen = async (page: Page): Promise<{ got: string[]; states: Record<string, string> }> =>
  JSON.parse(String(await page.evaluate("JSON.stringify(seen())")));

async function expectAll(): Promise<void> {
  for (const { name, page } of tabs) {
    const hasAll = async () => (await seen(page)).got.length >= 3 * publisher.published;
    await until(`all have all in ${name}`, hasAll, 20_000);
    const { got } = await seen(page);
    for (const transport of ["websocket", "sse", "poll"]) {
      const its = got
        .filter((line) => line.startsWith(transport))
        .map((line) => line.slice(transport.length + 1));
      expect(its, `${transport} in ${name}`).toEqual(publisher.wanted("news"));
    }
  }
}

const allOpen = (): Promise<void> =>
  until("all are open", async () => {
    const states = await Promise.all(tabs.map(async ({ page }) => Object.values((await seen(page)).states)));
    return states.flat().length === 3 * tabs.length && states.flat().every((state) => state === "open");
  });

test.skipIf(THERE.length === 0)(
  `${ROUNDS} rounds of kill -9, reload, restart and pages that are loaded again`,
  async () => {
    await allOpen();
    for (let round = 0; round < ROUNDS; round++) {
      await publisher.publish(2);
      const [pid = 0] = await server.workerPids();
      process.kill(pid, "SIGKILL");
      await publisher.publish(3);
      await expectAll();
      server.process.kill("SIGHUP");
      await publisher.publish(3);
      await expectAll();
      await Promise.all(tabs.map(({ page }) => page.reload()));
      await publisher.publish(3);
      const { port, folder } = server;
      await server.stop(true);
      server = await startServer({ toml, port, folder });
      await publisher.publish(3);
      await expectAll();
      await allOpen();
    }
  },
  30_000 + 30_000 * ROUNDS,
);
