/**
 * The console in a real browser: live numbers, channels by keyboard, messages as text, a phone's width, and
 * no complaint of the page.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import puppeteer from "puppeteer-core";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

setDefaultTimeout(60_000);

const FIREFOX = process.env["SLUICE_TEST_FIREFOX"] ?? "/usr/bin/firefox-esr";
const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";

describe.skipIf(!existsSync(executablePath))("the console", () => {
  let server: RunningServer;
  let browser: Browser;
  const complaints: string[] = [];

  beforeAll(async () => {
    const toml = `${layout("workers = 2")}\n[[location]]\nmatch = "/console/"\nconsole = true\n`;
    server = await startServer({ toml });
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  async function open(width: number): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width, height: 900 } })).newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(`${server.url}/console/`);
    return page;
  }

  test("shows what is published, finds a channel by keyboard, and shows markup as text", async () => {
    const page = await open(1280);
    await until("the connection", async () => (await page.locator("#state-word").textContent()) === "live");
    for (let count = 0; count < 5; count++)
      await server.publish("markup", `<img src=x onerror=alert(${count})>`);
    const tile = page.locator("#tiles div").filter({ hasText: "Stored messages" }).locator("dd");
    await until("the number", async () => Number(await tile.textContent()) >= 5);
    expect(await page.locator("#plots canvas").count()).toBe(7);
    await page.keyboard.press("Tab");
    expect(await page.locator(":focus").textContent()).toBe("Skip to the content");
    await page.getByRole("link", { name: "Channels", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Name has").fill("mark");
    // Looked after every two seconds: who has come to a row by keyboard stays there.
    await page.getByRole("link", { name: "markup" }).focus();
    await server.publish("markup", "<img src=x onerror=alert(4)>");
    const published = page.locator("#channels td").nth(4);
    await until("the next look", async () => (await published.textContent()) === "6");
    expect(await page.locator(":focus").textContent()).toBe("markup");
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Publish" }).fill("from the console");
    await page.keyboard.press("Enter");
    await until(
      "the message",
      async () => (await page.locator("#messages .text").allTextContents())[0] === "from the console",
    );
    const texts = await page.locator("#messages .text").allTextContents();
    expect(texts[1]).toBe("<img src=x onerror=alert(4)>");
    expect(await page.locator("#messages img").count()).toBe(0);
    // And what is selected stays selected while nothing new comes.
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#messages .text'))");
    await page.waitForResponse((answer) => answer.url().includes("/channel?"));
    await page.evaluate("new Promise((resolve) => setTimeout(resolve))");
    expect(await page.evaluate("String(getSelection())")).toBe("from the console");
    await page.context().close();
  });

  test("fits a phone, comes back after a worker's death, and has nothing to complain of", async () => {
    const page = await open(360);
    await until("the connection", async () => (await page.locator("#state-word").textContent()) === "live");
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(complaints).toEqual([]);
    for (const pid of await server.workerPids()) process.kill(pid, "SIGKILL");
    await page.getByRole("link", { name: "Log" }).click();
    await until("a number", async () => (await page.locator("#state-word").textContent()) === "live");
    await page.context().close();
  });

  test.skipIf(!existsSync(FIREFOX))(
    "in Firefox: plots move, a channel opens, the box publishes",
    async () => {
      const firefox = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true });
      try {
        const page = await firefox.newPage();
        const faults: string[] = [];
        page.on("pageerror", (error) => faults.push(String(error)));
        await page.goto(`${server.url}/console/`);
        const read = (script: string): Promise<unknown> => page.evaluate(script);
        await until(
          "it",
          async () => (await read("document.querySelector('#state-word').textContent")) === "live",
        );
        const pictures = "[...document.querySelectorAll('#plots canvas')].map((one) => one.toDataURL())";
        const before = (await read(pictures)) as string[];
        expect(before.length).toBe(7);
        await server.publish("in-firefox", "first");
        await until("each plot to move", async () =>
          ((await read(pictures)) as string[]).every((picture, at) => picture !== before[at]),
        );
        await read("location.hash = '#channels'");
        await page.locator("#channels a[href='#channel/in-firefox']").click();
        await page.locator("#publish-text").fill("from Firefox");
        await page.keyboard.press("Enter");
        const texts =
          "[...document.querySelectorAll('#messages .text')].map((one) => one.textContent).join()";
        await until("the message", async () => (await read(texts)) === "from Firefox,first");
        expect(await read("document.querySelector('#publish-result').textContent")).toBe("Sent.");
        expect(faults).toEqual([]);
      } finally {
        await firefox.close();
      }
    },
  );
});
