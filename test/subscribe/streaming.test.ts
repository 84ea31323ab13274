/** The bytes of a streaming location: push-stream spec 4.4 to 4.6, 4.16, 4.17, 5.6 and A.2. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectAntiCache } from "../binary/answer-checks.ts";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const location = (name: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "streaming"
channels_path = "$1"
${rest}`;
const AROUND = 'header_template = "HEADER"\nfooter_template = "FOOTER"';
const config =
  layout("", { sub: 'header_template = "HEADER"' }) +
  location("bare", "") +
  location("brief", `${AROUND}\nmessage_template = "~id~:~text~"`) +
  location("script", `message_template = "<script>p(~id~,'~channel~','~text~');</script>"`) +
  location(
    "all",
    `message_template = '{"id":~id~,"channel":"~channel~","text":"~text~", "tag":"~tag~", ` +
      `"time":"~time~", "eventid":"~event-id~", "type":"~Event-Type~"}'`,
  ) +
  location("twice", `message_template = "~text~~TEXT~[~size~]~~id~~ ~nothing~ ~text"`) +
  location(
    "tokens",
    `header_template = "~id~ ~text~"\nfooter_template = "~channel~"\nsubscriber_connection_ttl = "400ms"`,
  );

let server: RunningServer;
let channels = 0;
const fresh = (): string => `s${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

const remove = (channel: string) => ask(server.port, `/pub?id=${channel}`, { method: "DELETE" });

async function open(path: string, version: "1.0" | "1.1" = "1.1"): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  connection.request(path, { version });
  return connection;
}

describe.each(["1.1", "1.0"] as const)("HTTP/%s", (version) => {
  test("head, header template, old messages, live messages, footer, end", async () => {
    const channel = fresh();
    await server.publish(channel, "old");
    const stream = await open(`/brief/${channel}.b1`, version);
    const head = await stream.head();
    expect(head.statusLine).toBe("HTTP/1.1 200 OK");
    expect(head.fields.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(head.fields.has("date")).toBeTrue();
    expectAntiCache(head);
    for (const name of ["last-modified", "etag", "content-length"]) expect(head.fields.has(name)).toBeFalse();
    expect(head.fields.get("transfer-encoding")).toBe(version === "1.1" ? "chunked" : undefined);
    const before = "HEADER1:old";
    const first = version === "1.1" ? stream.chunked(before.length) : stream.read(before.length);
    expect((await first).toString()).toBe(before);
    await server.publish(channel, "live");
    await remove(channel);
    const rest = version === "1.1" ? stream.restOfChunks() : stream.untilEnd();
    expect((await rest).toString()).toBe("2:live-2:Channel deletedFOOTER");
    stream.close();
  });
});

test("HTTP/1.0 without Host, as the oldest clients send it", async () => {
  const channel = fresh();
  const stream = await RawConnection.open(server.port);
  stream.send(`GET /sub/${channel} HTTP/1.0\r\n\r\n`);
  expect((await stream.head()).status).toBe(200);
  expect((await stream.read(6)).toString()).toBe("HEADER");
  stream.close();
});

test("the connection can be used again after a stream that the server ended", async () => {
  const channel = fresh();
  const stream = await open(`/brief/${channel}`);
  await stream.head();
  expect(await stream.chunkedText(6)).toBe("HEADER");
  await remove(channel);
  expect((await stream.restOfChunks()).toString()).toBe("-2:Channel deletedFOOTER");
  stream.request("/channels-stats");
  expect((await stream.answer()).status).toBe(200);
  stream.close();
});

test("without header_template the head comes at once, before any byte of the body (4.4 (1))", async () => {
  const channel = fresh();
  const stream = await open(`/bare/${channel}`);
  expect((await stream.head()).status).toBe(200);
  await standing(server.port, channel);
  expect(stream.unread).toBe(0);
  await server.publish(channel, "hello");
  expect(await stream.chunkedText(5)).toBe("hello");
  stream.close();
});

describe("templates (4.5)", () => {
  const TIME = "\\w{3}, \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT";
  const all = (id: number, channel: string, text: string, eventId: string, type: string): string =>
    `{"id":${id},"channel":"${channel}","text":"${text}", "tag":"\\d+", "time":"${TIME}", ` +
    `"eventid":"${eventId}", "type":"${type}"}`;
  const quote = (text: string): string => text.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&");
  const cases: readonly (readonly [string, string, Record<string, string>, (channel: string) => string])[] = [
    ["bare", "hello", {}, () => "hello"],
    ["bare", `"quotes" <b>&amp;</b> \\n 'x'`, {}, () => quote(`"quotes" <b>&amp;</b> \\n 'x'`)],
    ["script", "hello", {}, (channel) => quote(`<script>p(1,'${channel}','hello');</script>`)],
    ["all", "hello", {}, (channel) => all(1, channel, "hello", "", "")],
    ["all", "hello", { "Event-Id": "i", "Event-Type": "t" }, (channel) => all(1, channel, "hello", "i", "t")],
    // Values are put in once: tokens inside them stay as they are.
    ["all", "~id~~text~", { "Event-Id": "~tag~" }, (channel) => all(1, channel, "~id~~text~", "~tag~", "")],
    ["twice", "héé", {}, () => quote("hééhéé[5]~1~ ~nothing~ ~text")],
  ];
  test.each(cases)("%s %s", async (name, text, headers, expected) => {
    const channel = fresh();
    await server.publish(channel, text, headers);
    const stream = await open(`/${name}/${channel}.b1`);
    await stream.head();
    // The body has no end of its own: the live message behind it is where to stop.
    await server.publish(channel, "END");
    let body = "";
    while (!body.includes("END")) body += (await stream.chunked(1)).toString("latin1");
    const rendered = Buffer.from(body, "latin1").toString();
    expect(rendered).toMatch(new RegExp(`^${expected(channel)}`));
    stream.close();
  });

  test("header and footer have no tokens", async () => {
    const stream = await open(`/tokens/${fresh()}`);
    await stream.head();
    expect((await stream.restOfChunks()).toString()).toBe("~id~ ~text~~channel~");
    stream.close();
  });

  test("a channel id that looks like a token", async () => {
    const stream = await open("/script/~text~~id~");
    await standing(server.port, "~text~~id~");
    await server.publish("~text~~id~", "hello");
    await stream.head();
    const expected = "<script>p(1,'~text~~id~','hello');</script>";
    expect(await stream.chunkedText(expected.length)).toBe(expected);
    stream.close();
  });
});

test("one publish, each location in its own template", async () => {
  const channel = fresh();
  const brief = await open(`/brief/${channel}`);
  const plain = await open(`/sub/${channel}`);
  for (const stream of [brief, plain]) {
    await stream.head();
    expect(await stream.chunkedText(6)).toBe("HEADER");
  }
  await server.publish(channel, "hello");
  expect(await brief.chunkedText(7)).toBe("1:hello");
  expect(await plain.chunkedText(5)).toBe("hello");
  for (const stream of [brief, plain]) stream.close();
});

test("several channels: old messages in path order, then live ones (4.4, 4.7)", async () => {
  const [first, second] = [fresh(), fresh()];
  for (const text of ["1", "2"]) {
    await server.publish(second, `second${text};`);
    await server.publish(first, `first${text};`);
  }
  const stream = await open(`/sub/${first}.b2/${second}.b1`);
  await stream.head();
  expect(await stream.chunkedText(6 + 21 + 1)).toBe("HEADERfirst1;first2;second2;");
  await server.publish(`${second}/${first}`, "both;");
  expect(await stream.chunkedText(10)).toBe("both;both;");
  stream.close();
});

test("who got the first byte is counted, who left is not (4.16, 4.17, 5.6)", async () => {
  const [first, second] = [fresh(), fresh()];
  const before = 0;
  await until("those of the tests before have left", async () => (await server.summary()).subscribers === 0);
  const streams: RawConnection[] = [];
  for (let count = 1; count <= 6; count++) {
    const stream = await open(`/sub/${first}/${second}`);
    await stream.head();
    await stream.chunked(1);
    expect((await server.statistics(first)).subscribers).toBe(count);
    expect((await server.statistics(second)).subscribers).toBe(count);
    const summary = await server.summary();
    expect(summary.subscribers).toBe(before + count);
    expect(summary.by_worker.reduce((sum, worker) => sum + worker.subscribers, 0)).toBe(before + count);
    streams.push(stream);
  }
  for (const [i, stream] of streams.entries()) {
    stream.close();
    await until("one fewer", async () => (await server.statistics(second)).subscribers === 5 - i);
  }
  expect((await server.statistics(first)).subscribers).toBe(0);
  await until("nobody is left", async () => (await server.summary()).subscribers === before);
});

test("a channel named twice is one subscription: nobody gets a message twice", async () => {
  const channel = fresh();
  const stream = await open(`/sub/${channel}/${channel}`);
  await stream.head();
  await stream.chunked(6);
  expect((await server.statistics(channel)).subscribers).toBe(1);
  await server.publish(channel, "once;");
  await server.publish(channel, "end;");
  expect(await stream.chunkedText(9)).toBe("once;end;");
  stream.close();
});

test("a slow start: the head of the request comes byte by byte", async () => {
  const channel = fresh();
  await server.publish(channel, "old");
  const stream = await RawConnection.open(server.port);
  for (const byte of `GET /sub/${channel}.b1 HTTP/1.1\r\nHost: x\r\n\r\n`) {
    stream.send(byte);
    await Bun.sleep(0);
  }
  await stream.head();
  expect(await stream.chunkedText(9)).toBe("HEADERold");
  stream.close();
});

test("polls make no channels", async () => {
  const channel = fresh();
  expect((await ask(server.port, `/poll/${channel}`)).status).toBe(304);
  expect((await ask(server.port, `/channels-stats?id=${channel}`)).status).toBe(404);
});
