/**
 * Batches on the compiled binary, by both listeners and two workers: all lines are looked at before any is
 * stored, each has a result in order, and nothing that somebody sends in one costs more than its bytes.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Packr } from "msgpackr/pack";
import { hashOfKey, newKey, printKeyLine } from "../../src/access/key-text.ts";
import { HEAD_LOCK, HEADER_BYTES } from "../../src/store/memory/layout-header.ts";
import { RawConnection } from "../binary/raw-client.ts";
import { type RunningServer, startServer, until } from "../binary/running-server.ts";
import { folderWith, removeFolders } from "../handlers/handler-server.ts";

const { key: KEY, id } = newKey();
const KEYS = printKeyLine({ name: "backend", id, hash: hashOfKey(KEY), publish: ["news-*"], subscribe: [] });
const HOOK = `
import type { Hooks } from "sluice";
export const onPublish: Hooks["onPublish"] = async ({ text }, { sleep }) => {
  await sleep(text.length % 3);
  if (text.startsWith("bad")) return { status: 422, explain: "no " + text };
  if (text.startsWith("change")) return { data: text + "d" };
};
`;
const GUARD = `
import type { Authorize } from "sluice";
export const authorize: Authorize = () => true;
`;
const role = (match: string, more: string) => `[[location]]\nmatch = "= /${match}"\n${more}\n`;
const publisher = (match: string, more = "") =>
  role(match, `publisher = "normal"\nchannels_path = "$arg_id"\nstore_messages = true\n${more}`);
const TOML = `
events_channel_id = "events"
[limits]
max_channel_id_length = 200
max_channels_per_request = 3
max_body_size = "1MiB"
[store]
size = "16MiB"
${publisher("pub")}
${publisher("large", 'max_body_size = "12MiB"')}
${publisher("alone", "batch = false")}
${publisher("granted", 'publisher_keys_file = "keys"')}
${publisher("rated", 'rate = "1/m burst 10"')}
${publisher("hooked", 'hooks = "hook.ts"')}
${publisher("guarded", 'authorize = "guard.ts"')}
${role("channels-stats", 'statistics = true\nchannels_path = "$arg_id"')}
[[location]]
match = "~ ^/poll/(.*)$"
subscriber = "polling"
channels_path = "$1"
message_template = "~event-id~|~event-type~|~text~;"
HEADER
[[location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
`;

const packr = new Packr({ useRecords: false });
type Map = Readonly<Record<string, unknown>>;
const NDJSON = "application/x-ndjson";
const MSGPACK = "application/x-msgpack";
const ndjson = (lines: readonly Map[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const packed = (lines: readonly Map[]) =>
  new Uint8Array(Buffer.concat(lines.map((line) => packr.pack(line))));
const results = (text: string): Map[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

const POSITION = expect.stringMatching(/^[0-9a-z]+-[1-9][0-9]*$/);
/** Numbers of positions count the messages of a channel, from wherever the store was. */
const steps = (positions: readonly unknown[]): number[] => {
  const numbers = positions.map((position) => Number(String(position).split("-")[1]));
  return numbers.map((number) => number - (numbers[0] ?? 0));
};

describe.each([
  ["native", 'header_template = "h"'],
  ["wire", ""],
])("%s listener", (_, header) => {
  let server: RunningServer;
  beforeAll(async () => {
    const folder = folderWith({ keys: KEYS, "hook.ts": HOOK, "guard.ts": GUARD });
    server = await startServer({ folder, toml: TOML.replace("HEADER", header) });
  });
  afterAll(async () => {
    await server.stop();
    removeFolders();
  });

  const send = async (
    body: string | Uint8Array<ArrayBuffer>,
    { path = "/pub", type = NDJSON, headers = {} }: { path?: string; type?: string; headers?: Map } = {},
  ) => {
    const all = { "Content-Type": type, ...headers };
    const response = await fetch(server.url + path, {
      method: "POST",
      body,
      headers: all as Record<string, string>,
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      bytes,
      text: new TextDecoder().decode(bytes),
      headers: response.headers,
    };
  };
  const stored = async (channel: string): Promise<string> =>
    (await server.request(`/poll/${channel}.b2000`)).text.replaceAll(/^h/g, "");
  const published = async (channel: string) => (await server.statistics(channel)).published_messages;

  test("lines for many channels: what each says is published, with a position to go on from", async () => {
    const { status, type, text } = await send(
      ndjson([
        { channel: "a", data: "1" },
        { channel: "b", data: "2", event_id: "i", event_type: "t" },
        { channels: ["a", "c"], data_base64: "/wA=" },
        { channel: "a", data: "é\n4" },
      ]),
    );
    expect([status, type]).toEqual([200, NDJSON]);
    const told = results(text);
    const [one, two, three] = told;
    expect(told).toEqual([
      { position: POSITION },
      { position: POSITION },
      { positions: [POSITION, POSITION] },
      { position: POSITION },
    ]);
    expect([await stored("b"), await published("c")]).toEqual(["i|t|2;", 1]);
    // A reader of channel a alone goes on behind the third line.
    const [behind] = (three as { positions: string[] }).positions;
    expect(two?.["position"]).not.toBe(one?.["position"]);
    const stream = await fetch(`${server.url}/ev/a`, { headers: { "Last-Event-ID": String(behind) } });
    let events = "";
    for await (const chunk of stream.body ?? []) {
      events += new TextDecoder().decode(chunk);
      if (events.includes("data: 4")) break;
    }
    expect(events.match(/data: .*/g)).toEqual(["data: é", "data: 4"]);
  });

  test("the same by MessagePack, bytes as bytes, answered by MessagePack", async () => {
    const lines = [
      { channel: "pa", data: "1" },
      { channels: ["pa", "pb"], data: Buffer.from([0xff, 0]), key: "k" },
    ];
    const { status, type, bytes } = await send(packed(lines), { type: MSGPACK });
    expect([status, type]).toEqual([200, MSGPACK]);
    expect(packr.unpackMultiple(bytes)).toEqual([
      { position: POSITION },
      { positions: [POSITION, POSITION] },
    ]);
    expect([await published("pa"), await published("pb")]).toEqual([2, 1]);
  });

  test("a thousand lines are in order, for readers on both workers", async () => {
    const lines = Array.from({ length: 1000 }, (_, at) => ({ channel: "many", data: `m${at}` }));
    const { text } = await send(ndjson(lines));
    expect(steps(results(text).map(({ position }) => position))).toEqual(lines.map((_, at) => at));
    expect(await stored("many")).toBe(lines.map(({ data }) => `||${data};`).join(""));
  });

  test("one bad line of a thousand: nothing is stored, and every bad line is named", async () => {
    const lines = Array.from({ length: 1000 }, (_, at): Map => ({ channel: "none", data: `m${at}` }));
    lines[499] = { channel: "none" };
    lines[999] = { channel: "none", data: "x", chanel: "y" };
    const { status, type, text, headers } = await send(ndjson(lines));
    expect([status, type]).toEqual([400, "application/json"]);
    expect(JSON.parse(text)).toEqual({
      status: 400,
      code: "faulty_batch",
      explain: headers.get("x-nginx-pushstream-explain"),
      lines: 1000,
      faulty: 2,
      faults: [
        {
          line: 500,
          status: 400,
          code: "faulty_batch",
          explain: "data is missing, or not of a kind that can be published.",
        },
        { line: 1000, status: 400, code: "faulty_batch", explain: "chanel is no field of a message." },
      ],
    });
    expect(await published("none")).toBe(0);
    // A hundred are named, however many there are.
    const all = JSON.parse((await send("{}\n".repeat(1000))).text);
    expect([all.faulty, all.faults.length]).toEqual([1000, 100]);
  });

  test.each([
    ["no JSON", "{", "It is no JSON object."],
    ["a list", '["a"]', "It is no JSON object."],
    ["a byte order mark", '\ufeff{"channel":"x","data":"1"}', "It is no JSON object."],
    [
      "no UTF-8",
      new Uint8Array([...Buffer.from('{"channel":"x","data":"'), 0xff, ...Buffer.from('"}')]),
      "It is not UTF-8.",
    ],
    ["UTF-16", new Uint8Array(Buffer.from('{"channel":"x"}', "utf16le")), "It is no JSON object."],
    ["a nesting of 300,000", `{"data":${"[".repeat(300_000)}`, "It is no JSON object."],
    ["deep data", `{"channel":"x","data":${"[".repeat(100)}1${"]".repeat(100)}}`, /^data is missing/],
    ["no channel", '{"data":"x"}', "channel is text, or channels a list of texts."],
    ["an empty channel", '{"channel":"","data":"x"}', "No channel id provided."],
    ["no channels", '{"channels":[],"data":"x"}', "No channel id provided."],
    ["too many channels", '{"channels":["a","b","c","d"],"data":"x"}', "Too many channels in one request."],
    ["two in one", '{"channel":"a/b","data":"x"}', /^channel is the name of one channel/],
    ["a backtrack", '{"channel":"a.b5","data":"x"}', /^channel is the name of one channel/],
    ["both", '{"channel":"a","channels":["b"],"data":"x"}', /^channel is text, or/],
    [
      "a channel that nobody may name",
      '{"channel":"a*","data":"x"}',
      "Channel id not authorized for this method.",
    ],
    ["a long name", `{"channel":"${"n".repeat(201)}","data":"x"}`, "Channel id is too large."],
    [
      "the events channel",
      '{"channel":"events","data":"x"}',
      "Only internal routines can change events channel.",
    ],
    ["no data", '{"channel":"x","data":""}', "Empty post requests are not allowed."],
    ["bad base64", '{"channel":"x","data_base64":"%"}', /^data is missing/],
    ["an empty key", '{"channel":"x","data":"1","key":""}', "An idempotency key has 1 to 256 bytes."],
    [
      "an event id of 65,535 bytes",
      `{"channel":"x","data":"1","event_id":"${"i".repeat(65_535)}"}`,
      "Event id or event type is too large.",
    ],
    ["a number for an id", '{"channel":"x","data":"1","event_id":7}', "event_id is no text."],
    ["__proto__", '{"__proto__":{"channel":"x"},"data":"x"}', "__proto__ is no field of a message."],
  ])("a line with %s", async (_what, line, explain) => {
    const body =
      typeof line === "string"
        ? Buffer.from(`\r\n\n${line}\r\n`)
        : Buffer.concat([Buffer.from("\n\n"), line]);
    const { status, text } = await send(new Uint8Array(body));
    expect(status).toBeGreaterThanOrEqual(400);
    const { faults } = JSON.parse(text);
    expect(faults[0]).toMatchObject({ line: 3 });
    if (typeof explain === "string") expect(faults[0].explain).toBe(explain);
    else expect(faults[0].explain).toMatch(explain);
    expect(await published("x")).toBe(0);
  });

  test.each([
    ["a text of 4 GB", [0xdb, 255, 255, 255, 255]],
    ["a list of 4,000,000,000", [0x81, 0xa8, ...Buffer.from("channels"), 0xdd, 238, 107, 40, 0, 0xa1, 0x61]],
    ["a map of 4,000,000,000", [0xdf, 255, 255, 255, 255]],
    ["nested lists", Array.from({ length: 100_000 }, () => 0x91)],
    ["a record", [0xd4, 0x72, 0x40]],
    ["half a map", [0x82, 0xa1]],
  ])("MessagePack that claims %s costs its bytes alone", async (_what, tail) => {
    const { status, bytes } = await send(
      new Uint8Array([...packr.pack({ channel: "bomb", data: "1" }), ...tail]),
      { type: `${MSGPACK}; q=1` },
    );
    expect(status).toBe(400);
    expect(packr.unpack(bytes)).toMatchObject({
      lines: 2,
      faulty: 1,
      faults: [{ line: 2, code: "faulty_batch" }],
    });
    expect(await published("bomb")).toBe(0);
  });

  test("an empty batch, one of too many messages, one that is too long", async () => {
    expect((await send("\n \r\n")).headers.get("x-nginx-pushstream-explain")).toBe(
      "Empty post requests are not allowed.",
    );
    const line = ndjson([{ channels: ["m1", "m2"], data: "x" }]);
    const tooMany = await send(line.repeat(501));
    expect([tooMany.status, tooMany.headers.get("x-nginx-pushstream-explain")]).toEqual([
      400,
      "Too many messages in one request.",
    ]);
    expect((await send(`{"data":"${"x".repeat(1024 * 1024)}"}`)).status).toBe(413);
    expect([await published("m1"), (await send(line.repeat(500))).status]).toEqual([0, 200]);
  });

  test("a body without an end is given up where it is too long", async () => {
    const connection = await RawConnection.open(server.port);
    connection.send(
      `POST /pub HTTP/1.1\r\nHost: x\r\nContent-Type: ${NDJSON}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = `10000\r\n${'{"channel":"endless","data":"x"}\n'.repeat(2048).slice(0, 65_536)}\r\n`;
    for (let sent = 0; sent < 17; sent++) {
      connection.send(chunk);
      await Bun.sleep(0);
    }
    expect((await connection.head()).status).toBe(413);
    connection.close();
    expect(await published("endless")).toBe(0);
  });

  test("a line of 10 MB beside small ones", async () => {
    const lines = [
      { channel: "l", data: "s" },
      { channel: "l", data: "x".repeat(10_000_000) },
      { channel: "l", data: "e" },
    ];
    const { status, text } = await send(ndjson(lines), { path: "/large" });
    expect(status).toBe(200);
    expect(steps(results(text).map(({ position }) => position))).toEqual([0, 1, 2]);
    expect((await stored("l")).length).toBeGreaterThan(10_000_000);
  });

  test("a message larger than the store is a faulty line, and costs no channel", async () => {
    const { status, text } = await send(
      ndjson([
        { channel: "q", data: "1" },
        { channel: "q", data: "x".repeat(11_800_000) },
      ]),
      { path: "/large" },
    );
    // 16 MiB less what channels and keys take.
    if (status === 200) expect(results(text)).toHaveLength(2);
    else expect(JSON.parse(text).faults).toMatchObject([{ line: 2, code: "no_room" }]);
  });

  test("a URL that names a channel is one message, whatever its type; so it is without batches", async () => {
    expect((await send("{}\n", { path: "/pub?id=single" })).status).toBe(200);
    expect(await stored("single")).toBe("||{}\n;");
    for (const [path, type] of [
      ["/alone", NDJSON],
      ["/guarded", NDJSON],
      ["/pub", "application/json"],
    ] as const) {
      const { status, headers } = await send('{"channel":"x","data":"1"}', { path, type });
      expect([status, headers.get("x-nginx-pushstream-explain")]).toEqual([400, "No channel id provided."]);
    }
  });

  test("each line's channel has to be granted", async () => {
    const headers = { Authorization: `Bearer ${KEY}` };
    const path = "/granted";
    const good = [
      { channel: "news-1", data: "1" },
      { channels: ["news-2", "news-3"], data: "2" },
    ];
    expect((await send(ndjson(good), { path })).status).toBe(401);
    expect((await send(ndjson(good), { path, headers })).status).toBe(200);
    const { status, text } = await send(
      ndjson([...good, { channels: ["news-2", "other"], data: "3" }, { channel: "news*", data: "4" }]),
      { path, headers },
    );
    // Forms come before grants.
    expect([status, JSON.parse(text).faults[0]]).toEqual([
      403,
      {
        line: 4,
        status: 403,
        code: "forbidden_channel",
        explain: "Channel id not authorized for this method.",
      },
    ]);
    const refused = await send(ndjson([...good, { channels: ["news-2", "other"], data: "3" }]), {
      path,
      headers,
    });
    expect([refused.status, JSON.parse(refused.text).faults]).toEqual([
      403,
      [{ line: 3, status: 403, code: "not_granted", explain: "The channel is not granted." }],
    ]);
    expect([await published("news-2"), await published("other")]).toEqual([1, 0]);
  });

  test("each message counts for the rate; nothing is stored of a batch that is too fast", async () => {
    const lines = ndjson([{ channel: "fast", data: "x" }]).repeat(40);
    const { status, headers } = await send(lines, { path: "/rated" });
    expect([status, headers.get("retry-after") !== null]).toEqual([429, true]);
    expect(await published("fast")).toBe(0);
  });

  test("hooks judge each message: one that is refused costs itself alone, and order is kept", async () => {
    const texts = ["one", "bad two", "change", "four", "bad"];
    const { status, text } = await send(ndjson(texts.map((data) => ({ channel: "hooked", data }))), {
      path: "/hooked",
    });
    expect(status).toBe(200);
    expect(results(text)).toMatchObject([
      { position: POSITION },
      { status: 422, explain: "no bad two" },
      { position: POSITION },
      { position: POSITION },
      { status: 422, code: "refused_by_hook", explain: "no bad" },
    ]);
    expect(await stored("hooked")).toBe("||one;||changed;||four;");
  });

  // It takes the two seconds that a publisher is kept waiting.
  test.if(header === "")(
    "a store whose lock is kept: 503 with Retry-After for the whole batch, and nothing is in",
    async () => {
      const path = / store=(\S+)/.exec(server.log)?.[1] ?? "";
      const bytes = Bun.mmap(path, { shared: true });
      const lock = new Int32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4);
      // A living process that is no worker is left alone.
      await until("the lock", () => Atomics.compareExchange(lock, HEAD_LOCK, 0, process.pid) === 0);
      const { status, headers } = await send(ndjson([{ channel: "busy", data: "1", key: "k" }]).repeat(3));
      Atomics.compareExchange(lock, HEAD_LOCK, process.pid, 0);
      expect([status, headers.get("retry-after")]).toEqual([503, "1"]);
      expect(await published("busy")).toBe(0);
    },
  );

  test("a key in a line: known ones are told, another body is refused alone", async () => {
    const line = { channels: ["k1", "k2"], data: "1", key: "k" };
    const [first] = results((await send(ndjson([line]))).text);
    const told = results(
      (
        await send(
          ndjson([
            line,
            { ...line, data: "2" },
            { channel: "k1", data: "1", key: "k" },
            { ...line, channels: ["k1", "k3"] },
          ]),
        )
      ).text,
    );
    const positions = first?.["positions"] as string[];
    expect(told).toEqual([
      { positions, duplicate: true },
      { status: 409, code: "key_reused", explain: "The idempotency key came with another message before." },
      { position: positions[0], duplicate: true },
      { positions: [positions[0], POSITION] },
    ]);
    expect([await published("k1"), await published("k2"), await published("k3")]).toEqual([1, 1, 1]);
  });
});
