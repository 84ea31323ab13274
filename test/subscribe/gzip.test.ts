/** Compressed answers of subscribers: push-stream spec 4.15, 4.12 (8). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createGunzip, gunzipSync } from "node:zlib";
import { ask, RawConnection, standing } from "../binary/raw-client.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const GZIP = "gzip = true";
const location = (name: string, mode: string, rest: string): string => `
[[location]]
match = "~ ^/${name}/(.*)$"
subscriber = "${mode}"
channels_path = "$1"
${rest}`;
const AROUND = 'header_template = "HEADER"\nfooter_template = "FOOTER"';
const config =
  layout("", { sub: `${GZIP}\n${AROUND}`, lp: `${GZIP}\n${AROUND}`, poll: GZIP, ev: GZIP, ws: GZIP }) +
  location("plain", "streaming", `${GZIP}\n${AROUND}\ndefault_type = "text/plain"`) +
  location("any", "streaming", `${GZIP}\ngzip_types = ["*"]\n${AROUND}\ndefault_type = "text/plain"`) +
  location(
    "any-ev",
    "eventsource",
    `${GZIP}\ngzip_types = ["text/event-stream"]\nping_message_interval = "100ms"`,
  ) +
  location("js", "polling", `${GZIP}\ngzip_types = ["application/javascript"]\ngzip_comp_level = 9`) +
  location("ttl", "streaming", `${GZIP}\n${AROUND}\nsubscriber_connection_ttl = "200ms"`);

const TAKES = { "Accept-Encoding": "deflate, gzip" };
let server: RunningServer;
let channels = 0;
const fresh = (): string => `z${++channels}`;

beforeAll(async () => {
  server = await startServer({ toml: config });
});
afterAll(async () => {
  await server.stop();
});

/** A stream, and what of it a reader has decoded. */
class Decoded {
  readonly connection: RawConnection;
  text = "";
  readonly #gunzip = createGunzip();

  constructor(connection: RawConnection) {
    this.connection = connection;
    this.#gunzip.on("data", (data: Buffer) => {
      this.text += data.toString("latin1");
    });
  }

  /** Reads chunks of any size until the text is there: the stream does not have to end for it. */
  async expect(text: string): Promise<void> {
    await until(JSON.stringify(text), async () => {
      if (this.text.length < text.length) this.#gunzip.write(await this.connection.chunked(1));
      await new Promise((resolve) => setImmediate(resolve));
      return this.text.length >= text.length;
    });
    expect(this.text).toBe(text);
  }
}

async function open(path: string, headers: Record<string, string> = TAKES): Promise<RawConnection> {
  const stream = await RawConnection.open(server.port);
  stream.request(path, { headers });
  return stream;
}

const remove = (channel: string) => ask(server.port, `/pub?id=${channel}`, { method: "DELETE" });

describe.each(["/sub", "/any"])("%s", (path) => {
  test("each message is decodable at once, the whole is one valid member", async () => {
    const channel = fresh();
    await server.publish(channel, "old");
    const connection = await open(`${path}/${channel}.b1`);
    const head = await connection.head();
    expect(head.fields.get("content-encoding")).toBe("gzip");
    expect(head.fields.get("transfer-encoding")).toBe("chunked");
    const stream = new Decoded(connection);
    await stream.expect("HEADERold");
    await server.publish(channel, "live");
    await stream.expect("HEADERoldlive");
    await server.publish(channel, "more ".repeat(1000));
    await stream.expect(`HEADERoldlive${"more ".repeat(1000)}`);
    connection.close();
  });

  test("the end has checksum and length", async () => {
    const channels = [fresh(), fresh()];
    const connection = await open(`${path}/${channels.join("/")}`);
    await connection.head();
    for (const channel of channels) await standing(server.port, channel);
    for (const [i, channel] of channels.entries()) await server.publish(channel, `m${i}`);
    for (const channel of channels) await remove(channel);
    const whole = await connection.restOfChunks();
    expect(gunzipSync(whole).toString()).toBe("HEADERm0m1Channel deletedChannel deletedFOOTER");
    connection.close();
  });
});

test("many readers of one channel, compressed or not, all get the same", async () => {
  const channel = fresh();
  const streams = await Promise.all(
    Array.from({ length: 6 }, (_, i) => open(`/sub/${channel}`, i % 2 === 0 ? TAKES : {})),
  );
  for (const stream of streams) await stream.head();
  await standing(server.port, channel, streams.length);
  const texts = Array.from({ length: 20 }, (_, i) => `message ${i};`);
  for (const text of texts) await server.publish(channel, text);
  await remove(channel);
  for (const [i, stream] of streams.entries()) {
    const body = await stream.restOfChunks();
    const text = i % 2 === 0 ? gunzipSync(body) : body;
    expect(text.toString()).toBe(`HEADER${texts.join("")}Channel deletedFOOTER`);
    stream.close();
  }
});

test("pings and header of an event stream whose type is listed", async () => {
  const connection = await open(`/any-ev/${fresh()}`);
  expect((await connection.head()).fields.get("content-encoding")).toBe("gzip");
  await new Decoded(connection).expect(": \n: -1\n: -1\n");
  connection.close();
});

test("ttl: footer and a valid end", async () => {
  const connection = await open(`/ttl/${fresh()}`);
  expect(gunzipSync((await connection.answer()).body).toString()).toBe("HEADERFOOTER");
  connection.close();
});

describe("polls", () => {
  test.each(["/poll", "/lp"])("%s: the whole body, the Etag as it is", async (path) => {
    const channel = fresh();
    await server.publish(channel, "x");
    const plain = await ask(server.port, `${path}/${channel}.b1`);
    const packed = await ask(server.port, `${path}/${channel}.b1`, { headers: TAKES });
    expect(packed.fields.get("content-encoding")).toBe("gzip");
    expect(gunzipSync(packed.body).toString()).toBe(plain.body.toString());
    expect(packed.fields.get("etag")).toBe(plain.fields.get("etag") ?? "");
    expect(packed.fields.get("last-modified")).toBe(plain.fields.get("last-modified") ?? "");
    expect(plain.fields.has("content-encoding")).toBeFalse();
  });

  test("answered live", async () => {
    const channel = fresh();
    const poll = await open(`/lp/${channel}`);
    await standing(server.port, channel);
    await server.publish(channel, "hello");
    const answer = await poll.answer();
    expect(gunzipSync(answer.body).toString()).toBe("HEADERhelloFOOTER");
    expect(answer.fields.get("etag")).toMatch(/^W\/"\d+"$/);
    poll.close();
  });

  test("a script, if its type is listed", async () => {
    const channel = fresh();
    await server.publish(channel, "x");
    const listed = await ask(server.port, `/js/${channel}.b1?callback=cb`, { headers: TAKES });
    expect(gunzipSync(listed.body).toString()).toBe("cb([x]);");
    const unlisted = await ask(server.port, `/poll/${channel}.b1?callback=cb`, { headers: TAKES });
    expect(unlisted.body.toString()).toBe("cb([x]);");
  });
});

describe("not compressed", () => {
  test.each([
    ["/sub", "gzip;q=0"],
    ["/sub", "br"],
    ["/sub", "*"],
    ["/plain", "gzip"],
    ["/ev", "gzip"],
  ])("%s for %s", async (path, accept) => {
    const connection = await open(`${path}/${fresh()}`, { "Accept-Encoding": accept });
    expect((await connection.head()).fields.has("content-encoding")).toBeFalse();
    connection.close();
  });

  test("what came through a proxy", async () => {
    const connection = await open(`/sub/${fresh()}`, { ...TAKES, Via: "1.1 proxy" });
    expect((await connection.head()).fields.has("content-encoding")).toBeFalse();
    connection.close();
  });

  test("304, refusals and OPTIONS", async () => {
    for (const [path, method, status] of [
      [`/poll/${fresh()}`, "GET", 304],
      ["/sub/ALL", "GET", 403],
      ["/sub/a", "OPTIONS", 200],
      ["/sub/a", "POST", 405],
    ] as const) {
      const answer = await ask(server.port, path, { method, headers: TAKES });
      expect(answer.status).toBe(status);
      expect(answer.fields.has("content-encoding")).toBeFalse();
      expect(answer.body.length).toBe(0);
    }
  });
});

test("a stream that starts with nothing: the head comes first, then every message decodable", async () => {
  const empty = await startServer({ toml: layout("", { sub: GZIP }), workers: 1 });
  const channel = fresh();
  const connection = await RawConnection.open(empty.port);
  connection.request(`/sub/${channel}`, { headers: TAKES });
  expect((await connection.head()).fields.get("content-encoding")).toBe("gzip");
  await standing(empty.port, channel);
  const stream = new Decoded(connection);
  await empty.publish(channel, "one");
  await stream.expect("one");
  await empty.publish(channel, "two");
  await stream.expect("onetwo");
  connection.close();
  const ended = await RawConnection.open(empty.port);
  ended.request(`/sub/${channel}.b2`, { headers: TAKES });
  await ended.head();
  await ask(empty.port, `/pub?id=${channel}`, { method: "DELETE" });
  expect(gunzipSync(await ended.restOfChunks()).toString()).toBe("onetwoChannel deleted");
  ended.close();
  await empty.stop();
});
