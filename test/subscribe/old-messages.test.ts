/**
 * Which stored messages a newcomer gets: every row of push-stream spec 4.7 on every transport. One channel
 * holds messages of two seconds; whoever gets nothing old is recognised by an unstored message that follows.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { RawWebSocket } from "../binary/raw-web-socket.ts";
import { layout, type RunningServer, startServer } from "../binary/running-server.ts";

const PLAIN = 'message_template = "~text~;"';
const POSITION = `
last_received_message_time = "$arg_time"
last_received_message_tag = "$arg_tag"
last_event_id = "$arg_eventid"`;
const location = (name: string, mode: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "${mode}"
channels_path = "$1"
${rest}`;
const config =
  layout("", { sub: PLAIN, ev: PLAIN, lp: PLAIN, poll: PLAIN, ws: `${PLAIN}\ngaps = "ignored"` }) +
  location("arguments", "polling", `${PLAIN}${POSITION}`) +
  location("marks", "polling", 'message_template = "~text~ ~tag~ ~time~\\n"') +
  '\n[[location]]\nmatch = "= /live"\npublisher = "normal"\nchannels_path = "$arg_id"\n';

interface Mark {
  readonly time: string;
  readonly tag: number;
}

let server: RunningServer;
/** By text: when it was published. */
const marks = new Map<string, Mark>();
/** Holds a1 a2 a3 of one second and b1 b2 of a later one; `other` the same texts as x1, x2. */
let channel = "";
const other = "other";
const mark = (text: string): Mark => marks.get(text) ?? { time: "", tag: 0 };

beforeAll(async () => {
  server = await startServer({ toml: config });
  channel = await fill();
});
afterAll(async () => {
  await server.stop();
});

async function publish(id: string, text: string, eventId?: string): Promise<Mark> {
  await server.publish(id, text, eventId === undefined ? {} : { "Event-Id": eventId });
  const line = (await ask(server.port, `/marks/${id}.b1`)).body.toString();
  const [, tag = "", time = ""] = /^\S+ (\d+) (.*)\n$/.exec(line) ?? [];
  marks.set(text, { time, tag: Number(tag) });
  return { time, tag: Number(tag) };
}

/** Tries until the three of the first second are of one second. */
async function fill(): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const name = `channel-${attempt}`;
    const first = await publish(name, "a1", "e1");
    await publish(name, "a2", "e2");
    const third = await publish(name, "a3", "e3");
    if (first.time !== third.time) continue;
    await publish(other, "x1", "x");
    while (mark("x1").time === (await publish("clock", "tick")).time) await Bun.sleep(20);
    await publish(name, "b1", "e2");
    await publish(name, "b2", "");
    await publish(other, "x2", "e2");
    return name;
  }
}

interface Case {
  readonly what: string;
  /** Channels path; NAME stands for the filled channel. */
  readonly path?: string;
  readonly headers: () => Record<string, string>;
  readonly gets: readonly string[];
}

const ALL = ["a1", "a2", "a3", "b1", "b2"];
const at = (time: string, tag?: number | string): Record<string, string> =>
  tag === undefined
    ? { "If-Modified-Since": time }
    : { "If-Modified-Since": time, "If-None-Match": String(tag) };
const before = (time: string, sec = 1): string => new Date(Date.parse(time) - sec * 1000).toUTCString();
/** The other two formats of RFC 9110 5.6.7. */
const rfc850 = (time: string): string => {
  const [, day = "", month = "", year = "", clock = ""] = /, (\d\d) (\w+) \d\d(\d\d) (\S+)/.exec(time) ?? [];
  return `Monday, ${day}-${month}-${year} ${clock} GMT`;
};
const asctime = (time: string): string => {
  const [, day = "", month = "", year = "", clock = ""] = /, (\d\d) (\w+) (\d+) (\S+)/.exec(time) ?? [];
  return `Mon ${month} ${day.replace(/^0/, " ")} ${clock} ${year}`;
};

const cases: readonly Case[] = [
  { what: "nothing asked", headers: () => ({}), gets: [] },
  { what: "backtrack", path: "NAME.b2", headers: () => ({}), gets: ["b1", "b2"] },
  { what: "backtrack of more than there are", path: "NAME.b9", headers: () => ({}), gets: ALL },
  { what: "backtrack 0", path: "NAME.b0", headers: () => ({}), gets: [] },
  {
    what: "backtrack wins over time",
    path: "NAME.b1",
    headers: () => at(before(mark("a1").time)),
    gets: ["b2"],
  },
  {
    what: "backtrack wins over event id",
    path: "NAME.b1",
    headers: () => ({ "Last-Event-Id": "e1" }),
    gets: ["b2"],
  },
  { what: "event id", headers: () => ({ "Last-Event-Id": "e1" }), gets: ["a2", "a3", "b1", "b2"] },
  {
    what: "event id that two messages have: the first",
    headers: () => ({ "Last-Event-Id": "e2" }),
    gets: ["a3", "b1", "b2"],
  },
  { what: "event id nobody has", headers: () => ({ "Last-Event-Id": "e9" }), gets: [] },
  { what: "event id in other case", headers: () => ({ "Last-Event-Id": "E1" }), gets: [] },
  { what: "time of the first second, no tag", headers: () => at(mark("a1").time), gets: ["b1", "b2"] },
  { what: "time before all", headers: () => at(before(mark("a1").time)), gets: ALL },
  { what: "time in 1970", headers: () => at("Thu, 01 Jan 1970 00:00:00 GMT"), gets: ALL },
  { what: "time after all", headers: () => at(before(mark("b2").time, -60)), gets: [] },
  { what: "RFC 850", headers: () => at(rfc850(mark("a1").time)), gets: ["b1", "b2"] },
  { what: "asctime", headers: () => at(asctime(mark("a1").time)), gets: ["b1", "b2"] },
  { what: "tag 0: everything of that second", headers: () => at(mark("a1").time, 0), gets: ALL },
  {
    what: "tag of the first",
    headers: () => at(mark("a1").time, mark("a1").tag),
    gets: ["a2", "a3", "b1", "b2"],
  },
  { what: "tag as W/", headers: () => at(mark("a2").time, `W/${mark("a2").tag}`), gets: ["a3", "b1", "b2"] },
  {
    what: "tag of the last of its second",
    headers: () => at(mark("a3").time, mark("a3").tag),
    gets: ["b1", "b2"],
  },
  { what: "tag past its second", headers: () => at(mark("a3").time, 99_999), gets: ["b1", "b2"] },
  { what: "the very last", headers: () => at(mark("b2").time, mark("b2").tag), gets: [] },
  {
    what: "tag in quotes is none",
    headers: () => at(mark("a1").time, `"${mark("a1").tag}"`),
    gets: ["b1", "b2"],
  },
  { what: "tag abc is none", headers: () => at(mark("a1").time, "abc"), gets: ["b1", "b2"] },
  { what: "tag without time", headers: () => ({ "If-None-Match": "1" }), gets: [] },
  {
    what: "event id before time",
    headers: () => ({ ...at(mark("a3").time), "Last-Event-Id": "e1" }),
    gets: ["a2", "a3", "b1", "b2"],
  },
  {
    what: "time before event id",
    headers: () => ({ ...at(before(mark("a1").time)), "Last-Event-Id": "e2" }),
    gets: ALL,
  },
  {
    what: "time null, as pushstream.js sends it",
    headers: () => ({ "If-Modified-Since": "null", "If-None-Match": "null" }),
    gets: [],
  },
  { what: "time that is none", headers: () => at("yesterday", 0), gets: [] },
  {
    what: "two channels, in path order",
    path: `${other}.b1/NAME.b2`,
    headers: () => ({}),
    gets: ["x2", "b1", "b2"],
  },
  {
    what: "mixed: one by backtrack, one by time",
    path: `NAME.b1/${other}`,
    headers: () => at(before(mark("a1").time)),
    gets: ["b2", "x1", "x2"],
  },
  {
    what: "mixed: one by event id, one has nothing",
    path: `NAME/${other}`,
    headers: () => ({ "Last-Event-Id": "e3" }),
    gets: ["b1", "b2"],
  },
];

/** Opens, sends one live message behind what came, and gives all texts. */
type Fetch = (path: string, headers: Record<string, string>, stop: string) => Promise<string[]>;

/** Texts of any of the formats; the id lines of an event stream are another suite's. */
const texts = (bytes: string): string[] =>
  bytes
    .replace(/^id: .*$/gm, "")
    .split(/[;\n]/)
    .filter((text) => text !== "")
    .map((text) => text.replace(/^data: /, ""));
const live = (id: string, text: string) => ask(server.port, `/live?id=${id}`, { method: "POST", body: text });
let readers = 0;

const held =
  (location: string, header: string): Fetch =>
  async (path, headers, stop) => {
    // A channel of its own tells when it stands, and carries the message that ends the comparison.
    const own = `reader-${++readers}`;
    const connection = await RawConnection.open(server.port);
    connection.request(`/${location}/${path}/${own}`, { headers });
    await standing(server.port, own);
    await live(own, stop);
    await connection.head();
    let text = "";
    while (!text.includes(stop)) text += (await connection.chunked(1)).toString();
    connection.close();
    return texts(text.replace(header, "")).slice(0, -1);
  };

const polled: Fetch = async (path, headers) => {
  const answer = await ask(server.port, `/poll/${path}`, { headers });
  expect(answer.status).toBe(answer.body.length > 0 ? 200 : 304);
  return texts(answer.body.toString());
};

const waited: Fetch = async (path, headers, stop) => {
  const own = `reader-${++readers}`;
  const connection = await RawConnection.open(server.port);
  connection.request(`/lp/${path}/${own}`, { headers });
  const answer = connection.answer();
  const first = await Promise.race([answer, standing(server.port, own).then(() => null)]);
  if (first === null) await live(own, stop);
  const { body } = await answer;
  connection.close();
  return texts(body.toString()).filter((text) => text !== stop);
};

const webSocket: Fetch = async (path, headers, stop) => {
  const own = `reader-${++readers}`;
  const socket = await RawWebSocket.open(server.port, `/ws/${path}/${own}`, headers);
  await standing(server.port, own);
  await live(own, stop);
  const received: string[] = [];
  while (received.at(-1) !== `${stop};`) received.push(await socket.text());
  socket.close();
  return received.slice(0, -1).map((text) => text.slice(0, -1));
};

describe.each<[string, Fetch]>([
  ["streaming", held("sub", "")],
  ["eventsource", held("ev", ": \n")],
  ["polling", polled],
  ["long-polling", waited],
  ["websocket", webSocket],
])("%s", (_mode, fetch) => {
  test.each(cases)("$what", async ({ path = "NAME", headers, gets }) => {
    expect(await fetch(path.replace("NAME", channel), headers(), "STOP")).toEqual([...gets]);
  });
});

describe("directives replace the headers and never fall back to them (1.4)", () => {
  const cases: readonly (readonly [string, () => string, () => Record<string, string>, readonly string[]])[] =
    [
      [
        "time and tag",
        () => `time=${encodeURIComponent(mark("a2").time)}&tag=W%2F${mark("a2").tag}`,
        () => ({}),
        ["a3", "b1", "b2"],
      ],
      [
        "time with a plus, which is no blank",
        () => `time=${mark("a2").time.replaceAll(" ", "+")}`,
        () => ({}),
        [],
      ],
      ["event id", () => "eventid=e3", () => ({}), ["b1", "b2"]],
      ["event id, escaped", () => "eventid=%65%33", () => ({}), ["b1", "b2"]],
      ["headers alone", () => "", () => ({ ...at(before(mark("a1").time), 0), "Last-Event-Id": "e1" }), []],
      ["empty arguments", () => "time=&tag=&eventid=", () => ({ "Last-Event-Id": "e1" }), []],
      ["argument and header", () => "eventid=e3", () => ({ "Last-Event-Id": "e1" }), ["b1", "b2"]],
    ];
  test.each(cases)("%s", async (_name, query, headers, gets) => {
    const answer = await ask(server.port, `/arguments/${channel}?${query()}`, { headers: headers() });
    expect(texts(answer.body.toString())).toEqual([...gets]);
  });
});

test("tags number the messages of one second over all channels, from 1 (6.1)", () => {
  expect(mark("a2").tag).toBe(mark("a1").tag + 1);
  expect(mark("a3").tag).toBe(mark("a1").tag + 2);
  expect(Date.parse(mark("b1").time)).toBeGreaterThan(Date.parse(mark("a1").time));
});
