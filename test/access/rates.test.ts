/**
 * `rate`: token buckets by who it is, else by address, on the compiled binary and alone with a clock of their
 * own.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Rates, rateKey } from "../../src/access/rates.ts";
import { readRate } from "../../src/config/checks/access-checks.ts";
import { UNIX_PEER } from "../../src/http/peer.ts";
import { ask, RawConnection } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { ALL_SETTINGS, removeFolders, startHandlers } from "../handlers/handler-server.ts";
import { SECRET, withSecret } from "./issuing.ts";

setDefaultTimeout(30_000);
afterAll(removeFolders);

test.each([
  ["100/s", { perSec: 100, most: 100, status: 429 }],
  ["100/s burst 200", { perSec: 100, most: 201, status: 429 }],
  ["30/m burst 0 status 503", { perSec: 0.5, most: 1, status: 503 }],
  ["1/h", { perSec: 1 / 3600, most: 1, status: 429 }],
  ["0/s", null],
  ["1/d", null],
  ["1/s burst", null],
  ["1/s status 200", null],
  ["-1/s", null],
  ["99999999/s", null],
])("the rate %p", (text, rate) => {
  expect(readRate(text)).toEqual(rate as never);
});

describe("buckets", () => {
  test("give what was saved, and then as many as the rate says", () => {
    let nowMs = 0;
    const rates = new Rates({ perSec: 10, most: 3, status: 429 }, () => nowMs);
    const took = (count: number): number =>
      Array.from({ length: count }, () => rates.take("a")).filter(Boolean).length;
    expect(took(5)).toBe(3);
    nowMs = 250;
    expect(took(5)).toBe(2);
    nowMs = 10_000;
    expect(took(5)).toBe(3);
    expect(rates.take("b")).toBe(true);
    expect(rates.has("a")).toBe(false);
  });

  test("are bounded, whoever comes", () => {
    const rates = new Rates({ perSec: 1, most: 1, status: 429 });
    for (let client = 0; client < 50_000; client++) rates.take(`a ${client}`);
    expect(rates.size).toBe(10_000);
  });

  test("one for a name, an IPv4 address, a network of IPv6 addresses that one customer has", () => {
    const key = (address: string): string => rateKey(null, () => ({ kind: "ip", address }));
    expect(key("192.0.2.1")).not.toBe(key("192.0.2.2"));
    expect(key("2001:db8:0:1::1")).toBe(key("2001:db8:0:1:ffff::2"));
    expect(key("2001:db8:0:1::1")).not.toBe(key("2001:db8:0:2::1"));
    // A name is never taken for an address, whatever it is.
    expect(rateKey("192.0.2.1", () => UNIX_PEER)).not.toBe(key("192.0.2.1"));
    expect(rateKey("unix", () => UNIX_PEER)).not.toBe(rateKey(null, () => UNIX_PEER));
  });
});

const TOML = `
[[issuer]]
name = "app"
algorithms = ["HS256"]
key = "env:HUB_KEY"
[[location]]
match = "= /pub"
publisher = "normal"
channels_path = "$arg_id"
rate = "1/h burst 2"
[[location]]
match = "~ ^/poll/(.*)$"
subscriber = "polling"
channels_path = "$1"
token_issuers = ["app"]
rate = "1/h burst 2 status 503"
[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
event_ids = "auto"
rate = "1/h"
[[location]]
match = "~ ^/ws/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_publish = true
rate = "1/h burst 3"
[[location]]
match = "= /any"
publisher = "normal"
channels_path = "a"
satisfy = "any"
access = ["allow all"]
token_issuers = ["app"]
rate = "1/h burst 0"
`;

describe.each(ALL_SETTINGS.filter(({ workers }) => workers === 1))("rate, $listener listener", (setting) => {
  let server: RunningServer;
  beforeAll(async () => {
    process.env["HUB_KEY"] = SECRET;
    server = await startHandlers(setting, { files: {}, toml: TOML });
  });
  afterAll(async () => {
    await server.stop();
  });
  const post = (path: string) => ask(server.port, path, { method: "POST", body: "x" });

  test("what is too much is 429, says when to come again, and is counted by address", async () => {
    const statuses = [];
    for (let asked = 0; asked < 4; asked++) statuses.push((await post("/pub?id=a")).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect((await post("/pub?id=a")).fields.get("retry-after")).toBe("3600");
    // A browser asks before it asks.
    expect((await ask(server.port, "/pub?id=a", { method: "OPTIONS" })).status).toBe(200);
    expect((await post("/any")).status).toBe(200);
    expect((await post("/any")).status).toBe(429);
  });

  test("who has a name has a share of his own, and guesses use up that of their address", async () => {
    const poll = async (token: string) =>
      (await ask(server.port, "/poll/a", { headers: { Authorization: `Bearer ${token}` } })).status;
    const [alice, bob, carol] = await Promise.all(
      ["alice", "bob", "carol"].map((sub) => withSecret({ sub, channel: "a" })),
    );
    if (alice === undefined || bob === undefined || carol === undefined) throw new Error("no tokens");
    for (const token of [alice, bob])
      for (const status of [304, 304, 304, 503]) expect(await poll(token)).toBe(status);
    for (let guess = 0; guess < 3; guess++)
      expect(await poll(await withSecret({ sub: `g${guess}`, exp: 1 }))).toBe(401);
    // No signature is verified any more for this address; what was verified before is known without.
    expect(await poll(await withSecret({ sub: "g9", exp: 1 }))).toBe(503);
    expect(await poll(carol)).toBe(503);
    expect(await poll(alice)).toBe(503);
  });

  test("an event source that comes too often is told to come again; a socket's frames count", async () => {
    const first = await RawConnection.open(server.port);
    first.request("/ev/a");
    expect((await first.head()).status).toBe(200);
    first.close();
    const away = await ask(server.port, "/ev/a");
    expect([away.status, away.body.toString()]).toEqual([
      200,
      expect.stringMatching(/: Too many requests\.\nretry: 36\d{5}\n/),
    ]);
    const socket = await RawWebSocket.open(server.port, "/ws/a", {
      "Sec-WebSocket-Protocol": "sluice.json.v1",
    });
    await socket.text();
    const plain = await RawWebSocket.open(server.port, "/ws/b");
    for (const ref of [1, 2, 3])
      socket.sendFrame(Opcode.TEXT, JSON.stringify({ kind: "publish", ref, data: "x" }));
    // Two are taken, and delivered; the third is told what it came to.
    const said: { kind: string; code?: string }[] = [];
    while (said.length < 5) said.push(JSON.parse(await socket.text()));
    const kinds = said.map(({ kind }) => kind).sort();
    expect(kinds).toEqual(["message", "message", "published", "published", "refused"]);
    const refused = { kind: "refused", ref: 3, status: 429, explain: "Too many requests." };
    expect(said).toContainEqual(expect.objectContaining(refused));
    plain.sendFrame(Opcode.TEXT, "x");
    const { opcode, payload } = await plain.frame();
    expect([opcode, payload.readUInt16BE()]).toEqual([Opcode.CLOSE, 1013]);
    socket.close();
  });
});
