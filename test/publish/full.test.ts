/**
 * A store that is too small: push-stream spec 6.5 as changed by 12.4. The oldest messages go first; 500 only
 * for what can never fit.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { channelInfo, expectAntiCache, expectHeaderOnly, expectJson } from "../binary/answer-checks.ts";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const MIB = 1024 * 1024;
const config = layout('[store]\nsize = "2MiB"\nchannels = 16\n[limits]\nmax_body_size = "8MiB"');

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

const send = (id: string, method: string, body: string | Uint8Array) =>
  ask(server.port, `/pub?id=${id}`, { method, body });
const huge = Buffer.alloc(4 * MIB, "h");

test("a message larger than the store: 500, the connection ends, all else is as before", async () => {
  await send("one", "POST", "x");
  for (const id of ["one", "one/two"]) {
    const connection = await RawConnection.open(server.port);
    connection.request(`/pub?id=${id}`, { method: "POST", body: huge });
    const answer = await connection.answer();
    // nginx's page, not the module's header-only answer (spec 2.3).
    expect([answer.status, answer.fields.get("content-type"), answer.fields.get("connection")]).toEqual([
      500,
      "text/html",
      "close",
    ]);
    expect(answer.body.toString()).toContain("<h1>500 Internal Server Error</h1>");
    expectAntiCache(answer);
    expect((await connection.untilEnd()).length).toBe(0);
  }
  expectJson(await send("one", "POST", "y"), channelInfo("one", 2, 2));
  expect((await ask(server.port, "/poll/one.b9")).body.toString()).toBe("xy");
});

test("a deletion text larger than the store: 500 without a word, the channel can be deleted", async () => {
  await send("stays", "POST", "x");
  const answer = await send("stays", "DELETE", huge);
  expectHeaderOnly(answer, { status: 500 });
  expectAntiCache(answer);
  expectJson(await ask(server.port, "/pub?id=stays"), channelInfo("stays", 1, 1));
  expectHeaderOnly(await send("stays", "DELETE", ""), { status: 200, explain: "Channel deleted." });
});

test("more than fits: every publish is answered 200, the oldest go first, the newest are there", async () => {
  const filler = Buffer.alloc(100_000, ".");
  for (let count = 1; count <= 60; count++) {
    filler.write(`<${count}>`.padEnd(6));
    expect((await send("full", "POST", filler)).status).toBe(200);
  }
  const { stored_messages: stored, published_messages: published } = await server.statistics("full");
  expect(published).toBe(60);
  expect(stored).toBeWithin(5, 60);
  const body = (await ask(server.port, "/poll/full.b99")).body.toString();
  const kept = [...body.matchAll(/<(\d+)>/g)].map(([, count]) => Number(count));
  expect(kept).toEqual(Array.from({ length: stored }, (_, i) => 61 - stored + i));
});

test("no room for another channel: 503 for both sides, one line in the log; others work on", async () => {
  let made = 0;
  let answer = await send(`room-${made}`, "POST", "x");
  while (answer.status === 200 && made < 100) answer = await send(`room-${++made}`, "POST", "x");
  expect(made).toBeLessThan(17);
  const explain = "No room for another channel.";
  expectHeaderOnly(answer, { status: 503, explain });
  expect(answer.fields.get("retry-after")).toBe("1");
  for (const path of ["/sub/no-room", "/lp/no-room"])
    expectHeaderOnly(await ask(server.port, path), { status: 503, explain });
  expect((await ask(server.port, "/poll/no-room")).status).toBe(304);
  expect(await server.metric("sluice_channel_records ")).toBe(16);
  expect(await server.metric("sluice_channel_records_used ")).toBe(16);
  expect(await server.metric("sluice_roomless_channels_total ")).toBe(3);
  await until("it is in the log", () => server.log.includes("no room for another channel"));
  expect(server.log).toMatch(/no room for another channel;.*channel_records=16 used=16/);
  expect((await send("room-0", "POST", "y")).status).toBe(200);
  expect((await send("room-0", "DELETE", "")).status).toBe(200);
});
