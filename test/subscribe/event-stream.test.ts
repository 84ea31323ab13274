/**
 * The bytes of an eventsource location (push-stream spec 4.14, 4.6, A.2), and of `event_ids = "auto"`:
 * positions as ids, gaps as events.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const location = (name: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
${rest}`;
const TTL = 'subscriber_connection_ttl = "300ms"';
const config =
  layout('[store]\nmax_messages_stored_per_channel = 4\nunstored_message_ttl = "1s"') +
  location("json", `message_template = '{"id":~id~,"text":"~text~","size":~size~}'`) +
  location("formatted", 'message_template = "data: <~text~>"') +
  location(
    "around",
    `header_template = "header line 1\\r\\nheader line 2\\n"\nfooter_template = "f1\\nf2"\n${TTL}`,
  ) +
  location("comments", `header_template = ": mine\\n"\nfooter_template = ": bye\\n"\n${TTL}`) +
  location("bare", TTL) +
  location("auto", 'event_ids = "auto"') +
  location("auto-named", 'event_ids = "auto"\nlast_event_id = "$arg_eventid"');

let server: RunningServer;
let channels = 0;
const fresh = (): string => `v${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

async function open(path: string, headers: Record<string, string> = {}): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  connection.request(path, { headers });
  await connection.head();
  return connection;
}

/** Reads as many events as `expected` has, or as many bytes if it has none, and compares. */
async function expectNext(stream: RawConnection, expected: string): Promise<void> {
  const events = expected.split("\n\n").length - 1;
  let text = "";
  if (events === 0) text = await stream.chunkedText(Buffer.byteLength(expected));
  while (text.split("\n\n").length - 1 < events) text += await stream.chunkedText(1);
  expect(Buffer.from(text, "latin1").toString()).toBe(expected);
}

async function upTo(stream: RawConnection, end: string): Promise<string> {
  let text = "";
  while (!text.includes(end)) text += await stream.chunkedText(1);
  return text;
}

test("the head leaves at once, with the first comment", async () => {
  const connection = await RawConnection.open(server.port);
  connection.request(`/ev/${fresh()}`);
  const head = await connection.head();
  expect(head.fields.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expectAntiCache(head);
  await expectNext(connection, ": \n");
  connection.close();
});

describe("messages (4.14)", () => {
  const cases: readonly (readonly [string, string, string, Record<string, string>, string])[] = [
    ["plain", "ev", "test message", {}, "data: test message\n\n"],
    [
      "id and type",
      "ev",
      "x",
      { "Event-Id": "ev-1", "Event-Type": "news" },
      "id: ev-1\nevent: news\ndata: x\n\n",
    ],
    [
      "four lines",
      "ev",
      "line 1\nline 2\r\nline 3\rline 4",
      {},
      "data: line 1\ndata: line 2\ndata: line 3\ndata: line 4\n\n",
    ],
    ["empty lines are dropped", "ev", "\n\na\r\n\r\nb\n\n", {}, "data: a\ndata: b\n\n"],
    ["only line breaks", "ev", "\r\n\n", { "Event-Id": "i" }, "id: i\n\n"],
    ["a lone CR parts lines", "ev", "a\rb", {}, "data: a\ndata: b\n\n"],
    ["NUL is a byte", "ev", "a\0b\nc", {}, "data: a\0b\ndata: c\n\n"],
    ["backslash n is no line break", "ev", "a\\nb", {}, "data: a\\nb\n\n"],
    ["UTF-8", "ev", "é€😀", {}, "data: é€😀\n\n"],
    [
      "a template for each line",
      "json",
      "é\nbc",
      {},
      'data: {"id":1,"text":"é","size":2}\ndata: {"id":1,"text":"bc","size":2}\n\n',
    ],
    ["a template that is formatted already", "formatted", "a\nb", {}, "data: <a>\ndata: <b>\n\n"],
    ["a comment in the text", "ev", ": no comment", {}, "data: : no comment\n\n"],
  ];
  test.each(cases)("%s", async (_name, location, text, headers, expected) => {
    const channel = fresh();
    await server.publish(channel, text, headers);
    const stream = await open(`/${location}/${channel}.b1`);
    await expectNext(stream, `: \n${expected}`);
    // Live, the same bytes but for the number.
    await server.publish(channel, text, headers);
    await expectNext(stream, expected.replaceAll('"id":1', '"id":2'));
    stream.close();
  });
});

describe("header and footer (4.6)", () => {
  test.each([
    ["each line becomes a comment", "around", ": header line 1\n: header line 2\n", ": f1\n: f2\n"],
    ["text that is a comment already stays", "comments", ": mine\n", ": bye\n"],
    ["none: a comment first, nothing last", "bare", ": \n", ""],
  ])("%s", async (_name, location, header, footer) => {
    const stream = await open(`/${location}/${fresh()}`);
    expect((await stream.restOfChunks()).toString()).toBe(header + footer);
    stream.close();
  });
});

/** `<epoch>-` of the running store, from the first id line. */
async function firstId(stream: RawConnection): Promise<{ epoch: string; positions: number[] }> {
  let opening = "";
  while (!/id: .*\n/.test(opening)) opening += await stream.chunkedText(1);
  const [, token = ""] = /^: \nretry: \d{4}\nid: ([0-9a-z]+-\d+(?:,\d+)*)\n$/.exec(opening) ?? [];
  expect(opening).toContain(`id: ${token}\n`);
  const [epoch = "", positions = ""] = token.split("-");
  return { epoch, positions: positions.split(",").map(Number) };
}

describe('event_ids = "auto"', () => {
  test("one channel: the first id, then one more for each message, whatever Event-Id says", async () => {
    const channel = fresh();
    const stream = await open(`/auto/${channel}`);
    const { epoch, positions } = await firstId(stream);
    const [base = 0] = positions;
    await server.publish(channel, "one");
    await expectNext(stream, `id: ${epoch}-${base + 1}\ndata: one\n\n`);
    await server.publish(channel, "two", { "Event-Id": "mine", "Event-Type": "t" });
    await expectNext(stream, `id: ${epoch}-${base + 2}\nevent: t\ndata: two\n\n`);
    await ask(server.port, `/pub?id=${channel}`, { method: "DELETE" });
    expect((await stream.restOfChunks()).toString()).toBe("data: Channel deleted\n\n");
    stream.close();
  });

  test("several channels: one place each, in path order", async () => {
    const [first, second, third] = [fresh(), fresh(), fresh()];
    const stream = await open(`/auto/${first}/${second}/${third}`);
    const { epoch, positions } = await firstId(stream);
    const [a = 0, b = 0, c = 0] = positions;
    await server.publish(second, "to b");
    await expectNext(stream, `id: ${epoch}-${a},${b + 1},${c}\ndata: to b\n\n`);
    await server.publish(`${third}/${first}`, "to both");
    let both = (await stream.chunked(2 * `id: ${epoch}-${a},${b},${c}\ndata: to both\n\n`.length)).toString();
    both = both.replaceAll("data: to both\n\n", "");
    // The order between channels is not promised, the last id tells of both.
    expect(both).toEndWith(`id: ${epoch}-${a + 1},${b + 1},${c + 1}\n`);
    stream.close();
  });

  test("coming back with the last id: what was missed, then live; no backtrack repeats", async () => {
    const channel = fresh();
    const stream = await open(`/auto/${channel}.b2`);
    const { epoch, positions } = await firstId(stream);
    const [base = 0] = positions;
    await server.publish(channel, "seen");
    await expectNext(stream, `id: ${epoch}-${base + 1}\ndata: seen\n\n`);
    stream.close();
    await server.publish(channel, "missed");
    const seen = `${epoch}-${base + 1}`;
    const cases: readonly (readonly [string, Record<string, string>])[] = [
      [`/auto/${channel}.b2`, { "Last-Event-ID": seen }],
      [`/auto-named/${channel}?eventid=${seen}`, {}],
      // Polyfills, which can set no header; one that repeats its URL has the newer position in the header.
      ...["lastEventId", "last-event-id", "lasteventid", "eventid"].map(
        (name) => [`/auto/${channel}?${name}=${encodeURIComponent(seen)}`, {}] as const,
      ),
      [`/auto/${channel}?lastEventId=${epoch}-${base}`, { "Last-Event-ID": seen }],
    ];
    for (const [path, headers] of cases) {
      const again = await open(path, headers);
      expect(await firstId(again)).toEqual({ epoch, positions: [base + 1] });
      await expectNext(again, `id: ${epoch}-${base + 2}\ndata: missed\n\n`);
      again.close();
    }
  });

  test("coming back too late: a gap event with the number, its id behind the gap", async () => {
    const channel = fresh();
    const stream = await open(`/auto/${channel}`);
    const { epoch, positions } = await firstId(stream);
    const [base = 0] = positions;
    stream.close();
    for (let count = 1; count <= 10; count++) await server.publish(channel, `m${count}`);
    const gap = `id: ${epoch}-${base + 6}\nevent: gap\ndata: {"channel":"${channel}","missed":4}\n\n`;
    const rest = [7, 8, 9, 10].map((id) => `id: ${epoch}-${base + id}\ndata: m${id}\n\n`).join("");
    // Four are stored; the others rest for a moment longer.
    let text = "";
    await until("the others are gone", async () => {
      const again = await open(`/auto/${channel}`, { "Last-Event-ID": `${epoch}-${base + 2}` });
      await firstId(again);
      text = await upTo(again, "m10\n\n");
      again.close();
      return text.startsWith(gap);
    });
    expect(text).toBe(gap + rest);
  });

  test.each([
    ["another store", (_epoch: string, position: number) => `zzzzzz-${position}`],
    ["a position not reached yet", (epoch: string, position: number) => `${epoch}-${position + 1_000_000}`],
  ])("an id of %s: a gap of unknown size, then all that is stored", async (_name, idOf) => {
    const channel = fresh();
    const probe = await open(`/auto/${channel}`);
    const { epoch, positions } = await firstId(probe);
    const [base = 0] = positions;
    probe.close();
    await server.publish(channel, "stored");
    const stream = await open(`/auto/${channel}`, { "Last-Event-ID": idOf(epoch, base) });
    expect(await firstId(stream)).toEqual({ epoch, positions: [base] });
    await expectNext(
      stream,
      `id: ${epoch}-${base}\nevent: gap\ndata: {"channel":"${channel}","missed":null}\n\n` +
        `id: ${epoch}-${base + 1}\ndata: stored\n\n`,
    );
    stream.close();
  });

  test.each(["", "0", "mine", "-1", "x-01", "x-1,", "x--1"])(
    "%s is no position: live from now on",
    async (id) => {
      const channel = fresh();
      await server.publish(channel, "stored");
      const stream = await open(`/auto/${channel}`, { "Last-Event-ID": id });
      await firstId(stream);
      await server.publish(channel, "live");
      expect(await upTo(stream, "live")).not.toContain("stored");
      stream.close();
    },
  );

  test("after one of several channels was deleted, the id still has a place for each", async () => {
    const [first, second, third] = [fresh(), fresh(), fresh()];
    const path = `/auto/${first}/${second}/${third}`;
    const stream = await open(path);
    const { epoch, positions } = await firstId(stream);
    const [a = 0, b = 0, c = 0] = positions;
    await ask(server.port, `/pub?id=${second}`, { method: "DELETE" });
    await expectNext(stream, "data: Channel deleted\n\n");
    await server.publish(third, "seen");
    await expectNext(stream, `id: ${epoch}-${a},${b},${c + 1}\ndata: seen\n\n`);
    stream.close();
    // Nothing that was seen comes again.
    const again = await open(path, { "Last-Event-ID": `${epoch}-${a},${b},${c + 1}` });
    await standing(server.port, third);
    await server.publish(third, "new");
    expect(await upTo(again, "new")).not.toContain("seen");
    again.close();
  });
});
