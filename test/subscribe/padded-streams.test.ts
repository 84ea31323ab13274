/**
 * Padding by user agent on held streams: push-stream spec 4.8, over every value of its table; lengths are
 * tested in wire/padding.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const location = (name: string, mode: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "${mode}"
channels_path = "$1"
user_agent = "$arg_ua"
${rest}`;
const GROUPS = 'padding_by_user_agent = "[T|t]est 1,1024,508:[T|t]est 2,4097,0:[T|t]est 3,0,545"';
const HEADER = 'header_template = "0123456789"';
const config =
  layout("", { sub: 'header_template = "H"\npadding_by_user_agent = "MSIE,100,0"' }) +
  location(
    "st",
    "streaming",
    `${GROUPS}\n${HEADER}\nfooter_template = "FOOTER"\nmessage_template = "~text~|"`,
  ) +
  location("bare", "streaming", GROUPS) +
  location("ev8", "eventsource", `${GROUPS}\n${HEADER}`.replace("0123456789", "01234567")) +
  location("noheader-ev", "eventsource", GROUPS) +
  location(
    "ping",
    "streaming",
    `${GROUPS}\n${HEADER}\nping_message_interval = "100ms"\nmessage_template = "~id~"`,
  ) +
  location("ping-ev", "eventsource", `${GROUPS}\nping_message_interval = "100ms"`) +
  location("auto", "eventsource", `${GROUPS}\nevent_ids = "auto"`) +
  location("lpp", "long-polling", `${GROUPS}\n${HEADER}`);

/** The largest minimum of this configuration. */
const MAX = 4097;
const crlf = (length: number): string =>
  (length % 2 === 0 ? "" : "\n") + "\r\n".repeat(Math.floor(length / 2));
const colons = (length: number): string => (length === 0 ? "" : `${":".repeat(length - 1)}\n`);

let server: RunningServer;
let channels = 0;
const fresh = (): string => `pad${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

async function open(path: string, headers: Record<string, string> = {}): Promise<RawConnection> {
  const stream = await RawConnection.open(server.port);
  stream.request(path, { headers });
  expect((await stream.head()).status).toBe(200);
  return stream;
}

const remove = (channel: string) => ask(server.port, `/pub?id=${channel}`, { method: "DELETE" });

async function all(path: string, channel: string, texts: readonly string[], headers = {}): Promise<string> {
  const stream = await open(path, headers);
  await standing(server.port, channel);
  for (const text of texts) await server.publish(channel, text);
  await remove(channel);
  const body = (await stream.restOfChunks()).toString("latin1");
  stream.close();
  return body;
}

describe("streaming", () => {
  const cases = [
    ["test%201", crlf(1100), crlf(500)],
    ["Test 1 and more".replaceAll(" ", "%20"), crlf(1100), crlf(500)],
    ["test%202", crlf(MAX), ""],
    ["test%203", "", crlf(600)],
    ["TEST%201", "", ""],
    ["", "", ""],
    // The first group that is found wins.
    ["test%202,test%201", crlf(1100), crlf(500)],
  ] as const;
  test.each(cases)(
    "%s: header, message and deletion are padded, the footer is not",
    async (ua, header, message) => {
      const channel = fresh();
      const body = await all(`/st/${channel}?ua=${ua}`, channel, ["123456789"]);
      // The deletion is 16 bytes, in the same steps as a message of 10.
      expect(body).toBe(`0123456789${header}123456789|${message}Channel deleted|${message}FOOTER`);
    },
  );

  test.each([
    [1, 600],
    [104, 500],
    [105, 500],
    [502, 100],
    [544, 100],
    [545, 0],
    [550, 0],
  ])("a message of %p bytes under a minimum of 545: %p", async (length, padding) => {
    const channel = fresh();
    await server.publish(channel, "x".repeat(length));
    const stream = await open(`/bare/${channel}.b1?ua=test%203`);
    await until("everything", () => stream.unread >= length + padding);
    expect((await stream.chunked(length + padding)).toString()).toBe("x".repeat(length) + crlf(padding));
    stream.close();
  });

  test("no header template: no header padding", async () => {
    const channel = fresh();
    expect(await all(`/bare/${channel}?ua=test%201`, channel, [])).toBe(`Channel deleted${crlf(500)}`);
  });

  test("each message of several is padded for itself, old ones and those of one turn too", async () => {
    const channel = fresh();
    for (const text of ["1", "2"]) await server.publish(channel, text);
    const body = await all(`/bare/${channel}.b2?ua=test%201`, channel, ["3", "4"]);
    const one = (text: string): string => text + crlf(600);
    expect(body).toBe(`${["1", "2", "3", "4"].map(one).join("")}Channel deleted${crlf(500)}`);
  });

  test("pings are padded", async () => {
    const stream = await open(`/ping/${fresh()}?ua=test%201`);
    const expected = `0123456789${crlf(1100)}-1${crlf(600)}-1${crlf(600)}`;
    expect((await stream.chunked(expected.length)).toString()).toBe(expected);
    stream.close();
  });

  test("padded and others in one channel: each gets his own bytes", async () => {
    const channel = fresh();
    const agents = ["test%201", "", "test%203", "test%201"];
    const streams = await Promise.all(agents.map((ua) => open(`/bare/${channel}.b1?ua=${ua}`)));
    await standing(server.port, channel, agents.length);
    await server.publish(channel, "x");
    const paddings = [crlf(600), "", crlf(600), crlf(600)];
    for (const [i, stream] of streams.entries()) {
      const expected = `x${paddings[i]}`;
      expect((await stream.chunked(expected.length)).toString()).toBe(expected);
      stream.close();
    }
  });
});

test("without user_agent it is the header", async () => {
  for (const [headers, padding] of [
    [{ "User-Agent": "Mozilla (compatible; MSIE 6.0)" }, crlf(100)],
    [{ "User-Agent": "Mozilla (compatible; msie 6.0)" }, ""],
    [{ "User-Agent": "" }, ""],
    [{}, ""],
  ] as const) {
    const channel = fresh();
    expect(await all(`/sub/${channel}`, channel, ["x"], headers)).toBe(`H${padding}xChannel deleted`);
  }
});

describe("eventsource", () => {
  test("a message counts from its data lines on, its id and type do not", async () => {
    const channel = fresh();
    const headers = { "Event-Id": "i".repeat(300), "Event-Type": "t" };
    await server.publish(channel, "12", headers);
    const stream = await open(`/ev8/${channel}.b1?ua=test%201`);
    // ": 01234567\n" is 11 bytes, "data: 12\n\n" is 10.
    const message = `id: ${"i".repeat(300)}\nevent: t\ndata: 12\n\n`;
    const expected = `: 01234567\n${colons(1100)}${message}${colons(500)}`;
    expect((await stream.chunked(expected.length)).toString()).toBe(expected);
    stream.close();
  });

  test("the default header counts 3", async () => {
    const channel = fresh();
    const body = await all(`/noheader-ev/${channel}?ua=test%202`, channel, []);
    expect(body).toBe(`: \n${colons(MAX)}data: Channel deleted\n\n`);
  });

  test("pings are not padded", async () => {
    const stream = await open(`/ping-ev/${fresh()}?ua=test%201`);
    const expected = `: \n${colons(1100)}: -1\n: -1\n`;
    expect((await stream.chunked(expected.length)).toString()).toBe(expected);
    stream.close();
  });

  test("ids that are positions: on one channel and on several", async () => {
    for (const ids of [[fresh()], [fresh(), fresh()]]) {
      const stream = await open(`/auto/${ids.join("/")}?ua=test%203`);
      await standing(server.port, ids[0] ?? "");
      await server.publish(ids[0] ?? "", "x");
      await until("a message", () => stream.peek().includes("data: x"));
      const end = `data: x\n\n${colons(600)}`;
      await until("its padding", () => stream.peek().includes(end));
      stream.close();
    }
  });
});

describe("never padded", () => {
  test("long-polling", async () => {
    const channel = fresh();
    await server.publish(channel, "x");
    expect((await ask(server.port, `/lpp/${channel}.b1?ua=test%201`)).body.toString()).toBe("0123456789x");
  });

  test("polls of a streaming location", async () => {
    const channel = fresh();
    await server.publish(channel, "x");
    for (const mode of ["polling", "long-polling"]) {
      const headers = { "X-Nginx-PushStream-Mode": mode };
      const answer = await ask(server.port, `/st/${channel}.b1?ua=test%201`, { headers });
      expect(answer.body.toString()).toBe("0123456789x|FOOTER");
    }
  });
});
