/**
 * How long messages and channels live: push-stream spec 6.2 to 6.4, seen through statistics. Clocks are real,
 * so the waits are wide.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const LIVE = '\n[[location]]\nmatch = "= /live"\npublisher = "normal"\nchannels_path = "$arg_id"\n';
const KNOWN =
  '\n[[location]]\nmatch = "~ ^/known/(.*)$"\nsubscriber = "streaming"\nchannels_path = "$1"\n' +
  "authorized_channels_only = true\n";
/** Messages live for a second, channels for two. */
const brief = layout('[store]\nmessage_ttl = "1s"\nchannel_inactivity_time = "2s"') + LIVE + KNOWN;
const lasting = layout('[store]\nmessage_ttl = "1h"\nchannel_inactivity_time = "1s"') + LIVE;

let server: RunningServer;
let keeper: RunningServer;
beforeAll(async () => {
  [server, keeper] = await Promise.all([startServer({ toml: brief }), startServer({ toml: lasting })]);
});
afterAll(async () => {
  await Promise.all([server.stop(), keeper.stop()]);
});

type Numbers = Readonly<Record<string, number>>;
const summary = async (of: RunningServer): Promise<Numbers> =>
  JSON.parse((await ask(of.port, "/channels-stats")).body.toString());
const statusOf = async (of: RunningServer, channel: string): Promise<number> =>
  (await ask(of.port, `/channels-stats?id=${channel}`)).status;
const open = async (of: RunningServer, path: string): Promise<RawConnection> => {
  const connection = await RawConnection.open(of.port);
  connection.request(path);
  return connection;
};
const WITHIN_MS = 20_000;

test.concurrent("a message and its channel: stored, expired into the trash, collected, emptied", async () => {
  await server.publish("short", "x");
  expect(await server.statistics("short")).toMatchObject({ published_messages: 1, stored_messages: 1 });
  expect((await summary(server))["messages_in_trash"]).toBe(0);
  await until("expired", async () => (await server.statistics("short")).stored_messages === 0, WITHIN_MS);
  expect(await summary(server)).toMatchObject({
    stored_messages: 0,
    messages_in_trash: 1,
    channels: 1,
    published_messages: 1,
  });
  // A channel without messages is not known any more (3.7), and gives nothing old.
  expect((await ask(server.port, "/known/short")).status).toBe(403);
  expect((await ask(server.port, "/poll/short.b9")).status).toBe(304);
  const headers = { "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT", "If-None-Match": "0" };
  expect((await ask(server.port, "/poll/short", { headers })).status).toBe(304);
  await until("collected", async () => (await statusOf(server, "short")) === 404, WITHIN_MS);
  expect(await summary(server)).toMatchObject({ channels: 0, channels_in_trash: 1, channels_in_delete: 0 });
  // Made anew it starts at id 1.
  expect((await server.publish("short", "y")).text).toContain('"published_messages": 1,');
}, 60_000);

describe("a channel without stored messages is collected when nobody used it for a while (6.4)", () => {
  const cases: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["made by an empty publish", () => ask(keeper.port, "/pub?id=unused-0", { method: "POST", body: "" })],
    ["unstored messages only", () => ask(keeper.port, "/live?id=unused-1", { method: "POST", body: "x" })],
  ];
  test.concurrent.each(cases.map(([name, make], i) => [name, make, i] as const))(
    "%s",
    async (_name, make, i) => {
      await make();
      expect(await statusOf(keeper, `unused-${i}`)).toBe(200);
      await until("collected", async () => (await statusOf(keeper, `unused-${i}`)) === 404, WITHIN_MS);
    },
    60_000,
  );

  test.concurrent("not while someone stands in it, nor while it stores a message", async () => {
    const names = ["held-stream", "held-poll", "stored", "idle"];
    const stream = await open(keeper, "/ev/held-stream");
    const poll = await open(keeper, "/lp/held-poll");
    await stream.head();
    await standing(keeper.port, "held-poll");
    await keeper.publish("stored", "x");
    await ask(keeper.port, "/pub?id=idle", { method: "POST", body: "" });
    // Once the idle one is gone a sweep has come by after its time; the others had the same time and more.
    await until("idle is collected", async () => (await statusOf(keeper, "idle")) === 404, WITHIN_MS);
    await Bun.sleep(1500);
    const left: string[] = [];
    for (const name of names) if ((await statusOf(keeper, name)) === 200) left.push(name);
    expect(left).toEqual(["held-stream", "held-poll", "stored"]);
    stream.close();
    poll.close();
    for (const name of ["held-stream", "held-poll"])
      await until(`${name} is collected`, async () => (await statusOf(keeper, name)) === 404, WITHIN_MS);
    expect(await statusOf(keeper, "stored")).toBe(200);
  }, 60_000);

  test.concurrent("a channel that is used again and again stays", async () => {
    const startedMs = Date.now();
    await ask(keeper.port, "/live?id=busy", { method: "POST", body: "x" });
    let used = 1;
    while (Date.now() - startedMs < 3000) {
      const answer = await ask(keeper.port, "/live?id=busy", { method: "POST", body: "x" });
      used++;
      expect(answer.body.toString()).toContain(`"published_messages": ${used},`);
      await Bun.sleep(100);
    }
  }, 60_000);
});

test.concurrent("max_messages_stored_per_channel drops the oldest right after a publish (6.2)", async () => {
  const limited = await startServer({ toml: layout("[store]\nmax_messages_stored_per_channel = 2") });
  for (const text of ["1", "2", "3", "4"]) await limited.publish("few", text);
  expect(await limited.statistics("few")).toMatchObject({ published_messages: 4, stored_messages: 2 });
  expect((await ask(limited.port, "/poll/few.b9")).body.toString()).toBe("34");
  await limited.stop();
});
