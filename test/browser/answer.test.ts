/**
 * The example pages "An answer that survives a reload" and "An upload with progress" in a real browser:
 * reloads in the middle, a second tab, kill -9 of workers, a reload of the server. The compiled binary with
 * its embedded configuration, two workers.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { DEFAULT_TOML } from "../../src/config/load.ts";
import { type RunningServer, startServer, until } from "../binary/running-server.ts";

setDefaultTimeout(60_000);

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const hasBrowser = existsSync(executablePath);
const WHOLE = /^You asked something, .* in case you come back\.$/s;

let server: RunningServer;
let browser: Browser;

beforeAll(async () => {
  if (!hasBrowser) return;
  server = await startServer({ toml: DEFAULT_TOML, workers: 2 });
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(name: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 900, height: 1100 } });
  await page.goto(`${server.url}/examples/${name}`);
  return page;
}

/** For people, where the environment names a folder. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env["SLUICE_SCREENSHOTS"];
  if (folder) await page.screenshot({ path: `${folder}/example-${name}.png`, fullPage: true });
}

const text = async (page: Page): Promise<string> => (await page.locator("#answer").textContent()) ?? "";
const state = async (page: Page): Promise<string> => (await page.locator("#state").textContent()) ?? "";
const grows = (page: Page, length: number): Promise<void> =>
  until(`${length} letters`, async () => (await text(page)).length >= length, 20_000);

describe.skipIf(!hasBrowser)("an answer (Chromium)", () => {
  test("survives reloads, a killed worker, a reload of the server; a second tab sees the same", async () => {
    const page = await open("answer");
    await page.click("#ask");
    await grows(page, 40);
    await page.reload();
    await grows(page, 60);
    const second = await browser.newPage();
    await second.goto(page.url());
    await grows(second, 80);
    // Whoever makes it goes on in a reload, until it is done.
    const before = await server.workerPids();
    server.process.kill("SIGHUP");
    await until("new workers", () => server.log.includes("reloaded"));
    await page.reload();
    await grows(page, 150);
    // A new one: the old one that makes the answer may be among them yet.
    const victim = (await server.workerPids()).find((pid) => !before.includes(pid));
    if (victim === undefined) throw new Error("there is no new worker");
    process.kill(victim, "SIGKILL");
    await until("the end", async () => /^That was all/.test(await state(page)), 30_000);
    await until("the end in the other tab", async () => /^That was all/.test(await state(second)), 30_000);
    expect(await text(page)).toMatch(WHOLE);
    expect(await text(second)).toBe(await text(page));
    // As the model wrote it: its lines are lines.
    // biome-ignore lint/performance/useDomNodeTextContent: how it is laid out is the question
    expect((await page.locator("#answer").innerText()).trim().split("\n").length).toBe(4);
    await picture(page, "answer");
    expect(await server.metric("sluice_answers_total")).toBeLessThanOrEqual(1);
    await second.close();
    await page.close();
  });

  test("can be called off from any tab, and says so", async () => {
    const page = await open("answer");
    await page.click("#ask");
    await grows(page, 20);
    const second = await browser.newPage();
    await second.goto(page.url());
    await grows(second, 20);
    await second.click("#call-off");
    await until("its end", async () => (await state(page)) === "It ended early: the answer was called off.");
    await second.close();
    await page.close();
  });
});

describe.skipIf(!hasBrowser)("an upload (Chromium)", () => {
  test("shows how far the server is, by a channel, and what it got", async () => {
    const page = await open("upload");
    await page.click("#made-up");
    await until("all of it", async () => (await state(page)) === "The server has 8,388,608 bytes.");
    const hash = new Bun.CryptoHasher("sha256").update(new Uint8Array(8 * 1024 ** 2).fill(7)).digest("hex");
    await until("its hash", async () =>
      ((await page.locator("#log li").last().textContent()) ?? "").includes(hash),
    );
    await picture(page, "upload");
    // A file's name is longer than a telephone is wide, and stood out of its frame.
    await page.setViewportSize({ width: 390, height: 800 });
    const name = "a file with a rather long name, of a holiday in the mountains, 2026-11-29.bin";
    await page.setInputFiles("#file", {
      name,
      mimeType: "application/octet-stream",
      buffer: Buffer.from("x"),
    });
    const right = async (element: string): Promise<number> => {
      const box = await page.locator(element).boundingBox();
      return (box?.x ?? 0) + (box?.width ?? 0);
    };
    expect(await right("#file")).toBeLessThanOrEqual(await right("#form"));
    await page.close();
  });
});
