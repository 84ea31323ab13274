/**
 * The pages under /examples/ in a real browser against the compiled binary with its embedded configuration.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { freePort, until } from "../binary/running-server.ts";
import { startServer, type TestServer } from "./server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const hasBrowser = existsSync(executablePath);

let server: TestServer;
let browser: Browser;
let page: Page;
let complaints: string[] = [];

beforeAll(async () => {
  if (!hasBrowser) return;
  server = await startServer(freePort());
  browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
  });
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});
afterEach(async () => {
  await page?.close();
});

async function open(name: string): Promise<void> {
  page = await browser.newPage({ viewport: { width: 900, height: 1100 } });
  complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  // The film of one page never ends loading.
  await page.goto(`${server.url}/examples/${name}`, { waitUntil: "domcontentloaded" });
}

/** A picture of each page, for people, where the environment names a folder. */
async function picture(name: string): Promise<void> {
  const folder = process.env["SLUICE_SCREENSHOTS"];
  if (folder) await page.screenshot({ path: `${folder}/example-${name}.png`, fullPage: true });
}

const log = (): Promise<string[]> => page.locator("#log li").allTextContents();
const state = async (): Promise<string> => (await page.locator("#state").textContent()) ?? "";
const publish = (channel: string, body: string): Promise<Response> =>
  fetch(`${server.url}/pub?id=${channel}`, { method: "POST", body });

async function say(text: string): Promise<void> {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

const NASTY = `quotes " ' and </script> & 100% é 🎈`;

describe.skipIf(!hasBrowser)("example pages (Chromium)", () => {
  test("the list leads to every page, and each shows its source and a line for the shell", async () => {
    await open("");
    await picture("index");
    const links = await page.locator(".index a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    expect(links.length).toBe(11);
    for (const link of links) {
      await page.goto(new URL(link ?? "", `${server.url}/examples/`).href, { waitUntil: "domcontentloaded" });
      expect(await page.locator("pre.source").textContent()).toContain("<script>");
      expect(await page.locator("pre.shell").textContent()).toContain(new URL(server.url).host);
      expect((await page.title()).endsWith("sluice examples")).toBeTrue();
    }
    expect((await page.goto(`${server.url}/examples/nothing`))?.status()).toBe(404);
  });

  test("streaming lines: a line a second, and Stop ends it", async () => {
    await open("lines");
    await page.click("#start");
    await until("two lines", async () => (await log()).length >= 2);
    await picture("lines");
    await page.click("#stop");
    await until("stopped", async () => (await state()) === "Stopped.");
    expect(complaints).toEqual([]);
  });

  test("WebSocket echo: connect, send, disconnect, clear", async () => {
    await open("echo");
    await page.click("#connect");
    await until("connected", async () => (await state()) === "Connected.");
    await say(NASTY);
    await until("the echo", async () => (await log()).length === 2);
    expect(await log()).toEqual([`→ ${NASTY}`, `← ${NASTY}`]);
    await picture("echo");
    await page.click("#disconnect");
    await until("closed", async () => (await state()) === "Closed, code 1000.");
    await page.click("#clear");
    expect(await log()).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test.each([
    ["event-source", "example-events", "Connected.", false],
    ["long-polling", "example-polls", "", false],
    ["jsonp", "example-jsonp", "", true],
    ["forever-iframe", "example-iframe", "The page is there, and stays.", true],
  ] as const)(
    "%s: what the page publishes comes back, in order, and what others publish",
    async (name, channel, ready, isJson) => {
      await open(name);
      if (ready !== "") await until("ready", async () => (await state()) === ready);
      await until("a subscriber", async () => {
        const answer = await fetch(`${server.url}/channels-stats?id=${channel}`);
        return answer.ok && !(await answer.text()).includes('"subscribers": 0');
      });
      // What runs publishers' scripts may not publish: its origin is nobody's.
      const speak = (text: string): Promise<unknown> =>
        name === "jsonp" ? publish(channel, JSON.stringify(text).replaceAll("<", "\\u003c")) : say(text);
      await speak("one");
      await until("one", async () => (await log()).length === 1);
      await speak(NASTY);
      await until("two", async () => (await log()).length === 2);
      await publish(channel, isJson ? '"three"' : "three");
      await until("three", async () => (await log()).length === 3);
      expect(await log()).toEqual(["one", NASTY, "three"]);
      await picture(name);
      expect(complaints).toEqual([]);
    },
  );

  test("Motion JPEG: published frames are drawn by the image", async () => {
    await open("motion-jpeg");
    await page.click("#start");
    await until("a frame has come back", () =>
      page.locator("#film").evaluate((film) => "naturalWidth" in film && film.naturalWidth === 320),
    );
    await until("ten frames", async () => Number.parseInt(await state(), 10) >= 10);
    await picture("motion-jpeg");
    await page.click("#stop");
    expect(complaints).toEqual([]);
  });

  test("chat: two people in one room, history for the second, and how many are there", async () => {
    await open("chat");
    const first = page;
    const [nameField, textField] = ["#name", "#text"];
    await until("connected", async () => (await state()) === "Connected.");
    await first.fill(nameField, "ann");
    await say("hello");
    await until("said", async () => (await log()).includes("ann: hello"));
    await open("chat");
    await until("history", async () => (await log()).includes("ann: hello"));
    await page.fill(nameField, "bob");
    await page.fill(textField, NASTY);
    await page.press(textField, "Enter");
    await until("both see it", async () =>
      (await first.locator("#log li").allTextContents()).includes(`bob: ${NASTY}`),
    );
    await until("two", async () => (await page.locator("#presence").textContent()) === "2 in the room");
    await picture("chat");
    await first.close();
    expect(complaints).toEqual([]);
  });

  test("dashboard: a burst shows as a rate", async () => {
    await open("dashboard");
    await until("watching", async () => (await state()).startsWith("Watching"));
    await page.click("#burst");
    await until("a rate", async () => Number(await page.locator("#rate").textContent()) > 0);
    await picture("dashboard");
    expect(complaints).toEqual([]);
  });
});
