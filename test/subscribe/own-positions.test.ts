/**
 * Clients that ask with `sluice_positions`: frames with the position of each channel by itself, over every
 * transport, and channels that come and go on an open WebSocket. On both listeners of the compiled binary
 * with two workers.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { unpack } from "msgpackr/unpack";
import { packMap } from "../../src/wire/msgpack-message.ts";
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";

const toml = `${layout(
  "[store]\nmax_messages_stored_per_channel = 4\n[limits]\nmax_channels_per_request = 5",
  {
    ws: "websocket_allow_subscribe = true",
    lp: 'longpolling_connection_ttl = "1s"',
  },
)}
[[location]]
match = "~ ^/closed/(.*)$"
subscriber = "websocket"
channels_path = "$1"
[[location]]
match = "~ ^/here/(.*)$"
subscriber = "websocket"
channels_path = "$1"
websocket_allow_subscribe = true
presence = "members"
presence_linger = 0
`;

type Frame = Record<string, unknown>;

/** A WebSocket and what it was told. */
class Talk {
  readonly frames: Frame[] = [];
  code = 0;
  readonly #socket: WebSocket;

  constructor(url: string, protocol: string) {
    this.#socket = new WebSocket(url.replace("http", "ws"), protocol);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) =>
      this.frames.push(typeof data === "string" ? JSON.parse(data) : unpack(new Uint8Array(data)));
    this.#socket.onclose = ({ code }) => {
      this.code = code;
    };
  }

  say(frame: Frame): void {
    const isJson = this.#socket.protocol === "sluice.json.v1";
    this.#socket.send(isJson ? JSON.stringify(frame) : new Uint8Array(packMap(frame)));
  }

  async next(kind: string, of: Frame = {}): Promise<Frame> {
    const fits = (frame: Frame): boolean =>
      frame["kind"] === kind && Object.entries(of).every(([name, value]) => frame[name] === value);
    await until(`a frame ${kind}`, () => this.frames.some(fits));
    return this.frames.find(fits) ?? {};
  }

  close(): void {
    this.#socket.close();
  }
}

const texts = (frames: readonly Frame[], channel: string): string[] =>
  frames
    .filter((frame) => frame["kind"] === "message" && frame["channel"] === channel)
    .map(({ data }) => (typeof data === "string" ? data : Buffer.from(data as Uint8Array).toString()));

const framesOf = (body: string): Frame[] =>
  [...body.matchAll(/^data: (.*)$/gm)].map(([, text = ""]) => JSON.parse(text));

let channels = 0;
const fresh = (): string => `own${++channels}`;

describe.each(["native", "wire"])("listener %s", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ toml, args: ["--listener", listener] });
  });
  afterAll(async () => {
    await server.stop();
  });

  describe.each(["sluice.json.v1", "sluice.msgpack.v1"])("%s", (protocol) => {
    const open = (path: string): Talk => new Talk(`${server.url}${path}`, protocol);

    test("says where it stands in each channel, and takes that back with other channels", async () => {
      const [a, b, c] = [fresh(), fresh(), fresh()];
      const first = open(`/ws/${a}/${b}?sluice_positions=`);
      const hello = await first.next("hello");
      expect(hello["channels"]).toEqual([a, b]);
      await server.publish(a, "a1");
      await server.publish(b, "b1");
      const position = (await first.next("message", { channel: b }))["position"];
      expect(position).not.toBe((hello["positions"] as string[])[1]);
      first.close();
      await server.publish(b, "b2");
      await server.publish(c, "c1");
      const again = open(`/ws/${c}/${b}?sluice_positions=.${position}`);
      await again.next("message", { channel: b });
      expect(again.frames.map(({ kind }) => kind)).toEqual(["hello", "message"]);
      expect(texts(again.frames, b)).toEqual(["b2"]);
      again.close();
    });

    test("adds channels with their positions, and drops them", async () => {
      const [a, b] = [fresh(), fresh()];
      const talk = open(`/ws/${a}?sluice_positions=`);
      await talk.next("hello");
      for (let n = 1; n <= 6; n++) await server.publish(b, `b${n}`);
      talk.say({ kind: "subscribe", ref: 1, channels: [`${b}.b2`] });
      const subscribed = await talk.next("subscribed");
      expect(subscribed).toMatchObject({ ref: 1, channels: [b] });
      await until("two of the old ones", () => texts(talk.frames, b).length === 2);
      talk.say({ kind: "unsubscribe", ref: 2, channels: [b] });
      expect(await talk.next("unsubscribed")).toEqual({ kind: "unsubscribed", ref: 2, channels: [b] });
      await server.publish(b, "b7");
      await server.publish(a, "a1");
      await talk.next("message", { channel: a });
      expect(texts(talk.frames, b)).toEqual(["b5", "b6"]);
      // What it missed meanwhile comes when it says where it was; what is gone is told.
      const [, position] = String((subscribed["positions"] as string[])[0]).split("-");
      const life = String((subscribed["positions"] as string[])[0]).split("-")[0];
      talk.say({ kind: "subscribe", channels: [b], positions: [`${life}-${Number(position) - 3}`] });
      await until("the rest", () => texts(talk.frames, b).at(-1) === "b7");
      // Four are stored; more rest while another worker has not passed them.
      const came = texts(talk.frames, b).slice(2);
      expect(came.slice(-4)).toEqual(["b4", "b5", "b6", "b7"]);
      const missed = talk.frames.reduce((sum, frame) => sum + Number(frame["missed"] ?? 0), 0);
      expect(missed + came.length).toBe(6);
      // In a channel where it stands it stays as it is.
      talk.say({ kind: "subscribe", ref: 9, channels: [a, b] });
      expect((await talk.next("subscribed", { ref: 9 }))["channels"]).toEqual([a, b]);
      await server.publish(a, "a2");
      await until("once", () => texts(talk.frames, a).length === 2);
      talk.close();
    });

    test("stays open without channels, also when they are deleted", async () => {
      const a = fresh();
      const talk = open(`/ws/${a}?sluice_positions=`);
      await talk.next("hello");
      talk.say({ kind: "unsubscribe", ref: "all", channels: [a] });
      await talk.next("unsubscribed");
      await until("nobody stands there", async () => (await server.statistics(a)).subscribers === 0);
      talk.say({ kind: "subscribe", ref: "again", channels: [a] });
      await talk.next("subscribed");
      await server.request(`/pub?id=${a}`, { method: "DELETE" });
      await talk.next("deleted");
      talk.say({ kind: "subscribe", ref: "new", channels: [a] });
      await talk.next("subscribed", { ref: "new" });
      await server.publish(a, "a1");
      await talk.next("message");
      expect(talk.code).toBe(0);
      talk.close();
    });

    test("is a member of the channels that it has at the moment", async () => {
      const [a, b] = [fresh(), fresh()];
      const watcher = open(`/here/${a}?sluice_positions=`);
      await watcher.next("hello");
      const talk = open(`/here/${a}/${b}?sluice_positions=`);
      await talk.next("hello");
      await watcher.next("presence", { event: "join", count: 2 });
      talk.say({ kind: "unsubscribe", channels: [a] });
      await watcher.next("presence", { event: "leave", count: 1 });
      watcher.say({ kind: "subscribe", channels: [b] });
      await talk.next("presence", { event: "join", channel: b, count: 2 });
      // A channel that was deleted and is there again has them once.
      await server.request(`/pub?id=${b}`, { method: "DELETE" });
      await talk.next("deleted");
      await watcher.next("deleted");
      for (const one of [talk, watcher]) {
        one.say({ kind: "subscribe", ref: "again", channels: [b] });
        await one.next("subscribed", { ref: "again" });
      }
      await until(
        "both are there again",
        () =>
          talk.frames.filter(({ event, count, channel }) => event === "join" && count === 2 && channel === b)
            .length === 2,
      );
      watcher.close();
      await talk.next("presence", { event: "leave", channel: b, count: 1 });
      talk.close();
    });

    test("refuses what it may not, and goes on", async () => {
      const a = fresh();
      const talk = open(`/ws/${a}?sluice_positions=`);
      await talk.next("hello");
      const faulty: [Frame, number][] = [
        [{ channels: "x" }, 400],
        [{ channels: [] }, 400],
        [{ channels: ["x/y"] }, 400],
        [{ channels: [""] }, 400],
        [{ channels: ["x"], positions: "y" }, 400],
        [{ channels: ["x"], positions: ["", ""] }, 400],
        [{ channels: ["x"], nonsense: 1 }, 400],
        [{ channels: ["ALL"] }, 403],
        [{ channels: ["1", "2", "3", "4", "5"] }, 400],
      ];
      for (const [ref, [frame]] of faulty.entries()) talk.say({ kind: "subscribe", ref, ...frame });
      for (const [ref, [, status]] of faulty.entries())
        expect(await talk.next("refused", { ref })).toMatchObject({ status });
      await server.publish(a, "a1");
      await talk.next("message");
      talk.close();
      for (const path of [`/closed/${a}?sluice_positions=`, `/ws/${a}/${fresh()}`]) {
        const other = open(path);
        await other.next("hello");
        other.say({ kind: "subscribe", ref: 1, channels: ["x"] });
        expect(await other.next("refused")).toMatchObject({ code: "no_subscribing" });
        other.close();
      }
      const miscounted = open(`/ws/${a}?sluice_positions=.`);
      await until("it is closed", () => miscounted.code === 1008);
    });
  });

  test("a channel added while others publish in it comes whole, and nothing comes twice", async () => {
    const [a, busy] = [fresh(), fresh()];
    const talk = new Talk(`${server.url}/ws/${a}?sluice_positions=`, "sluice.json.v1");
    await talk.next("hello");
    let isOver = false;
    let published = 0;
    const publishing = (async () => {
      while (!isOver) await server.publish(busy, String(++published));
    })();
    let position: string | null = null;
    for (let round = 0; round < 40; round++) {
      const before = talk.frames.length;
      talk.say({ kind: "subscribe", ref: round, channels: [busy], positions: [position ?? ""] });
      await talk.next("subscribed", { ref: round });
      await until("some came", () => texts(talk.frames.slice(before), busy).length >= 2);
      talk.say({ kind: "unsubscribe", ref: -round - 1, channels: [busy] });
      await talk.next("unsubscribed", { ref: -round - 1 });
      position = String(talk.frames.findLast(({ channel }) => channel === busy)?.["position"] ?? "");
    }
    isOver = true;
    await publishing;
    const numbers = texts(talk.frames, busy).map(Number);
    const missed = talk.frames.reduce((sum, { missed }) => sum + Number(missed ?? 0), 0);
    expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
    expect(new Set(numbers).size).toBe(numbers.length);
    const [first = 0] = numbers;
    expect(numbers.length + missed).toBe((numbers.at(-1) ?? 0) - first + 1);
    talk.close();
  }, 20_000);

  test("the same frames are the events of a stream, and of a long poll that ends with them", async () => {
    const [a, b] = [fresh(), fresh()];
    const ask = (path: string): Promise<string> => fetch(server.url + path).then((answer) => answer.text());
    const [hello] = framesOf(await ask(`/lp/${a}/${b}?sluice_positions=`));
    expect(hello).toMatchObject({ kind: "hello", channels: [a, b] });
    const positions = hello?.["positions"] as string[];
    const waiting = ask(`/lp/${a}/${b}?sluice_positions=${positions.join(".")}`);
    await until("it waits", async () => (await server.statistics(b)).subscribers === 1);
    await server.publish(b, 'b"1\r\n');
    const [message, ...others] = framesOf(await waiting);
    expect(message).toMatchObject({ kind: "message", channel: b, data: 'b"1\r\n' });
    expect(others).toEqual([]);
    const abort = new AbortController();
    const stream = await fetch(`${server.url}/ev/${b}/${a}?sluice_positions=${positions[1]}.`, {
      signal: abort.signal,
    });
    let body = "";
    const reading = (async () => {
      for await (const chunk of stream.body ?? []) body += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    await until("what it missed", () => texts(framesOf(body), b).length === 1);
    for (let n = 2; n <= 9; n++) await server.publish(b, `b${n}`);
    await until("what came", () => texts(framesOf(body), b).length === 9);
    // Four are stored: the others are told, to a poll as to all.
    const late = framesOf(await ask(`/lp/${b}?sluice_positions=${positions[1]}`));
    // More rest while another worker has not passed them.
    const kinds = late.map(({ kind }) => kind);
    expect(kinds.slice(-4)).toEqual(["message", "message", "message", "message"]);
    const missed = late.reduce((sum, frame) => sum + Number(frame["missed"] ?? 0), 0);
    expect(missed + kinds.filter((kind) => kind === "message").length).toBe(9);
    const lost = framesOf(await ask(`/lp/${b}?sluice_positions=zz-1`));
    expect(lost[0]).toMatchObject({ kind: "gap", channel: b, missed: null });
    await server.request(`/pub?id=${b}`, { method: "DELETE" });
    await until("the deletion", () => body.includes('"deleted"'));
    await server.publish(a, "a1");
    await until("the other channel goes on", () => texts(framesOf(body), a).length === 1);
    abort.abort();
    await reading;
    const quiet = await ask(`/lp/${a}?sluice_positions=${framesOf(body).at(-1)?.["position"]}`);
    expect(quiet).toBe("");
    expect((await fetch(`${server.url}/ev/${a}?sluice_positions=.`)).status).toBe(400);
  }, 20_000);
});
