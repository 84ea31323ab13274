/**
 * What a WebSocket client says: to which channel it goes, and how it hears that one message was refused, on
 * our subprotocols and without one. Raw bytes of the compiled binary.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { Packr } from "msgpackr/pack";
import { ask } from "../binary/raw-client.ts";
import { Opcode, RawWebSocket } from "../binary/raw-web-socket.ts";
import { type RunningServer, until } from "../binary/running-server.ts";
import { forSettings, removeFolders, startHandlers } from "./handler-server.ts";

setDefaultTimeout(60_000);
afterAll(removeFolders);

const FILES = {
  "judge.ts": `
    import type { Hooks } from "sluice";
    export const onPublish: Hooks["onPublish"] = async ({ text, channels }, { sleep }) => {
      if (text.startsWith("slow")) await sleep(50);
      if (text.includes("no")) return { status: 422, explain: "not to " + channels.join() };
      if (text.includes("drop")) return { status: 422, explain: "dropped", close: false };
      if (text.includes("end")) return { status: 422, explain: "the end", close: true };
      if (text.includes("full")) return { status: 503, explain: "full" };
      if (text.includes("throw")) throw new Error("thrown in onPublish");
      if (text.includes("weird")) return { status: 422, close: "never" as never };
    };`,
};

const location = (name: string, more: string): string =>
  `[[location]]\nmatch = "~ ^/${name}/(.*)$"\nsubscriber = "websocket"\nchannels_path = "$1"\n` +
  `store_messages = true\n${more}\n`;
const TOML = `
${location("judged", 'websocket_allow_publish = true\nhooks = "judge.ts"')}
${location("free", "websocket_allow_publish = true")}
${location("deaf", "")}
${location("to", 'websocket_allow_publish = true\nwebsocket_publish_channel = "$arg_to"')}
[[location]]
match = "~ ^/read/(.*)$"
subscriber = "polling"
channels_path = "$1.b50"
message_template = "~channel~=~text~;"
`;

type Fields = Record<string, unknown>;
const packr = new Packr({ useRecords: false, mapsAsObjects: true });
const OURS = ["sluice.json.v1", "sluice.msgpack.v1"];

/** A client of one of our subprotocols. */
class Client {
  readonly socket: RawWebSocket;
  readonly #isJson: boolean;
  private constructor(socket: RawWebSocket, isJson: boolean) {
    this.socket = socket;
    this.#isJson = isJson;
  }
  static async open(port: number, path: string, protocol: string): Promise<Client> {
    const socket = await RawWebSocket.open(port, path, { "Sec-WebSocket-Protocol": protocol });
    const client = new Client(socket, protocol === "sluice.json.v1");
    expect((await client.next())["kind"]).toBe("hello");
    return client;
  }
  say(fields: Fields): void {
    if (this.#isJson) this.socket.sendFrame(Opcode.TEXT, JSON.stringify(fields));
    else this.socket.sendFrame(Opcode.BINARY, packr.pack(fields));
  }
  publish(ref: unknown, data: string, more: Fields = {}): void {
    this.say({ kind: "publish", ref, data, ...more });
  }
  /** The next frame; of a close frame `{ code, reason }`. Of a message what it says. */
  async next(): Promise<Fields> {
    const { opcode, payload } = await this.socket.frame();
    if (opcode === Opcode.CLOSE)
      return { code: payload.readUInt16BE(), reason: payload.subarray(2).toString() };
    const fields = (this.#isJson ? JSON.parse(payload.toString()) : packr.unpack(payload)) as Fields;
    if (fields["kind"] !== "message") return fields;
    return { [String(fields["channel"])]: Buffer.from(fields["data"] as string).toString() };
  }

  /** So many frames: what is said goes out at once, what is published with the turn. */
  async sorted(count: number): Promise<{ told: readonly Fields[]; messages: readonly Fields[] }> {
    const frames: Fields[] = [];
    while (frames.length < count) frames.push(await this.next());
    return {
      told: frames.filter(({ kind }) => kind !== undefined),
      messages: frames.filter(({ kind }) => kind === undefined),
    };
  }
}

const published = (ref: unknown) => ({
  kind: "published",
  ref,
  position: expect.stringMatching(/^[0-9a-z]+-\d+$/),
});

const refused = (ref: unknown, status: number, explain: unknown) => ({
  kind: "refused",
  ref,
  status,
  code: expect.any(String),
  explain,
});

forSettings("messages of WebSocket clients", (setting) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startHandlers(setting, { files: FILES, toml: TOML });
  });
  afterAll(() => server.stop());

  const read = async (channels: string): Promise<string> =>
    (await ask(server.port, `/read/${channels}`)).body.toString();
  const closeOf = async (socket: RawWebSocket) => {
    const { payload } = await socket.frame();
    return [payload.readUInt16BE(), payload.subarray(2).toString()];
  };

  test.each(OURS)(
    "%s: one that is refused costs that message alone, and its client knows which",
    async (protocol) => {
      const channel = `one-${protocol}`;
      const client = await Client.open(server.port, `/judged/${channel}`, protocol);
      const texts = ["slow a", "slow no b", "drop c", "full d", "e"];
      texts.forEach((text, ref) => {
        client.publish(ref, text);
      });
      expect(await client.sorted(7)).toEqual({
        told: [
          published(0),
          refused(1, 422, `not to ${channel}`),
          refused(2, 422, "dropped"),
          refused(3, 503, "full"),
          published(4),
        ],
        messages: [{ [channel]: "slow a" }, { [channel]: "e" }],
      });
      // A text that is no frame is a message without a name.
      client.socket.sendFrame(Opcode.TEXT, "no f");
      expect(await client.next()).toEqual(refused(null, 422, `not to ${channel}`));
      client.publish("g", "the end");
      expect(await client.next()).toEqual(refused("g", 422, "the end"));
      expect(await client.next()).toEqual({
        code: 1008,
        reason: '{"http_status": 422, "explain":"the end"}',
      });
      expect(await read(channel)).toBe(`${channel}=slow a;${channel}=e;`);
    },
  );

  test.each(OURS)(
    "%s: a hook that fails is told with the message, and ends the connection",
    async (protocol) => {
      for (const text of ["throw", "weird"]) {
        const client = await Client.open(server.port, `/judged/fails-${protocol}`, protocol);
        client.publish("r", text);
        client.publish("s", "behind");
        const told = await client.next();
        expect([told["kind"], told["ref"], told["status"]]).toEqual(["refused", "r", 500]);
        expect((await client.next())["code"]).toBe(1011);
      }
      expect(await read(`fails-${protocol}`)).toBe("");
    },
  );

  test("without a subprotocol the hook says whether a refusal costs the connection", async () => {
    const count = () => server.metric("sluice_refused_requests_total");
    const before = await count();
    const socket = await RawWebSocket.open(server.port, "/judged/plain");
    for (const text of ["slow drop a", "b", "no c", "d"]) socket.sendFrame(Opcode.TEXT, text);
    expect(await closeOf(socket)).toEqual([1008, '{"http_status": 422, "explain":"not to plain"}']);
    expect(await read("plain")).toBe("plain=b;");
    await until("the count", async () => (await count()) === before + 2);
  });

  test.each(OURS)("%s: a client says which of its channels a message is for", async (protocol) => {
    const [a, b] = [`a-${protocol}`, `b-${protocol}`];
    const client = await Client.open(server.port, `/free/${a}/${b}`, protocol);
    client.publish(1, "for b", { channel: b });
    client.publish(2, "for another", { channel: "another" });
    client.publish(3, "for all");
    const { told, messages } = await client.sorted(6);
    expect(told).toEqual([
      published(1),
      refused(2, 403, "This connection may not publish to that channel."),
      { kind: "published", ref: 3, positions: [expect.any(String), expect.any(String)] },
    ]);
    expect(messages.length).toBe(3);
    for (const [channel, texts] of [
      [a, `${a}=for all;`],
      [b, `${b}=for b;${b}=for all;`],
      ["another", ""],
    ] as const)
      expect(await read(channel)).toBe(texts);
    client.socket.close();
  });

  test.each(OURS)("%s: a frame that is faulty is refused and not published as a text", async (protocol) => {
    const client = await Client.open(server.port, `/free/faulty-${protocol}`, protocol);
    const ofRef = "ref is a number, or text of up to 256 bytes.";
    const ofData = "data is missing, or not of a kind that can be published.";
    for (const [fields, ref, explain] of [
      [{ ref: "r".repeat(257), data: "x" }, null, ofRef],
      [{ ref: 1.5 }, 1.5, ofData],
      [{ data: 7 }, null, ofData],
      [{ data: ["x"] }, null, ofData],
      [{ ref: "é", data: "x", channel: 7 }, "é", "channel is no text."],
      [{ data: "x", event_id: "later" }, null, "event_id is no field of a publish."],
      [{ ref: 1, data: "" }, 1, "Empty post requests are not allowed."],
      ...(protocol === "sluice.json.v1"
        ? ([
            [{ data_base64: "%%%%" }, null, ofData],
            [{ ref: { deep: 1 }, data: "x" }, null, ofRef],
            [{ data: "x", data_base64: "eA==" }, null, ofData],
          ] as const)
        : []),
    ] as const) {
      client.say({ kind: "publish", ...fields });
      expect(await client.next()).toEqual(refused(ref, 400, explain));
    }
    expect(await read(`faulty-${protocol}`)).toBe("");
    client.socket.close();
  });

  test.each(OURS)("%s: many in flight are answered in order, by the position of each", async (protocol) => {
    const channel = `flight-${protocol}`;
    const client = await Client.open(server.port, `/free/${channel}`, protocol);
    for (let ref = 0; ref < 256; ref++) client.publish(ref, `m${ref}`);
    const { told, messages } = await client.sorted(512);
    expect(told.map(({ ref }) => ref)).toEqual(messages.map((_, at) => at));
    expect(messages).toEqual(told.map((_, at) => ({ [channel]: `m${at}` })));
    const numbers = told.map(({ position }) => Number(String(position).split("-")[1]));
    expect(numbers.map((number) => number - (numbers[0] ?? 0))).toEqual(told.map((_, at) => at));
    // The position is one to come back with.
    const later = await Client.open(
      server.port,
      `/free/${channel}?eventid=${told[253]?.["position"]}`,
      protocol,
    );
    expect([await later.next(), await later.next()]).toEqual([{ [channel]: "m254" }, { [channel]: "m255" }]);
    for (const one of [client, later]) one.socket.close();
  });

  test.each(OURS)(
    "%s: a key that comes again gets the first position, another message 409",
    async (protocol) => {
      const client = await Client.open(server.port, `/free/keys-${protocol}`, protocol);
      for (const [ref, data, key] of [
        [1, "a", "k"],
        [2, "a", "k"],
        [3, "b", "k"],
        [4, "b", "l"],
        [5, "b", ""],
        [6, "b", "k".repeat(257)],
      ] as const)
        client.publish(ref, data, { key });
      const { told, messages } = await client.sorted(8);
      expect(told).toEqual([
        published(1),
        { ...published(2), position: told[0]?.["position"], duplicate: true },
        refused(3, 409, "The idempotency key came with another message before."),
        published(4),
        refused(5, 400, "An idempotency key has 1 to 256 bytes."),
        refused(6, 400, "An idempotency key has 1 to 256 bytes."),
      ]);
      expect(messages.length).toBe(2);
      client.socket.close();
    },
  );

  test("bytes come through both; what is no frame is published as it is, or refused", async () => {
    const json = await Client.open(server.port, "/free/bytes", "sluice.json.v1");
    json.say({ kind: "publish", data_base64: "/wA=" });
    await json.socket.frame();
    for (const text of ['{"kind":"chat"}', '["publish"]', "{no json", '{"kind":'])
      json.socket.sendFrame(Opcode.TEXT, text);
    for (const text of ['{"kind":"chat"}', '["publish"]', "{no json", '{"kind":'])
      expect(await json.next()).toEqual({ bytes: text });
    json.socket.close();
    const packed = await Client.open(server.port, "/free/packed", "sluice.msgpack.v1");
    packed.say({ kind: "publish", data: Buffer.from([0xff, 0]) });
    expect(packr.unpack((await packed.socket.frame()).payload).data).toEqual(Buffer.from([0xff, 0]));
    for (const bytes of [
      Buffer.from([0xc1]),
      packr.pack({ kind: "other" }),
      packr.pack([1]),
      Buffer.from([0xdd, 255, 255, 255, 255]),
    ]) {
      packed.socket.sendFrame(Opcode.BINARY, bytes);
      expect(await packed.next()).toEqual(refused(null, 400, "That is no frame that a client may send."));
    }
    packed.socket.close();
    expect(Buffer.from(await read("bytes")).length).toBeGreaterThan(0);
  });

  test.each(OURS)("%s: where nobody may publish, a frame is refused and a text ignored", async (protocol) => {
    const client = await Client.open(server.port, `/deaf/deaf-${protocol}`, protocol);
    client.socket.sendFrame(Opcode.TEXT, "hello");
    client.publish(1, "hello");
    expect(await client.next()).toEqual(refused(1, 403, "Nothing can be published here."));
    expect(await read(`deaf-${protocol}`)).toBe("");
    client.socket.close();
  });

  test("websocket_publish_channel names the one channel that messages go to", async () => {
    const socket = await RawWebSocket.open(server.port, "/to/x1.b3/x2?to=x2");
    socket.sendFrame(Opcode.TEXT, "plain");
    expect(await socket.text()).toBe("plain");
    socket.close();
    const client = await Client.open(server.port, "/to/x1/x2?to=x2.b3", "sluice.json.v1");
    client.publish(null, "its", { channel: "x2" });
    expect(await client.next()).toEqual({ x2: "its" });
    client.publish(2, "other", { channel: "x1" });
    expect(await client.next()).toEqual(refused(2, 403, "This connection may not publish to that channel."));
    client.socket.sendFrame(Opcode.TEXT, "text");
    expect(await client.next()).toEqual({ x2: "text" });
    client.socket.close();
    expect([await read("x1"), await read("x2")]).toEqual(["", "x2=plain;x2=its;x2=text;"]);
  });

  test.each(["y3", "y1/y2", "/"])(
    "websocket_publish_channel, %s: no channel of the connection, closed with the reason",
    async (to) => {
      const socket = await RawWebSocket.open(server.port, `/to/y1/y2?to=${to}`);
      expect(await closeOf(socket)).toEqual([
        1008,
        '{"http_status": 403, "explain":"This connection may not publish to that channel."}',
      ]);
    },
  );

  test("websocket_publish_channel that names none: the client only listens", async () => {
    const client = await Client.open(server.port, "/to/z1/z2", "sluice.json.v1");
    client.publish(1, "x", { channel: "z1" });
    expect(await client.next()).toEqual(refused(1, 400, "No channel id provided."));
    client.socket.close();
    const socket = await RawWebSocket.open(server.port, "/to/z1/z2?to=");
    socket.sendFrame(Opcode.TEXT, "x");
    expect(await closeOf(socket)).toEqual([
      1008,
      '{"http_status": 400, "explain":"No channel id provided."}',
    ]);
    expect([await read("z1"), await read("z2")]).toEqual(["", ""]);
  });
});
