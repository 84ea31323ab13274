/** Who may subscribe to what: push-stream spec 3.5 to 3.8 and the order of 4.1 (6), on every transport. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectHeaderOnly } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const MODES = {
  st: "streaming",
  ev: "eventsource",
  lp: "long-polling",
  po: "polling",
  ws: "websocket",
} as const;
type Mode = keyof typeof MODES;
const ALL_MODES = Object.keys(MODES) as Mode[];
const each = (prefix: string, rest: string): string =>
  Object.entries(MODES)
    .map(
      ([name, mode]) =>
        `[[location]]\nmatch = "~ ^/${prefix}-${name}/(.*)$"\nsubscriber = "${mode}"\n` +
        `channels_path = "$1"\n${rest}\n`,
    )
    .join("");

const TOP = `wildcard_channel_prefix = "bd_"
events_channel_id = "X"
[limits]
max_channel_id_length = 12
max_number_of_channels = 5
max_number_of_wildcard_channels = 3
max_subscribers_per_channel = 1`;
/** all: unset, so as many as may exist. one: one a request. auth: only where something is stored. */
const config =
  layout(TOP) +
  each("all", "") +
  each("one", "wildcard_channel_max_qtd = 1") +
  each("auth", "authorized_channels_only = true\nwildcard_channel_max_qtd = 1");

const Explain = {
  forbidden: [403, "Channel id not authorized for this method."],
  tooLong: [400, "Channel id is too large."],
  notAuthorised: [403, "Subscriber could not create channels."],
  full: [403, "Subscribers limit per channel has been exceeded."],
  events: [403, "Subscription to events channel is not allowed."],
  wildcards: [403, "Subscribed too much wildcard channels."],
  tooMany: [403, "Number of channels were exceeded."],
} as const;

let server: RunningServer;
const send = (path: string, method = "GET") =>
  ask(server.port, path, { method, ...(method === "POST" ? { body: "x" } : {}) });

/** Asks on a transport that answers at once or refuses; returns why it was refused, null = it was let in. */
async function refusalOf(port: number, path: string, mode: Mode): Promise<readonly [number, string] | null> {
  if (mode === "ws") {
    const socket = await RawWebSocket.open(port, path);
    const { opcode, payload } = await socket.frame();
    socket.close();
    const { http_status, explain } = JSON.parse(payload.subarray(2).toString());
    expect([opcode, payload.readUInt16BE()]).toEqual([8, http_status === 503 ? 1013 : 1008]);
    return [http_status, explain];
  }
  const answer = await ask(port, path);
  const explain = answer.fields.get("x-nginx-pushstream-explain");
  if (explain === undefined) return null;
  expectHeaderOnly(answer, { status: answer.status, explain });
  return [answer.status, explain];
}

beforeAll(async () => {
  server = await startServer({ toml: config });
  for (const name of ["a", "b", "bd_1"]) expect((await send(`/pub?id=${name}`, "POST")).status).toBe(200);
});
afterAll(async () => {
  await server.stop();
});

const summary = async () => {
  const { channels, wildcard_channels } = JSON.parse((await send("/channels-stats")).body.toString());
  return { channels, wildcard_channels };
};

describe.each(ALL_MODES)("refusals in their order, on %s", (mode) => {
  const cases: readonly (readonly [string, string, keyof typeof Explain])[] = [
    ["a forbidden id", "all/ALL", "forbidden"],
    ["a forbidden id that is too long", "all/*234567890123", "forbidden"],
    ["an id that is too long and not authorised", "auth/1234567890123", "tooLong"],
    ["the first of the faulty ones", "auth/none/ALL", "notAuthorised"],
    ["the first of the faulty ones, again", "auth/ALL/none", "forbidden"],
    ["a channel that does not exist, where it must", "auth/none", "notAuthorised"],
    ["one that exists beside one that does not", "auth/a/none", "notAuthorised"],
    ["the events channel, where it has something stored", "auth/a/X", "events"],
    ["the events channel before the wildcard rule", "one/bd_1/bd_2/X", "events"],
    ["wildcard channels alone", "one/bd_1", "wildcards"],
    ["wildcard channels alone, by the limit of all", "all/bd_1/bd_2", "wildcards"],
    ["more wildcard channels than allowed", "one/a/bd_1/bd_2", "wildcards"],
    ["more than may exist, named again and again", "all/a/bd_1/bd_1/bd_1/bd_1", "wildcards"],
    ["wildcard channels alone are exempt from authorisation only", "auth/bd_9", "wildcards"],
    ["the wildcard rule before channels are made", "one/new/bd_1/bd_2", "wildcards"],
    ["one normal channel too many", "all/n1/n2/n3", "tooMany"],
  ];
  test.each(cases)("%s: /%s", async (_what, path, why) => {
    const before = await summary();
    const full = path.replace("/", `-${mode}/`);
    // A poll makes nothing, so there is nothing too many.
    const isFree = why === "tooMany" && mode === "po";
    expect(await refusalOf(server.port, `/${full}`, mode)).toEqual(isFree ? null : [...Explain[why]]);
    if (isFree) return;
    if (why !== "tooMany") expect(await summary()).toEqual(before);
    else {
      // Made in order until the limit; the next mode shall find the places free.
      expect((await send("/pub?id=n2")).status).toBe(200);
      expect((await send("/pub?id=n3")).status).toBe(404);
      await send("/pub?id=n1/n2", "DELETE");
    }
  });
});

describe("wildcard channels", () => {
  test("one beside a normal one is let in, where one is allowed", async () => {
    expect(await refusalOf(server.port, "/one-po/a/bd_1", "po")).toBeNull();
    expect(await refusalOf(server.port, "/auth-po/a/bd_1", "po")).toBeNull();
  });

  test("an authorised request makes the wildcard channels it names", async () => {
    expect(await refusalOf(server.port, "/auth-lp/a.b1/bd_7", "lp")).toBeNull();
    expect((await send("/pub?id=bd_7", "DELETE")).status).toBe(200);
  });

  test("are counted and limited apart, for publishers and subscribers", async () => {
    expect(await summary()).toEqual({ channels: 3, wildcard_channels: 1 });
    expect((await send("/pub?id=bd_/bd_2", "POST")).status).toBe(200);
    expect(await summary()).toEqual({ channels: 3, wildcard_channels: 3 });
    const [status, explain] = Explain.tooMany;
    expectHeaderOnly(await send("/pub?id=bd_3", "POST"), { status, explain });
    expectHeaderOnly(await send("/one-lp/a/bd_3"), { status, explain });
    expect((await send("/pub?id=bd/c1", "POST")).status).toBe(200);
    expectHeaderOnly(await send("/pub?id=c2", "POST"), { status, explain });
    await send("/pub?id=bd_2", "DELETE");
    expect((await send("/pub?id=bd_3", "POST")).status).toBe(200);
    expect(await summary()).toEqual({ channels: 5, wildcard_channels: 3 });
    await send("/pub?id=bd_/bd_3/bd/c1", "DELETE");
  });

  test("without a limit there is no rule", async () => {
    const free = await startServer({ toml: layout('wildcard_channel_prefix = "bd_"'), workers: 1 });
    expect(await refusalOf(free.port, "/poll/bd_1/bd_2", "po")).toBeNull();
    await free.stop();
  });
});

test("the limit of subscribers comes before the events channel and behind authorisation", async () => {
  const connection = await RawConnection.open(server.port);
  connection.request("/all-st/a");
  await standing(server.port, "a");
  for (const mode of ALL_MODES) {
    expect(await refusalOf(server.port, `/all-${mode}/a/X`, mode)).toEqual([...Explain.full]);
    expect(await refusalOf(server.port, `/auth-${mode}/none/a`, mode)).toEqual([...Explain.notAuthorised]);
  }
  connection.close();
});

test("a channel whose messages are not stored does not authorise", async () => {
  await send("/pub?id=b", "DELETE");
  expect(await refusalOf(server.port, "/all-po/b", "po")).toBeNull();
  expect(await refusalOf(server.port, "/auth-po/b", "po")).toEqual([...Explain.notAuthorised]);
});

test("no room for another channel: 503 for publishers and all who would stand in it", async () => {
  const tight = await startServer({ toml: layout("[store]\nchannels = 16"), workers: 1 });
  const names = Array.from({ length: 16 }, (_, i) => `c${i}`).join("/");
  expect((await ask(tight.port, `/pub?id=${names}`, { method: "POST", body: "x" })).status).toBe(200);
  expectHeaderOnly(await ask(tight.port, "/pub?id=more", { method: "POST", body: "x" }), {
    status: 503,
    explain: "No room for another channel.",
  });
  for (const [mode, path] of [
    ["st", "/sub/more"],
    ["ev", "/ev/more"],
    ["lp", "/lp/more"],
    ["ws", "/ws/more"],
  ] as const) {
    expect(await refusalOf(tight.port, path, mode)).toEqual([503, "No room for another channel."]);
  }
  await tight.stop();
});
