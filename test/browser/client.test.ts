/**
 * /sluice.js in Chromium and Firefox, one client on each transport, while workers are killed, the server is reloaded and restarted and the page
 * itself is loaded again: nothing is lost, nothing comes twice. `SLUICE_ROUNDS=20` makes many rounds of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
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

describe.each(BROWSERS)("$browser", ({ browser: name, path }) => {
  const isThere = existsSync(path);
  if (!isThere) console.log(`skipped: the client in ${name}: ${path} is not there`);
  let server: RunningServer;
  let browser: Browser;
  let page: Page;
  let pages: string;
  let toml: string;
  const publisher = new SurePublisher(() => server, ["news"]);

  beforeAll(async () => {
    if (!isThere) return;
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
    browser = await puppeteer.launch({
      browser: name,
      executablePath: path,
      headless: true,
      args: name === "chrome" ? ["--no-sandbox", "--disable-gpu", "--disable-quic"] : [],
    });
    page = await browser.newPage();
    await page.goto(`${server.url}/pages/client.html`);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    if (isThere) rmSync(pages, { recursive: true, force: true });
  });

  const seen = async (): Promise<{ got: string[]; states: Record<string, string> }> =>
    JSON.parse(String(await page.evaluate("JSON.stringify(seen())")));
  const allOpen = (): Promise<void> =>
    until("all are open", async () => {
      const states = Object.values((await seen()).states);
      return states.length === 3 && states.every((state) => state === "open");
    });

  async function expectAll(): Promise<void> {
    await until("all have all", async () => (await seen()).got.length >= 3 * publisher.published, 20_000);
    const { got } = await seen();
    const wanted = publisher.wanted("news");
    for (const transport of ["websocket", "sse", "poll"]) {
      const its = got
        .filter((line) => line.startsWith(transport))
        .map((line) => line.slice(transport.length + 1));
      expect(its, `${transport} in ${name}`).toEqual(wanted);
    }
  }

  test.skipIf(!isThere)(
    `${ROUNDS} rounds of kill -9, reload, restart and a page that is loaded again`,
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
        await page.reload();
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
});
