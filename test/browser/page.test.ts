/** The page at `/` in a real browser: what a newcomer does with it, and what must not happen to it. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { makePage } from "../../src/web/page.ts";
import { freePort } from "../binary/running-server.ts";
import { until as untilSoon } from "../until.ts";
import { type Gate, startGate } from "./gate.ts";
import { startServer, type TestServer } from "./server.ts";

const document = makePage(true);
const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const lanes = ["WebSocket", "SSE", "Stream", "Long poll"] as const;

let server: TestServer;
let gate: Gate;
let browser: Browser;
let tab: Page;
/** What must stay empty in ordinary use. */
let complaints: string[] = [];
let channelNumber = 0;

const publish = (channel: string, text: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/pub?id=${channel}`, { method: "POST", body: text, headers });

/** Opens the page in a browser profile of its own, on a channel nobody used before. */
async function openPage(channel: string, options: BrowserContextOptions = {}): Promise<Page> {
  complaints = [];
  const context = await browser.newContext(options);
  tab = await context.newPage();
  tab.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  tab.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  tab.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  tab.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== gate.url) complaints.push(`request to ${request.url()}`);
  });
  await tab.goto(`${gate.url}/#${channel}`);
  return tab;
}

const newChannel = () => `page-${process.pid}-${++channelNumber}`;
const lane = (name: string) =>
  tab.locator(".lane").filter({ has: tab.getByRole("heading", { name, exact: true }) });
const texts = (name: string) => lane(name).locator(".log .text").allTextContents();
const state = (name: string) => lane(name).locator(".state-word").textContent();

/**
 * A message that may not be stored is gone after so long: one second in server.ts's configuration, and the
 * sweep after it.
 */
const RESTED_MS = 3500;

/** A browser takes its time. */
const until = (what: string, holds: () => Promise<boolean>): Promise<void> =>
  untilSoon(what, holds, 15_000, 25);

async function untilOpen(names: readonly string[] = lanes): Promise<void> {
  for (const name of names) await until(`${name} open`, async () => (await state(name)) === "open");
}

/** Newest first, as the page shows it; more or fewer is a failure. */
async function expectTexts(expected: readonly string[], names: readonly string[] = lanes): Promise<void> {
  for (const name of names) {
    const found = async () => (await texts(name)).length >= expected.length;
    await until(`${expected.length} messages in ${name}`, found).catch(() => undefined);
    expect([name, await texts(name)]).toEqual([name, [...expected]]);
  }
}

describe.skipIf(!existsSync(executablePath))("the page", () => {
  beforeAll(async () => {
    server = await startServer(freePort());
    console.log(`page tests run on: ${server.kind}`);
    gate = await startGate(freePort(), server.url);
    browser = await chromium.launch({
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  }, 30_000);

  afterAll(async () => {
    await browser?.close();
    gate?.close();
    await server?.stop();
  });

  afterEach(() => tab?.context().close());

  test("is served whole, with a policy that lets only its own script and style run", async () => {
    const response = await fetch(gate.url);
    expect(response.status).toBe(200);
    for (const [name, value] of Object.entries(document.headers))
      expect(response.headers.get(name)).toBe(value);
    const html = await response.text();
    expect(html).toBe(new TextDecoder().decode(document.body));
    expect(html.match(/<\/script/g)).toHaveLength(1);
    expect(html).not.toMatch(/<link[^>]+href="http|src="|@import|url\(/);
  });

  test("shows a published message on all four transports", async () => {
    await openPage(newChannel());
    await untilOpen();
    await tab.getByLabel("Message", { exact: true }).fill("hello");
    await tab.keyboard.press("Enter");
    await expectTexts(["hello"]);
    await until("the result", async () =>
      /published_messages 1, stored_messages 1, subscribers \d/.test(
        (await tab.locator("#result").textContent()) ?? "",
      ),
    );
    expect(await tab.evaluate("document.activeElement.id")).toBe("text");
    expect(complaints).toEqual([]);
  }, 30_000);

  test("shows a burst of 100 in order on all four, with count and positions", async () => {
    await openPage(newChannel());
    await untilOpen();
    await tab.getByRole("button", { name: "Send 100" }).click();
    await expectTexts(Array.from({ length: 100 }, (_, i) => `burst ${100 - i}/100`));
    for (const name of lanes) expect(await lane(name).locator(".count").textContent()).toBe("100 messages");
    for (const name of lanes) {
      expect(await lane(name).locator(".position").first().textContent()).toBe("#100");
      const title = await lane(name).locator("li").first().getAttribute("title");
      expect(title).toMatch(/^position [0-9a-z]+-\d+$/);
    }
    expect(complaints).toEqual([]);
  }, 30_000);

  test("starts with the last stored messages, as many as asked for", async () => {
    const channel = newChannel();
    for (const text of ["one", "two", "three"]) await publish(channel, text);
    await openPage(`${channel}.b2`);
    await expectTexts(["three", "two"]);
    expect(await tab.getByLabel("starting with the last").inputValue()).toBe("2");
    // A long poll that kept `.b2` would bring them again and again.
    await Bun.sleep(500);
    await expectTexts(["three", "two"]);
    expect(complaints).toEqual([]);
  }, 30_000);

  test("shows the type of events that have one", async () => {
    const channel = newChannel();
    await openPage(channel);
    await untilOpen();
    await publish(channel, "plain");
    await expectTexts(["plain"]);
    await publish(channel, "typed", { "Event-Type": "deploy", "Event-Id": "d-1" });
    await expectTexts(["deploytyped", "plain"]);
    expect(complaints).toEqual([]);
  }, 30_000);

  test("treats message text as text", async () => {
    const channel = newChannel();
    const attack = `<img src=x onerror="alert(1)"><script>alert(2)</script>&amp;`;
    await openPage(channel);
    await untilOpen();
    await publish(channel, attack, { "Event-Id": `"><svg onload=alert(3)>` });
    await expectTexts([attack]);
    expect(await tab.locator(".log img, .log script, .log svg").count()).toBe(0);
    await expect(tab.evaluate("document.body.innerHTML = '<b>x</b>'")).rejects.toThrow("TrustedHTML");
    complaints = complaints.filter((text) => !text.includes("TrustedHTML"));
    expect(complaints).toEqual([]);
  }, 30_000);

  test("reconnects after a broken connection and misses nothing", async () => {
    const channel = newChannel();
    await openPage(channel);
    await untilOpen();
    await publish(channel, "before");
    await expectTexts(["before"]);
    for (const round of [1, 2]) {
      gate.shut();
      for (const name of lanes)
        await until(`${name} notices`, async () => (await state(name)) === "reconnecting");
      for (const part of ["a", "b"]) await publish(channel, `away ${round}${part}`);
      gate.open();
      await untilOpen();
    }
    await publish(channel, "after");
    await expectTexts(["after", "away 2b", "away 2a", "away 1b", "away 1a", "before"]);
    expect(complaints.filter((text) => !text.includes("net::ERR_"))).toEqual([]);
  }, 60_000);

  test("says how many messages were lost for good", async () => {
    const channel = newChannel();
    await openPage(channel);
    await untilOpen();
    await publish(channel, "before");
    await expectTexts(["before"]);
    gate.shut();
    for (const name of lanes)
      await until(`${name} notices`, async () => (await state(name)) === "reconnecting");
    for (let i = 1; i <= 120; i++) await publish(channel, `away ${i}`);
    // 120 were published, server.ts's configuration keeps 100; the other 20 rest for a second, for those who
    // are still connected.
    await Bun.sleep(RESTED_MS);
    gate.open();
    for (const name of lanes) {
      await until(
        `gap in ${name}`,
        async () => (await lane(name).locator(".missed").textContent()) === "20 missed",
      );
      expect(await lane(name).locator(".gap").textContent()).toBe("Gap: 20 messages are no longer stored.");
      await until(`the rest in ${name}`, async () => (await texts(name)).length === 101);
    }
  }, 60_000);

  test("shows the server's reason when it refuses", async () => {
    await openPage("ALL");
    const reason = "403 Channel id not authorized for this method.";
    for (const name of lanes) {
      await until(`${name} refused`, async () => (await state(name)) === "refused");
      await until(
        `${name} says why`,
        async () => (await lane(name).locator(".refusal").textContent()) === reason,
      );
    }
    await tab.getByLabel("Message", { exact: true }).fill("x");
    await tab.keyboard.press("Enter");
    await until(
      "result",
      async () => (await tab.locator("#result").textContent()) === `Not published: ${reason}`,
    );
  }, 30_000);

  test("connects and disconnects each on its own, and follows the channel typed", async () => {
    const [first, second] = [newChannel(), newChannel()];
    await openPage(first);
    await untilOpen();
    await tab.getByRole("button", { name: "Disconnect SSE" }).click();
    expect(await state("SSE")).toBe("closed");
    await publish(first, "one");
    await expectTexts(["one"], ["WebSocket", "Stream", "Long poll"]);
    expect(await texts("SSE")).toEqual([]);
    await tab.getByLabel("Channel", { exact: true }).fill(`${second}/${first}`);
    await tab.keyboard.press("Enter");
    expect(new URL(tab.url()).hash).toBe(`#${second}/${first}`);
    await tab.getByRole("button", { name: "Connect SSE" }).click();
    await expectTexts(["one"]);
    await publish(second, "two");
    await expectTexts(["two", "one"]);
    const commands = (await tab.locator("#shell code").allTextContents()).join("\n");
    expect(commands).toContain(`curl -N '${gate.url}/sub/${second}.b10/${first}.b10'`);
    expect(commands).toContain(`sluice pub '${second}/${first}'`);
    await tab.getByRole("button", { name: "Disconnect all" }).click();
    for (const name of lanes) expect(await state(name)).toBe("closed");
    expect(complaints).toEqual([]);
  }, 30_000);

  test("stays in place and bounded while messages arrive", async () => {
    const channel = newChannel();
    await openPage(channel);
    await untilOpen();
    const boxes = `[...document.querySelectorAll(".lane, .log, .tally, .about, .shell")].map((e) => {
      const { x, y, width, height } = e.getBoundingClientRect();
      return [e.className, Math.round(x), Math.round(y), Math.round(width), Math.round(height)].join();
    })`;
    const before = await tab.evaluate(boxes);
    for (let i = 1; i <= 240; i++) {
      await publish(channel, `${i} ${"unbroken".repeat(i % 40)}`);
      if (i % 40 > 0) continue;
      // The store keeps 100, and a long poll that is slower than the publisher would lose the rest.
      await until(`message ${i} in all`, async () => {
        const newest = await Promise.all(
          lanes.map((name) => lane(name).locator(".text").first().textContent()),
        );
        return newest.every((text) => text?.startsWith(`${i} `));
      });
    }
    for (const name of lanes) {
      expect(await lane(name).locator("li").count()).toBeLessThanOrEqual(200);
      expect([name, await lane(name).locator(".count").textContent()]).toEqual([name, "240 messages"]);
    }
    expect(await tab.evaluate(boxes)).toEqual(before);
    expect(complaints).toEqual([]);
  }, 60_000);

  test.each([320, 360])(
    "fits a phone of %d pixels",
    async (width) => {
      const channel = newChannel();
      await openPage(channel, { viewport: { width, height: 740 }, isMobile: true, hasTouch: true });
      await untilOpen();
      await publish(channel, "unbroken".repeat(60));
      await expectTexts(["unbroken".repeat(60)]);
      expect(await tab.evaluate("document.documentElement.scrollWidth")).toBe(width);
      const small =
        `[...document.querySelectorAll("button, input")].filter((e) => ` +
        "e.getBoundingClientRect().height < 40).length";
      expect(await tab.evaluate(small)).toBe(0);
      expect(complaints).toEqual([]);
    },
    30_000,
  );

  test("leaves a second copy connections to publish with", async () => {
    const channel = newChannel();
    await openPage(channel);
    await untilOpen();
    const first = tab;
    tab = await first.context().newPage();
    await tab.goto(`${gate.url}/#${channel}`);
    await untilOpen(["WebSocket"]);
    expect(await state("SSE")).toBe("closed");
    await tab.getByLabel("Message", { exact: true }).fill("from the second");
    await tab.keyboard.press("Enter");
    await expectTexts(["from the second"], ["WebSocket"]);
    tab = first;
    await expectTexts(["from the second"]);
    expect(complaints).toEqual([]);
  }, 30_000);
});

test("the browser code type-checks with the DOM library", async () => {
  const checker = Bun.spawn(["tsc", "--noEmit", "-p", "src/web/client/tsconfig.json"], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, PATH: `${import.meta.dir}/../../node_modules/.bin:${process.env["PATH"]}` },
    stdout: "pipe",
  });
  expect(await new Response(checker.stdout).text()).toBe("");
  expect(await checker.exited).toBe(0);
}, 30_000);
