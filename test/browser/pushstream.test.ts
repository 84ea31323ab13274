/** The PushStream client in a real browser against a real server, in all its modes: push-stream spec 9. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { type RunningServer, until } from "../binary/running-server.ts";
import { openPushPage, startPushServer } from "./pushstream-server.ts";

const executablePath = process.env["SLUICE_TEST_BROWSER"] ?? "/usr/bin/chromium";

/** What is said to the page's `start`; a long poll by script needs a server that answers `callback=`. */
const MODES = {
  eventsource: { modes: "eventsource" },
  websocket: { modes: "websocket" },
  stream: { modes: "stream" },
  longpolling: { modes: "longpolling" },
  "longpolling by script": { modes: "longpolling", useJSONP: true },
} as const;

/** Texts that templates and parsers could stumble over. */
const TEXTS = [
  "plain",
  `"quotes' and </script>`,
  "}{ {}",
  "100% ~id~",
  "line\r\nbreak",
  "héé 🎈",
  "+ &=",
  "last",
];

type Told = readonly (readonly unknown[])[];
type Options = Readonly<Record<string, unknown>>;
type Channels = Readonly<Record<string, { readonly backtrack?: number }>>;

let server: RunningServer;
let browser: Browser;
let tab: Page;
let complaints: string[] = [];
let channelNumber = 0;
const fresh = () => `push${++channelNumber}`;

/** The apostrophe as well, because templates of the stream mode put texts between apostrophes. */
const publish = (channel: string, text: string) =>
  server.publish(channel, encodeURIComponent(text).replaceAll("'", "%27"));

/** The page's variables `told` and `client`, by scripts that run there. */
const told = (): Promise<Told> => tab.evaluate("told");
const start = (options: Options, channels: Channels): Promise<void> =>
  tab.evaluate(`void (client = start(${JSON.stringify(options)}, ${JSON.stringify(channels)}))`);
const run = (script: string): Promise<unknown> => tab.evaluate(script);
const messages = async () =>
  (await told()).filter(([kind]) => kind === "message").map(([, text, channel]) => [channel, text]);
const texts = async () => (await messages()).map(([, text]) => text);

async function open(options: Options, channels: Channels, origin = server.url): Promise<void> {
  tab = await openPushPage(browser, origin);
  complaints = [];
  tab.on("pageerror", (error) => complaints.push(error.message));
  await start(options, channels);
  await until("open", async () => (await told()).some(([kind, value]) => kind === "status" && value === 2));
  const [channel = ""] = Object.keys(channels);
  await until("subscribed", async () => (await server.statistics(channel)).subscribers === 1);
}

async function expectTexts(expected: readonly string[]): Promise<void> {
  await until(`${expected.length} messages`, async () => (await texts()).length >= expected.length).catch(
    () => undefined,
  );
  expect(await texts()).toEqual([...expected]);
}

describe.skipIf(!existsSync(executablePath))("PushStream", () => {
  beforeAll(async () => {
    server = await startPushServer();
    browser = await chromium.launch({
      executablePath,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
      ],
    });
  }, 30_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });
  afterEach(async () => {
    await tab?.context().close();
  });

  describe.each(Object.entries(MODES))("%s", (_name, options) => {
    test("messages in order, what the page sends, and a deleted channel", async () => {
      const channel = fresh();
      await publish(channel, "old");
      await publish(channel, "stored");
      await open({ ...options, reconnectOnTimeoutInterval: 60_000 }, { [channel]: { backtrack: 1 } });
      for (const text of TEXTS) await publish(channel, text);
      await expectTexts(["stored", ...TEXTS]);
      await run(`client.sendMessage("from the page: 100% é'-alert()-'", () => told.push(["sent"]))`);
      await expectTexts(["stored", ...TEXTS, "from the page: 100% é'-alert()-'"]);
      expect(await told()).toContainEqual(["sent"]);
      // A poll may be between two requests, and nobody is told about a deletion later.
      await until("subscribed", async () => (await server.statistics(channel)).subscribers === 1);
      await server.request(`/pub?id=${channel}`, { method: "DELETE" });
      await until("the deletion", async () => (await told()).some(([kind]) => kind === "deleted"));
      expect(await told()).toContainEqual(["deleted", channel]);
      await run("client.disconnect()");
      expect(await run("client.readyState")).toBe(0);
      expect(complaints).toEqual([]);
    }, 30_000);

    test("the server ends the connection again and again: nothing is lost, nothing comes twice", async () => {
      const [one, two] = [fresh(), fresh()];
      const prefixes = {
        urlPrefixEventsource: "/brief/ev",
        urlPrefixWebsocket: "/brief/ws",
        urlPrefixStream: "/brief/sub",
        urlPrefixLongpolling: "/brief/lp",
      };
      const timing = { reconnectOnTimeoutInterval: 150, timeout: 1000 };
      const control = { messagesControlByArgument: true };
      await open({ ...options, ...prefixes, ...timing, ...control }, { [one]: {}, [two]: {} });
      const expected: string[] = [];
      for (let number = 1; number <= 40; number++) {
        expected.push(`${number}`);
        await publish(number % 3 === 0 ? two : one, `${number}`);
        await Bun.sleep(60);
      }
      await until("all", async () => new Set(await texts()).size >= expected.length).catch(() => undefined);
      const ofChannel = async (name: string) =>
        (await messages()).filter(([channel]) => channel === name).map(([, text]) => text);
      expect(await ofChannel(one)).toEqual(expected.filter((text) => Number(text) % 3 !== 0));
      expect(await ofChannel(two)).toEqual(expected.filter((text) => Number(text) % 3 === 0));
      expect(complaints).toEqual([]);
    }, 30_000);
  });

  test("long polls by header: several channels, interrupted all the time, nothing lost", async () => {
    const [one, two] = [fresh(), fresh()];
    const options = { modes: "longpolling", urlPrefixLongpolling: "/brief/lp" };
    await publish(one, "old");
    await open(options, { [one]: { backtrack: 3 }, [two]: {} });
    const expected = ["old"];
    for (let number = 1; number <= 60; number++) {
      expected.push(`${number}`);
      await publish(number % 2 === 0 ? one : two, `${number}`);
      // Now and then longer than a poll lasts, now and then none at all: a burst comes as a batch.
      if (number % 5 === 0) await Bun.sleep(number % 20 === 0 ? 900 : 20);
    }
    await until("all", async () => new Set(await texts()).size >= expected.length).catch(() => undefined);
    expect((await texts()).toSorted()).toEqual(expected.toSorted());
    expect(await told()).not.toContainEqual(["error", "timeout"]);
  }, 30_000);

  test("a page of another origin polls by script without being told", async () => {
    const channel = fresh();
    const { port } = server;
    await open({ modes: "longpolling", host: "127.0.0.1" }, { [channel]: {} }, `http://localhost:${port}`);
    await publish(channel, "across");
    await expectTexts(["across"]);
    expect(
      await run(
        "performance.getEntriesByType('resource').filter((one) => " +
          "one.name.includes('/lp/')).at(-1).initiatorType",
      ),
    ).toBe("script");
  }, 20_000);

  test("without EventSource and WebSocket the next mode is taken; an added channel is heard", async () => {
    const [one, two] = [fresh(), fresh()];
    tab = await openPushPage(browser, server.url);
    await run("delete window.EventSource; delete window.WebSocket");
    await start({}, { [one]: {} });
    await until("the frame", async () => (await server.statistics(one)).subscribers === 1);
    expect(await run("document.querySelectorAll('iframe').length")).toBe(1);
    await run(`client.addChannel("${two}")`);
    await until("both", async () => (await server.statistics(two)).subscribers === 1);
    await publish(one, "first");
    await publish(two, "second");
    await expectTexts(["first", "second"]);
    expect(await run("document.querySelectorAll('iframe').length")).toBe(1);
    expect(await run("[PushStreamManager.length, PushStreamManager[0] === client]")).toEqual([1, true]);
  }, 20_000);

  test("a stream that is connected before the page has loaded does not hold up its load event", async () => {
    const channel = fresh();
    tab = await openPushPage(browser, server.url);
    const early = { modes: "stream" };
    await tab.addInitScript(
      `addEventListener("DOMContentLoaded", () => start(${JSON.stringify(early)}, { ${channel}: {} }))`,
    );
    await tab.reload({ waitUntil: "load", timeout: 10_000 });
    await until("subscribed", async () => (await server.statistics(channel)).subscribers === 1);
  }, 20_000);

  test("a location that is not there is a load error in every mode", async () => {
    for (const options of Object.values(MODES)) {
      tab = await openPushPage(browser, server.url);
      const nowhere = Object.fromEntries(
        ["Eventsource", "Websocket", "Stream", "Longpolling"].map((mode) => [`urlPrefix${mode}`, "/nowhere"]),
      );
      await start({ ...options, ...nowhere }, { [fresh()]: {} });
      await until(`${options.modes} fails`, async () => (await told()).some(([kind]) => kind === "error"));
      expect([options.modes, ...(await told())]).toEqual([
        options.modes,
        ["status", 1],
        ["status", 0],
        ["error", "load"],
      ]);
      await tab.context().close();
    }
  }, 30_000);
});
