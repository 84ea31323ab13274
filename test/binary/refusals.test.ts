/**
 * Every code of src/http/errors.ts, provoked on the compiled binary, on both listeners: its status, its
 * explanation as a header or in a close frame, Retry-After where it passes, and its line in docs/errors.md. A
 * code that is added without a provocation does not pass the compiler, and one that nothing provokes has no
 * place in the table.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderErrors } from "../../scripts/errors-page.ts";
import { CloseCode } from "../../src/http/close-codes.ts";
import { Refusals } from "../../src/http/errors.ts";
import type { Refusal } from "../../src/http/refusal.ts";
import { HEAD_LOCK, HEADER_BYTES } from "../../src/store/memory/layout-header.ts";
import { closeReason } from "../../src/wire/close-reason.ts";
import { ACCESS_CODES, type AccessCode } from "../access/access-codes.ts";
import { folderWith, removeFolders } from "../handlers/handler-server.ts";
import { ask, type RawAnswer, RawConnection, type RawRequest } from "./raw-client.ts";
import { Opcode, RawWebSocket } from "./raw-web-socket.ts";
import { layout, type RunningServer, startServer, until } from "./running-server.ts";

const MIB = 1024 * 1024;
const MOST_CONNECTIONS = 8;
const MOST_SUBSCRIBERS = 4;
/** More than the others need in a minute. */
const MOST_CREATED = 60;

/**
 * Breaks what both listeners read headers with, for values that say so: no fault of ours is to be had on
 * demand.
 */
const SABOTAGE = `
const { get } = Headers.prototype;
const { toString } = Buffer.prototype;
const checked = <Text>(text: Text): Text => {
  if (text === "break it") throw new Error("broken on demand");
  return text;
};
export default () => {
  Headers.prototype.get = function (name: string) {
    return checked(get.call(this, name));
  };
  Buffer.prototype.toString = function (...how: Parameters<typeof toString>) {
    return checked(toString.apply(this, how));
  };
  return "ready";
};
`;

/** Puts off more than a worker keeps, and takes it back. */
const FULL = `
export default ({ after }) => {
  const backs: (() => void)[] = [];
  try {
    for (;;) backs.push(after(1e9, () => undefined));
  } finally {
    for (const back of backs) back();
  }
};
`;

const config = (sub: string): string => `${layout(
  `events_channel_id = "events"
wildcard_channel_prefix = "w_"
allowed_hosts = ["x"]
drain_rate = 1
shutdown_timeout = "20s"
[store]
size = "2MiB"
channels = 12
[limits]
max_channel_id_length = 20
max_channels_per_request = 4
max_messages_per_request = 3
max_subscribers_per_channel = ${MOST_SUBSCRIBERS}
max_number_of_channels = 6
max_channels_created_per_address = ${MOST_CREATED}
max_body_size = "8MiB"
max_connections = ${MOST_CONNECTIONS}`,
  { sub, poll: "authorized_channels_only = true\nwildcard_channel_max_qtd = 1" },
)}
[[location]]
match = "= /sabotage"
handler = "sabotage.ts"
[[location]]
match = "= /full"
handler = "full.ts"
[[location]]
match = "~ ^/alone/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
max_connections_per_address = "1"
[[location]]
match = "~ ^/wanted/(.*)$"
subscriber = "websocket"
channels_path = "$1"
authorized_channels_only = true
wildcard_channel_max_qtd = 1
[[server]]
listen = ["127.0.0.1:1"]
server_name = ["proxied"]
trusted_proxies = ["127.0.0.1"]
[[server.location]]
match = "/"
publisher = "normal"
channels_path = "a"
access = ["allow all"]
`;

let server: RunningServer;
/** What a provocation needs to be open until it is over. */
const open: { close(): void }[] = [];

const post = (id: string, request: RawRequest = {}) =>
  ask(server.port, `/pub?id=${id}`, { method: "POST", body: "x", ...request });
const batch = (body: string) =>
  ask(server.port, "/pub", { method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body });
const get = (path: string) => ask(server.port, path);

/** As many as a channel takes. */
async function crowd(channel: string): Promise<void> {
  for (let count = 0; count < MOST_SUBSCRIBERS; count++) {
    const stream = await RawConnection.open(server.port);
    open.push(stream);
    stream.request(`/ev/${channel}`);
    expect((await stream.head()).status).toBe(200);
  }
}

/**
 * Begins something, and says how the refusal is asked for: as a request, and by a WebSocket where that can
 * hear it, too.
 */
interface Provocation {
  readonly first?: () => Promise<unknown>;
  readonly request: () => Promise<RawAnswer>;
  readonly socket?: string;
  /** Ends what `first` began, beside connections. */
  readonly last?: () => unknown;
}

/** Provoked where there is an engine: test/cluster/. */
const OF_A_CLUSTER = [
  "engineAway",
  "engineFull",
  "engineRefused",
  "outcomeUnknown",
  "notReplicated",
  "nodeBehind",
] as const;
type OfACluster = (typeof OF_A_CLUSTER)[number];

/** In the order in which they are provoked: what fills the server comes last. */
const PROVOCATIONS: Readonly<Record<Exclude<keyof typeof Refusals, AccessCode | OfACluster>, Provocation>> = {
  noChannel: { request: () => get("/pub") },
  forbiddenChannel: { request: () => post("ALL"), socket: "/ws/a*" },
  channelIdTooLarge: { request: () => post("i".repeat(21)), socket: `/ws/${"i".repeat(21)}` },
  tooManyChannelsInRequest: { request: () => get("/sub/a/b/c/d/e"), socket: "/ws/a/b/c/d/e" },
  otherPositions: { request: () => get("/ev/a?sluice_positions=.") },
  eventsChannelReadOnly: { request: () => post("events") },
  eventsChannelNotAllowed: { request: () => get("/sub/events"), socket: "/ws/events" },
  foreignOrigin: { request: () => post("a", { headers: { Origin: "https://evil.example" } }) },
  foreignHost: { request: () => post("a", { headers: { Host: "evil.example" } }) },
  tooManyWildcards: { request: () => get("/poll/w_1"), socket: "/wanted/w_1" },
  emptyMessage: { request: () => post("a", { body: "" }) },
  eventNameTooLarge: { request: () => post("a", { headers: { "Event-Id": "i".repeat(65_535) } }) },
  keyReused: {
    first: () => post("a", { headers: { "Idempotency-Key": "k" } }),
    request: () => post("a", { headers: { "Idempotency-Key": "k" }, body: "another" }),
  },
  faultyKey: { request: () => post("a", { headers: { "Idempotency-Key": "k".repeat(257) } }) },
  faultyBatch: { request: () => batch('{"channel":"a"}\n') },
  tooManyMessages: { request: () => batch('{"channels":["a","b"],"data":"x"}\n'.repeat(2)) },
  channelDeleted: {
    first: () => post("gone"),
    request: () => ask(server.port, "/pub?id=gone", { method: "DELETE" }),
  },
  couldNotCreate: { request: () => get("/poll/missing"), socket: "/wanted/missing" },
  tooManySubscribers: {
    first: () => crowd("full"),
    request: () => get("/lp/full"),
    socket: "/ws/full",
  },
  crowdedAddress: {
    first: async () => {
      const stream = await RawConnection.open(server.port);
      open.push(stream);
      stream.request("/alone/a");
      expect((await stream.head()).status).toBe(200);
    },
    request: () => get("/alone/b"),
  },
  missingUpgrade: { request: () => get("/ws/a") },
  unknownClient: { request: () => post("a", { headers: { Host: "proxied" } }) },
  noRoom: { request: () => post("a", { body: Buffer.alloc(4 * MIB) }) },
  handlersBusy: { request: () => get("/full") },
  internal: {
    first: () => get("/sabotage"),
    request: () => post("a", { headers: { "Event-Id": "break it" } }),
  },
  busy: {
    first: async () => {
      const path = / store=(\S+)/.exec(server.log)?.[1] ?? "";
      const bytes = Bun.mmap(path, { shared: true });
      lock = new Int32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4);
      // A living process that is no worker is left alone.
      await until("the lock", () => Atomics.compareExchange(lock, HEAD_LOCK, 0, process.pid) === 0);
    },
    request: () => post("another"),
    socket: "/ws/another",
    last: () => Atomics.compareExchange(lock, HEAD_LOCK, process.pid, 0),
  },
  tooManyConnections: {
    first: async () => {
      // What came before may still be there for a moment, where connections are counted.
      for (let count = 0, status = 200; status === 200; count++) {
        expect(count).toBeLessThanOrEqual(MOST_CONNECTIONS);
        const stream = await RawConnection.open(server.port);
        open.push(stream);
        stream.request(`/ev/full${Math.floor(count / MOST_SUBSCRIBERS)}`);
        ({ status } = await stream.head());
      }
    },
    request: () => get("/sub/a"),
    last: () => until("room again", async () => (await get("/channels-stats")).status === 200),
  },
  tooManyChannels: {
    first: () => fill((number) => `c${number}`),
    request: () => post("onemore"),
    socket: "/ws/onemore",
  },
  noRoomForChannel: {
    first: () => fill((number) => `w_${number}`),
    request: () => get("/sub/w_onemore"),
    socket: "/ws/w_onemore",
  },
  tooManyChannelsCreated: {
    // Of those that lived at a time, and were made in this minute.
    first: async () => {
      for (let made = 0; made < MOST_CREATED; made++) {
        if ((await post(`short${made}`)).status === 403) return;
        await ask(server.port, `/pub?id=short${made}`, { method: "DELETE" });
      }
    },
    request: () => post("short"),
    socket: "/ws/short",
  },
  draining: {
    first: async () => {
      await crowd("w_0");
      server.process.kill("SIGTERM");
      await until("the drain", async () => (await server.request("/health/ready")).status === 503);
    },
    request: () => get("/lp/w_0"),
  },
};

let lock: Int32Array<ArrayBuffer>;

/** Channels with something stored, until the server takes no more. */
async function fill(name: (number: number) => string): Promise<void> {
  for (let number = 0; number < 20; number++) if ((await post(name(number))).status !== 200) return;
  throw new Error("the server is never full");
}

const passes = ({ status, retryAfterSec }: Refusal): boolean => status === 503 || retryAfterSec !== undefined;

test("docs/errors.md is up to date (bun run tables writes it)", () => {
  const page = readFileSync(join(import.meta.dir, "../../docs/errors.md"), "utf8");
  expect(page).toBe(renderErrors());
});

test("no code has two meanings", () => {
  const codes = Object.values(Refusals).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  const all = [...Object.keys(PROVOCATIONS), ...ACCESS_CODES, ...OF_A_CLUSTER];
  expect(all.sort()).toEqual(Object.keys(Refusals).sort());
});

describe.each([
  ["native listener", 'header_template = "^"'],
  ["wire listener", ""],
])("%s", (_listener, sub) => {
  beforeAll(async () => {
    const folder = folderWith({ "sabotage.ts": SABOTAGE, "full.ts": FULL });
    server = await startServer({ folder, toml: config(sub), workers: 1 });
  });
  afterAll(async () => {
    await server.stop();
    removeFolders();
  });

  for (const [name, { first, request, socket, last }] of Object.entries(PROVOCATIONS)) {
    const refusal: Refusal = Refusals[name as keyof typeof Refusals];
    test(`${refusal.code}: ${refusal.status}${refusal.explain ? `, "${refusal.explain}"` : ""}`, async () => {
      await first?.();
      try {
        const { status, fields, body } = await request();
        const explain = fields.get("x-nginx-pushstream-explain") ?? null;
        expect({ status, explain }).toEqual({ status: refusal.status, explain: refusal.explain });
        expect(fields.has("retry-after")).toBe(passes(refusal));
        // What does not fit is nginx's own error, with its page (spec 2.3); faults of a batch are named.
        if (refusal !== Refusals.noRoom && refusal !== Refusals.faultyBatch) expect(body.toString()).toBe("");
        if (socket !== undefined) expect(await refusedSocket(socket)).toEqual(closedFor(refusal));
      } finally {
        for (const one of open.splice(0)) one.close();
        await last?.();
      }
    });
  }
});

const closedFor = (refusal: Refusal) => ({
  code: refusal.status === 503 ? CloseCode.TRY_AGAIN : CloseCode.POLICY,
  reason: closeReason(refusal),
});

/** A refusal that comes after the 101 travels in a close frame (spec 4.13.6). */
async function refusedSocket(path: string): Promise<{ code: number; reason: string }> {
  const socket = await RawWebSocket.open(server.port, path);
  open.push(socket);
  const { opcode, payload } = await socket.frame();
  if (opcode !== Opcode.CLOSE) throw new Error(`no close frame, but opcode ${opcode}`);
  return { code: payload.readUInt16BE(), reason: payload.toString("utf8", 2) };
}
