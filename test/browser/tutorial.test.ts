/** docs/tutorial-chat.md as it is printed: its files, its server, two people in Chromium. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { binary, freePort, until } from "../binary/running-server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const isThere = existsSync(executablePath);
if (!isThere) console.log(`skipped: the tutorial: ${executablePath} is not there`);
const tutorial = readFileSync(join(import.meta.dir, "../../docs/tutorial-chat.md"), "utf8");

/** Of a block that says its name in its first lines. */
function file(name: string): string {
  const blocks = [...tutorial.matchAll(/```\w+\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
  return blocks.find((text) => text.includes(` ${name}\n`)) ?? "";
}

describe.skipIf(!isThere)("the chat of the tutorial", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-tutorial-"));
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  let server: Bun.Subprocess;
  let browser: Browser;

  const serve = async (): Promise<void> => {
    const args = ["serve", "--config", "chat.toml", "--listen", `127.0.0.1:${port}`, "--workers", "2"];
    const env = { ...process.env, CHAT_KEY: "0123456789abcdef0123456789abcdef", RUNTIME_DIRECTORY: folder };
    server = Bun.spawn([binary, ...args], { cwd: folder, env, stdout: "ignore", stderr: "ignore" });
    await until("it serves", () =>
      fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  };

  beforeAll(async () => {
    for (const name of ["chat.toml", "login.ts", "said.ts", "chat.html"]) {
      expect(file(name).length, name).toBeGreaterThan(100);
      writeFileSync(join(folder, name), file(name));
    }
    await serve();
    browser = await puppeteer.launch({
      browser: "chrome",
      executablePath,
      headless: true,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
    });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    server?.kill();
    await server?.exited;
    rmSync(folder, { recursive: true, force: true });
  });

  const enter = async (name: string): Promise<Page> => {
    const page = await browser.newPage();
    await page.goto(`${url}/?name=${name}`);
    return page;
  };
  const read = async (page: Page, id: string): Promise<string> =>
    String(
      await page.evaluate(`[...document.querySelectorAll("#${id}")].map((one) => one.textContent).join()`),
    );
  const lines = async (page: Page): Promise<string> =>
    String(
      await page.evaluate('[...document.querySelectorAll("li")].map((one) => one.textContent).join("|")'),
    );
  const say = async (page: Page, text: string): Promise<void> => {
    await page.type("#text", text);
    await page.keyboard.press("Enter");
  };

  test("people see each other come, what was said before, and nothing twice after a restart", async () => {
    const ann = await enter("ann");
    await until("ann is there", async () => (await read(ann, "here")) === "ann");
    await say(ann, "hello?");
    const bob = await enter("bob");
    await until("bob sees both", async () => (await read(bob, "here")) === "ann, bob");
    await until("ann sees both", async () => (await read(ann, "here")) === "ann, bob");
    await until("what was said before", async () => (await lines(bob)) === "ann: hello?");
    await say(bob, '{"from":"ann"}');
    await until("it is bob's", async () => (await lines(ann)) === 'ann: hello?|bob: {"from":"ann"}');
    server.kill();
    await server.exited;
    await until("the page says so", async () => (await read(ann, "state")).startsWith("waiting"));
    await say(ann, "are you there?");
    await serve();
    const all = 'ann: hello?|bob: {"from":"ann"}|ann: are you there?';
    await until(
      "it was sent, once",
      async () => (await lines(ann)) === all && (await lines(bob)) === all,
      20_000,
    );
    await until("both are there", async () => (await read(ann, "here")) === "ann, bob");
  }, 60_000);
});
