/**
 * A foreign page in a real browser, whose user is somebody here: his cookie goes along with whatever the page
 * asks. It must not publish, listen or reach a loopback server by a name of its own; the page that is listed
 * can do all of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium } from "playwright-core";
import { SECRET, withSecret } from "../access/issuing.ts";
import { type RunningServer, startServer } from "../binary/running-server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";
const isThere = existsSync(executablePath);
if (!isThere) console.log("skipped: foreign pages: they need chromium");

const servePage = () =>
  Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () =>
      new Response("<!doctype html><title>a page</title>", { headers: { "Content-Type": "text/html" } }),
  });

const location = (lines: string, origin: string): string => `
[[location]]
${lines}
token_issuers = ["app"]
token = ["cookie:session"]
allowed_origins = "${origin}"
`;

const config = (origin: string): string => `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
${location('match = "= /pub"\npublisher = "admin"\nchannels_path = "$arg_id"\nstore_messages = true', origin)}
${location('match = "~ ^/ev/(.*)$"\nsubscriber = "eventsource"\nchannels_path = "$1"', origin)}
${location('match = "~ ^/lp/(.*)$"\nsubscriber = "long-polling"\nchannels_path = "$1"', origin)}
${location(
  'match = "~ ^/ws/(.*)$"\nsubscriber = "websocket"\nchannels_path = "$1"\n' +
    "websocket_allow_publish = true\nstore_messages = true",
  origin,
)}
[[location]]
match = "= /channels-stats"
statistics = true
channels_path = "$arg_id"
access = ["allow 127.0.0.1", "deny all"]
`;

/** What a page tries, one after the other, with what came of it. */
const attempts = (port: number): string => `(async () => {
  const url = "http://localhost:${port}";
  const include = { credentials: "include" };
  const said = async (what) => {
    const late = new Promise((_, refuse) => setTimeout(() => refuse(new Error("nothing")), 1500));
    try { return String(await Promise.race([what, late])); } catch (error) { return error.name; }
  };
  const text = async (path, init) => {
    const response = await fetch(url + path, init);
    return response.type + " " + response.status + " " + (await response.text());
  };
  const source = () => new Promise((resolve, reject) => {
    const events = new EventSource(url + "/ev/room.b5", { withCredentials: true });
    events.onmessage = ({ data }) => resolve("event " + data);
    events.onerror = () => reject(new Error("no events"));
  });
  const socket = () => new Promise((resolve, reject) => {
    const opened = new WebSocket(url.replace("http", "ws") + "/ws/room.b5");
    opened.onopen = () => opened.send("from the socket");
    opened.onmessage = ({ data }) => resolve("message " + data);
    opened.onerror = () => reject(new Error("no socket"));
  });
  const form = () => new Promise((resolve) => {
    const form = document.createElement("form");
    const action = url + "/pub?id=room";
    Object.assign(form, { method: "POST", enctype: "text/plain", action, target: "sink" });
    form.innerHTML = '<input name="a" value="by a form">';
    const sink = document.createElement("iframe");
    Object.assign(sink, { name: "sink", onload: () => resolve("sent") });
    document.body.append(sink, form);
    form.submit();
  });
  return {
    source: await said(source()),
    socket: await said(socket()),
    poll: await said(text("/lp/room.b5", include)),
    post: await said(text("/pub?id=room", { method: "POST", body: "by cors", ...include })),
    blind: await said(text("/pub?id=room", { method: "POST", body: "blindly", mode: "no-cors", ...include })),
    form: await said(form()),
    drop: await said(text("/pub?id=room", { method: "DELETE", ...include })),
  };
})()`;

describe.skipIf(!isThere)("a page of another origin", () => {
  const listed = servePage();
  const foreign = servePage();
  let server: RunningServer;
  let plain: RunningServer;
  let browser: Browser;
  let user: BrowserContext;

  beforeAll(async () => {
    process.env["HUB_KEY"] = SECRET;
    server = await startServer({ toml: config(`http://localhost:${listed.port}`) });
    plain = await startServer();
    browser = await chromium.launch({
      executablePath,
      args: [
        ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        // Newer browsers ask before a page reaches this machine. That is not what is tried here.
        "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
      ],
    });
    user = await browser.newContext();
    const value = await withSecret({ sub: "user", channels: { subscribe: ["room"], publish: ["room"] } });
    await user.addCookies([{ name: "session", value, url: `http://localhost:${server.port}` }]);
  }, 30_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await plain?.stop();
    await Promise.all([listed, foreign].map((page) => page.stop(true)));
  });

  const stored = async (): Promise<number> => (await server.statistics("room")).stored_messages;
  const session = async (): Promise<string> =>
    (await user.cookies(`http://localhost:${server.port}`))
      .map(({ name, value }) => `${name}=${value}`)
      .join();

  test("can neither publish nor listen with the user's cookie; the listed one can", async () => {
    const Cookie = await session();
    const kept = await server.request("/pub?id=room", {
      method: "POST",
      body: "secret",
      headers: { Cookie },
    });
    expect(kept.status).toBe(200);
    const bad = await user.newPage();
    await bad.goto(`http://localhost:${foreign.port}/`);
    const refused = await bad.evaluate(attempts(server.port));
    expect(JSON.stringify(refused)).not.toContain("secret");
    expect(refused).toMatchObject({
      source: "Error",
      socket: "Error",
      poll: "TypeError",
      post: "TypeError",
      drop: "TypeError",
    });
    // A form and a blind POST were sent, and came to nothing.
    expect(await stored()).toBe(1);
    expect((await server.summary()).subscribers).toBe(0);
    const good = await user.newPage();
    await good.goto(`http://localhost:${listed.port}/`);
    const answers = await good.evaluate(attempts(server.port));
    expect(answers).toMatchObject({
      source: "event secret",
      socket: "message secret",
      poll: expect.stringMatching(/^cors 200 secret/),
      post: expect.stringMatching(/^cors 200 /),
      drop: "cors 200 ",
    });
  }, 60_000);

  test("cannot reach a loopback server by a name of its own that points there", async () => {
    const page = await user.newPage();
    const evil = `http://rebound.example:${plain.port}/`;
    await page.goto(evil).catch(() => null);
    // The page that came from its owner's server, before the name pointed here.
    const html = "<!doctype html><title>rebound</title>";
    await page.route(evil, (route) => route.fulfill({ contentType: "text/html", body: html }));
    await page.goto(evil);
    const within = await page.evaluate(`(async () => {
      const status = async (path, init) => (await fetch(path, init)).status;
      const socket = await new Promise((resolve) => {
        const opened = new WebSocket("ws://" + location.host + "/ws/a");
        opened.onopen = () => resolve("open");
        opened.onerror = () => resolve("refused");
      });
      const published = await status("/pub?id=a", { method: "POST", body: "x" });
      return [published, await status("/sub/a.b1"), await status("/channels-stats"), socket];
    })()`);
    expect(within).toEqual([403, 403, 403, "refused"]);
    expect((await page.goto(`http://localhost:${plain.port}/`))?.status()).toBe(200);
    expect((await plain.statistics("a")).published_messages).toBe(0);
  }, 30_000);
});
