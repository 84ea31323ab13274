/**
 * A refusal that a handler met and let go is its client's: the status, code and Retry-After of the error
 * table, and no 500 with an id, as for a fault. The compiled binary.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Refusals } from "../../src/http/errors.ts";
import { closeReason } from "../../src/wire/close-reason.ts";
import { ask } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import type { RunningServer } from "../binary/running-server.ts";
import { removeFolders, startHandlers } from "./handler-server.ts";

const FILES = {
  "calls.ts": `
    const silent = async function* ({ signal }) {
      await new Promise((end) => signal.addEventListener("abort", end));
    };
    const calls = {
      noChannel: ({ publish }) => publish("", "x"),
      forbiddenChannel: ({ publish }) => publish("a/b", "x"),
      channelIdTooLarge: ({ publish }) => publish("c".repeat(21), "x"),
      emptyMessage: ({ publish }) => publish("a", ""),
      eventNameTooLarge: ({ publish }) => publish("a", "x", { eventId: "i".repeat(70_000) }),
      eventsChannelReadOnly: ({ publish }) => publish("events", "x"),
      noRoom: ({ publish }) => publish("a", "x".repeat(4_000_000)),
      faultyKey: ({ publish }) => publish([{ channel: "a", data: "x", key: "" }]),
      tooManyChannelsInRequest: ({ subscribe }) => subscribe(["a", "b", "c", "d", "e"]),
      tooManyChannels: async ({ publish }) => {
        for (let n = 0; n < 9; n++) await publish("made-" + n, "x");
      },
      handlersBusy: ({ after }) => {
        const offs = [];
        try { for (;;) offs.push(after(1e9, () => {})); } finally { for (const off of offs) off(); }
      },
    };
    export const call = (name, context) => calls[name](context);
    export const flood = ({ answer, query }) => {
      for (let n = 0; n <= 1000; n++) answer("answer-" + (n % Number(query.get("n"))), silent);
    };`,
  "plain.ts": `
    import { call } from "./calls.ts";
    export default async (context) => {
      await call(context.query.get("call"), context);
      return "not refused";
    };`,
  "pieces.ts": `
    import { call } from "./calls.ts";
    export default async function* (context) {
      await call(context.query.get("call"), context);
      yield "not refused";
    }`,
  "guard.ts": `
    import { call } from "./calls.ts";
    export const authorize = async (context) => {
      await call(context.query.get("call"), context);
      return true;
    };`,
  "hooks.ts": `
    import { call } from "./calls.ts";
    export const onPublish = async (message, context) => {
      await call(context.query.get("call"), context);
    };`,
  "socket.ts": `
    import { call } from "./calls.ts";
    export const websocket = { open: (socket, context) => call(context.query.get("call"), context) };`,
};

const TOML = `
events_channel_id = "events"
[store]
size = "2MiB"
[limits]
max_channel_id_length = 20
max_channels_per_request = 4
max_number_of_channels = 6
[[location]]
match = "= /plain"
handler = "plain.ts"
[[location]]
match = "= /pieces"
handler = "pieces.ts"
[[location]]
match = "= /socket"
handler = "socket.ts"
[[location]]
match = "= /guarded"
publisher = "normal"
channels_path = "guarded"
authorize = "guard.ts"
[[location]]
match = "= /hooked"
publisher = "normal"
channels_path = "hooked"
hooks = "hooks.ts"
`;

const CALLS = [
  "noChannel",
  "forbiddenChannel",
  "channelIdTooLarge",
  "emptyMessage",
  "eventNameTooLarge",
  "eventsChannelReadOnly",
  "noRoom",
  "faultyKey",
  "tooManyChannelsInRequest",
  "handlersBusy",
  "tooManyChannels",
] as const;

describe.each(["native", "wire"] as const)("%s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startHandlers({ workers: 1, listener }, { files: FILES, toml: TOML });
  });
  afterAll(async () => {
    await server.stop();
    removeFolders();
  });

  const post = { method: "POST", body: "x" };
  const said = async (path: string, request = {}) => {
    const { status, fields } = await ask(server.port, path, request);
    const [explain = null, after = null] = ["x-nginx-pushstream-explain", "retry-after"].map((n) =>
      fields.get(n),
    );
    return { status, explain, isLater: after !== null, id: fields.get("x-sluice-error-id") ?? null };
  };

  for (const name of CALLS) {
    const refusal = Refusals[name];
    const { status, explain } = refusal;
    const expected = { status, explain, isLater: status === 503 || "retryAfterSec" in refusal, id: null };
    test(`${name}: ${status} for whoever asked, wherever it was let go`, async () => {
      const query = `call=${name}`;
      expect(await said(`/plain?${query}`)).toEqual(expected);
      expect(await said(`/pieces?${query}`)).toEqual(expected);
      expect(await said(`/guarded?${query}`, post)).toEqual(expected);
      expect(await said(`/hooked?${query}`, post)).toEqual(expected);
      const socket = await RawWebSocket.open(server.port, `/socket?${query}`);
      const { opcode, payload } = await socket.frame();
      socket.close();
      expect([opcode, payload.toString("utf8", 2)]).toEqual([Opcode.CLOSE, closeReason(refusal)]);
    });
  }

  test("a line in the log says so, for each place", () => {
    const places = Array.from(
      server.log.matchAll(/: (.+) was refused, and let that go why=\w+/g),
      ([, at]) => at,
    );
    expect(new Set(places)).toEqual(new Set(["a handler", "a guard", "onPublish", "a WebSocket's handler"]));
    expect(server.log).not.toContain("error worker");
  });
});

test("a worker that makes a thousand answers refuses the next with 503 and Retry-After", async () => {
  const files = {
    ...FILES,
    "flood.ts": `import { flood } from "./calls.ts"; export default flood;`,
  };
  const toml = `[[location]]\nmatch = "= /flood"\nhandler = "flood.ts"\nanswer_linger = "1s"\n`;
  const server = await startHandlers({ workers: 1, listener: "native" }, { files, toml });
  const { status, fields, body } = await ask(server.port, "/flood?n=1001");
  expect([status, fields.get("retry-after"), body.length]).toEqual([503, "1", 0]);
  expect(fields.get("x-nginx-pushstream-explain")).toBe("Handlers of this worker have too much to do.");
  await server.stop();
  removeFolders();
});
