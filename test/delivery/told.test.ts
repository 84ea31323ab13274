/**
 * Is what was lost exactly what was told? Every transport, every form of position a client may come back
 * with, on both listeners of the compiled binary with two workers (promises P2 and P3). Of two channels one
 * has lost three messages since the position, the other none.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL } from "../../src/wire/subprotocols.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";
import { decodeJsonFrame, decodeMsgpackFrame } from "../server-frames.ts";

/** What a client says of its position. */
interface Asked {
  readonly eventId?: string;
  readonly time?: string;
  readonly tag?: string;
}

/**
 * What a transport told: missing messages by channel (null: how many is not known), what it brought, and how
 * it ended.
 */
interface Outcome {
  readonly told: Record<string, number | null>;
  readonly messages: string[];
  readonly closed: number | null;
}

type Transport = (
  server: RunningServer,
  path: string,
  asked: Asked,
  isOver: (text: string) => boolean,
) => Promise<Outcome>;

const END = "the end";
const decoder = new TextDecoder();

const headersOf = ({ eventId, time, tag }: Asked): Record<string, string> => ({
  ...(eventId === undefined ? {} : { "Last-Event-Id": eventId }),
  ...(time === undefined ? {} : { "If-Modified-Since": time }),
  ...(tag === undefined ? {} : { "If-None-Match": tag }),
});

const queryOf = ({ eventId = "", time = "", tag = "" }: Asked): string =>
  `?eventid=${encodeURIComponent(eventId)}&time=${encodeURIComponent(time)}&tag=${encodeURIComponent(tag)}`;

/** "a=3, b=unknown" */
function toldInHead(headers: Headers): Record<string, number | null> {
  const items = (headers.get("sluice-gap") ?? "").split(", ").filter((item) => item !== "");
  return Object.fromEntries(
    items.map((item) => {
      const [name = "", missed = ""] = item.split("=");
      return [name, missed === "unknown" ? null : Number(missed)];
    }),
  );
}

/** A held body, read line by line until the end was seen. */
const stream =
  (location: string): Transport =>
  async (server, path, asked, isOver) => {
    const abort = new AbortController();
    const response = await fetch(`${server.url}/${location}/${path}`, {
      headers: headersOf(asked),
      signal: abort.signal,
    });
    const told = toldInHead(response.headers);
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (isOver(text)) break;
    }
    abort.abort();
    for (const [, data = ""] of text.matchAll(/^event: gap\ndata: (.*)$/gm)) {
      const { channel, missed } = JSON.parse(data);
      told[channel] = missed;
    }
    const lines = text.split("\n").map((line) => line.replace(/^data: /, ""));
    return { told, messages: lines.filter((line) => /^[ab]\d+$/.test(line)), closed: null };
  };

const poll =
  (location: string): Transport =>
  async (server, path, asked) => {
    const response = await fetch(`${server.url}/${location}/${path}`, { headers: headersOf(asked) });
    const messages = (await response.text()).split("\n").filter((line) => /^[ab]\d+$/.test(line));
    return { told: toldInHead(response.headers), messages, closed: null };
  };

const webSocket =
  (protocol: string | null): Transport =>
  (server, path, asked, isOver) =>
    new Promise((resolve, reject) => {
      const url = `${server.url.replace("http", "ws")}/ws/${path}${queryOf(asked)}`;
      const socket = protocol === null ? new WebSocket(url) : new WebSocket(url, protocol);
      socket.binaryType = "arraybuffer";
      const told: Record<string, number | null> = {};
      const messages: string[] = [];
      let text = "";
      socket.onmessage = ({ data }) => {
        const frame =
          typeof data === "string" ? decodeJsonFrame(data) : decodeMsgpackFrame(new Uint8Array(data));
        if (frame?.kind === "gap") told[frame.channel] = frame.missed;
        const said =
          frame?.kind === "message" ? decoder.decode(frame.data) : protocol === null ? String(data) : "";
        if (/^[ab]\d+$/.test(said.trim())) messages.push(said.trim());
        text += `${said}\n`;
        if (isOver(text)) socket.close(1000);
      };
      socket.onclose = ({ code }) => resolve({ told, messages, closed: code });
      socket.onerror = () => reject(new Error(`${url} failed`));
    });

const TRANSPORTS: readonly (readonly [string, Transport])[] = [
  ["event stream, positions as ids", stream("ev")],
  ["event stream, publishers' ids", stream("plain-ev")],
  ["stream", stream("sub")],
  ["long poll", poll("lp")],
  ["poll", poll("poll")],
  ["WebSocket, JSON", webSocket(JSON_SUBPROTOCOL)],
  ["WebSocket, MessagePack", webSocket(MSGPACK_SUBPROTOCOL)],
  ["WebSocket, template", webSocket(null)],
];

const ARGUMENTS = `last_received_message_time = "\${http_if_modified_since|arg_time}"
last_received_message_tag = "\${http_if_none_match|arg_tag}"
last_event_id = "\${http_last_event_id|arg_eventid}"
`;
const LINES = `message_template = "~text~\\n"\n${ARGUMENTS}`;
/** What is not stored takes nobody's place in the store. */
const LIVE = `[[location]]
match = "= /live"
publisher = "normal"
channels_path = "$arg_id"
`;
const PLAIN_EVENTS = `[[location]]
match = "~ ^/plain-ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
`;

describe.each(["native", "wire"])("on %s", (door) => {
  let server: RunningServer;
  let pairs = 0;
  beforeAll(async () => {
    // Streams that begin with nothing are for the wire listener (running-server.ts).
    const header = door === "native" ? 'header_template = "\\n"' : "";
    const toml = layout("[store]\nmax_messages_stored_per_channel = 4", {
      sub: `${LINES}${header}`,
      ev: `event_ids = "auto"\n${ARGUMENTS}`,
      lp: LINES,
      poll: LINES,
      ws: LINES,
    });
    server = await startServer({ toml: toml + PLAIN_EVENTS + LIVE });
  });
  afterAll(async () => {
    await server.stop();
  });

  /** Two channels: ids 1 to 3 are seen, then a goes on to 10 (7 to 10 are stored) and b to 5 (2 to 5). */
  async function losingPair() {
    const [a, b] = [`a-${++pairs}`, `b-${pairs}`];
    const publish = async (channel: string, data: string) =>
      expect((await server.publish(channel, data)).status).toBe(200);
    for (let id = 1; id <= 3; id++) {
      await publish(a, `a${id}`);
      await publish(b, `b${id}`);
    }
    const seen = await server.request(`/poll/${b}.b1`);
    const dialect = { time: seen.headers.get("last-modified") ?? "", tag: seen.headers.get("etag") ?? "" };
    const tokenOf = async (path: string): Promise<string> => {
      const abort = new AbortController();
      const response = await fetch(`${server.url}/ev/${path}`, { signal: abort.signal });
      let text = "";
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        if (/^id: \S+$/m.test(text)) break;
      }
      abort.abort();
      return /^id: (\S+)$/m.exec(text)?.[1] ?? "";
    };
    const [both, one, turned] = [await tokenOf(`${a}/${b}`), await tokenOf(a), await tokenOf(`${b}/${a}`)];
    // Readers that are still seated are owed what they have not read: it would rest for a while.
    while ((await server.statistics(a)).subscribers + (await server.statistics(b)).subscribers > 0)
      await Bun.sleep(5);
    for (let id = 4; id <= 10; id++) await publish(a, `a${id}`);
    for (let id = 4; id <= 5; id++) await publish(b, `b${id}`);
    return { a, b, dialect, both, one, turned };
  }

  type Pair = Awaited<ReturnType<typeof losingPair>>;
  const FORMS: readonly (readonly [
    form: string,
    asked: (pair: Pair) => Asked,
    lost: { a?: number | null; b?: number | null },
    brings: "what is stored of it" | "anything",
  ])[] = [
    ["none", () => ({}), {}, "anything"],
    ["the token", ({ both }) => ({ eventId: both }), { a: 3 }, "what is stored of it"],
    ["a token of one channel", ({ one }) => ({ eventId: one }), { a: null, b: null }, "anything"],
    ["the token of the other order", ({ turned }) => ({ eventId: turned }), { a: null, b: null }, "anything"],
    [
      "a token of another store",
      ({ both }) => ({ eventId: `zz${both}`.slice(0, 60) }),
      { a: null, b: null },
      "anything",
    ],
    ["an event id that nobody has", () => ({ eventId: "gone" }), { a: null, b: null }, "anything"],
    ["garbage", () => ({ eventId: "-1,,\u00ff%" }), { a: null, b: null }, "anything"],
    ["time and tag", ({ dialect }) => dialect, { a: null }, "what is stored of it"],
  ];

  test.each(FORMS)("with %s", async (_form, askedOf, lost, brings) => {
    const pair = await losingPair();
    const { a, b } = pair;
    const asked = askedOf(pair);
    const told = Object.fromEntries(
      Object.entries(lost).map(([name, missed]) => [name === "a" ? a : b, missed ?? null]),
    );
    // The end is told again and again, in both channels, until all have heard it: nobody is done before he
    // has read what is his.
    const isOver = (text: string): boolean => text.split(END).length > 2;
    const running = TRANSPORTS.map(async ([name, transport]) => ({
      name,
      ...(await transport(server, `${a}/${b}`, asked, isOver)),
    }));
    const isDone = Promise.all(running);
    let open = true;
    void isDone.finally(() => {
      open = false;
    });
    while (open) {
      await Bun.sleep(20);
      for (const channel of [a, b])
        if (open) await server.request(`/live?id=${channel}`, { method: "POST", body: END });
    }
    const stored = [7, 8, 9, 10].map((id) => `a${id}`).concat(["b4", "b5"]);
    for (const outcome of await isDone) {
      if (outcome.name === "WebSocket, template") {
        // It has no words: it is closed when anything was lost, and only then.
        expect([outcome.name, outcome.closed]).toEqual([
          outcome.name,
          Object.keys(told).length > 0 ? 1013 : 1000,
        ]);
        continue;
      }
      expect([outcome.name, outcome.told]).toEqual([outcome.name, told]);
      if (brings === "what is stored of it")
        expect([outcome.name, outcome.messages.toSorted()]).toEqual([outcome.name, stored.toSorted()]);
    }
  });
});
