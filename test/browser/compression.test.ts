/**
 * permessage-deflate with a real browser: Chromium agrees to what is offered, reads what was compressed once
 * for all, and is read.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const isThere = existsSync(executablePath);
if (!isThere) console.log("skipped: compressed WebSockets in a browser: they need chromium");

describe.skipIf(!isThere)("compressed WebSockets in Chromium", () => {
  let server: RunningServer;
  let browser: Browser;
  beforeAll(async () => {
    const ws =
      "websocket_compression = true\nwebsocket_allow_publish = true\n" +
      'store_messages = true\nallowed_origins = "*"';
    server = await startServer({ toml: layout("", { ws, poll: 'message_template = "~text~;"' }) });
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("fifty messages of all sizes come whole and in order; what the page says is published", async () => {
    const page = await browser.newPage();
    const heard: string[] = [];
    await page.exposeFunction("heard", (text: string) => heard.push(text));
    const open = `new Promise((resolve) => {
      window.socket = new WebSocket("ws://127.0.0.1:${server.port}/ws/page");
      window.socket.onmessage = ({ data }) => window.heard(data);
      window.socket.onopen = () => resolve(window.socket.extensions);
    })`;
    expect(await page.evaluate(open)).toContain("permessage-deflate");
    const texts = Array.from({ length: 50 }, (_, at) => `${at} ${"text and more text ".repeat(at * at)}`);
    for (const text of texts) await server.publish("page", text);
    await until("all of them", () => heard.length === texts.length);
    expect(heard).toEqual(texts);
    const said = "said by a page ".repeat(500);
    await page.evaluate(`window.socket.send(${JSON.stringify(said)})`);
    await until("what it said", async () => (await server.request("/poll/page.b1")).text === `${said};`);
  }, 30_000);
});
