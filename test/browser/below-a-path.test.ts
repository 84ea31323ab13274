/**
 * The built-in pages in a real browser below a path of an nginx, configured as docs/behind-a-proxy.md has it:
 * what they open is below that path, too. Past fault: all their addresses began at the root.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { freePort, until } from "../binary/running-server.ts";
import { blocks, type FrontProxy, replaced, startNginx } from "../proxies/proxy.ts";
import { startServer, type TestServer } from "./server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const isThere = existsSync(executablePath) && Bun.which("nginx") !== null;
if (!isThere) console.log("skipped: pages below a path: they need chromium and nginx");

describe.skipIf(!isThere)("below /push/", () => {
  let server: TestServer;
  let nginx: FrontProxy;
  let browser: Browser;
  let root: string;

  beforeAll(async () => {
    server = await startServer(freePort());
    const upstream = replaced(blocks("nginx")[0] ?? "", "127.0.0.1:8080", new URL(server.url).host);
    nginx = await startNginx((port) => replaced(upstream, "listen 80", `listen 127.0.0.1:${port}`));
    root = `http://127.0.0.1:${nginx.port}/push/`;
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
    });
  }, 30_000);
  afterAll(async () => {
    await browser?.close();
    await nginx?.stop();
    await server?.stop();
  });

  /** A tab and the paths it asks for. */
  async function open(path: string): Promise<{ page: Page; asked: Set<string>; complaints: string[] }> {
    const page = await browser.newPage();
    const asked = new Set<string>();
    const complaints: string[] = [];
    const note = ({ protocol, pathname }: URL) => protocol !== "data:" && asked.add(pathname);
    page.on("request", (request) => note(new URL(request.url())));
    page.on("websocket", (socket) => note(new URL(socket.url())));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.goto(root + path, { waitUntil: "domcontentloaded" });
    return { page, asked, complaints };
  }

  const outside = (asked: ReadonlySet<string>): string[] =>
    [...asked].filter((path) => !path.startsWith("/push/"));

  test("the page has all four transports, publishes, and names commands that work there", async () => {
    const { page, asked, complaints } = await open("#below");
    const lanes = page.locator("#lanes > *");
    await until("four lanes are open", async () => {
      const states = await lanes.locator(".state-word").allTextContents();
      return states.length === 4 && states.every((state) => state === "open");
    });
    await page.getByLabel("Message", { exact: true }).fill("hello below");
    await page.keyboard.press("Enter");
    await until("it is everywhere", async () => {
      const texts = await lanes.locator("li").allTextContents();
      return texts.filter((text) => text.includes("hello below")).length === 4;
    });
    expect(await page.locator("#shell").textContent()).toContain(`${root}pub?id=below`);
    expect(asked.size).toBeGreaterThan(4);
    expect(outside(asked)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  }, 30_000);

  test("an example finds its channels, and its line for the shell the server", async () => {
    const { page, asked, complaints } = await open("examples/event-source");
    await until("it is connected", async () => (await page.locator("#state").textContent()) === "Connected.");
    await page.fill("#text", "hello");
    await page.press("#text", "Enter");
    await until(
      "it came back",
      async () => (await page.locator("#log").textContent())?.includes("hello") === true,
    );
    expect(await page.locator("pre.shell").textContent()).toContain(`${root}pub?id=example-events`);
    expect(outside(asked)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  }, 30_000);
});
