/** Streams in several channels whose events say where they stand in all of them: once for those alike. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { LastingSubscription, type LocalChannel } from "../../src/fanout/local-channel.ts";
import { SamePlaces } from "../../src/fanout/same-places.ts";
import type { Message } from "../../src/store/message/message-view.ts";
import type { Store } from "../../src/store/store.ts";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import type { Position } from "../../src/wire/position.ts";
import { Channel, newStore, removeTempFolders } from "../store/fixture.ts";
import { joinStream, messages, TestWorker } from "./fixture.ts";
import { LineFormat } from "./line-format.ts";
import type { TestStream } from "./test-stream.ts";
import { stepUntil, turns } from "./test-stream.ts";

afterAll(removeTempFolders);

class CountingFormat extends LineFormat {
  made = 0;
  constructor() {
    super("counting", true, true, false);
  }
  override message(writer: ByteWriter, m: Message, channel: LocalChannel, at: Position | null): void {
    this.made++;
    super.message(writer, m, channel, at);
  }
}

let store: Store;
let worker: TestWorker;
let a: Channel;
let b: Channel;
let c: Channel;
let format: CountingFormat;
beforeEach(() => {
  store = newStore({}, { size: 1024 * 1024 });
  worker = new TestWorker(store);
  [a, b, c] = [new Channel(store, "a"), new Channel(store, "b"), new Channel(store, "c")];
  format = new CountingFormat();
  // A slow machine cuts a turn in two.
  worker.fanout.standing.nowMs = () => 0;
});
afterEach(() => {
  worker.stop();
  store.close();
});

const join = (channels: readonly Channel[]): TestStream => joinStream(worker, format, channels);

/** A channel's message: its number, and its text. */
type Told = readonly [Channel, number, string];

/** Its lines, each with the places behind it: so many messages of each of its channels. */
function lines(channels: readonly Channel[], told: readonly Told[]): string[] {
  const at = channels.map((channel) => ({ channel, id: 0 }));
  return told.flatMap(([channel, id, text]) => {
    for (const place of at) if (place.channel === channel) place.id = id;
    const positions = at.map(({ channel: { index }, id: known }) => {
      const base = store.positions.base(index);
      return known === 0 ? store.positions.beginning(base) : base + known;
    });
    return messages(channel, id, text).map((line) => `${line} @${positions.join()}`);
  });
}

async function publish(...texts: readonly (readonly [Channel, string])[]): Promise<void> {
  for (const [channel, text] of texts) channel.append(text);
  worker.fanout.published();
  await turns();
}

test("an event for many who stand alike in the same channels is made once", async () => {
  const streams = Array.from({ length: 10 }, () => join([a, b]));
  await turns();
  await publish([a, "a1"], [b, "b1"], [a, "a2"]);
  const expected = lines(
    [a, b],
    [
      [a, 1, "a1"],
      [a, 2, "a2"],
      [b, 1, "b1"],
    ],
  );
  for (const stream of streams) expect(stream.take()).toEqual(expected);
  expect(format.made).toBe(3);
});

test("who has channels that lie far apart, in a turned order, is not in the way of the others", async () => {
  const made = Array.from({ length: 49 }, (_, at) => new Channel(store, `far ${at}`));
  const far = made.filter((_, at) => at % 16 === 0);
  const orders = far.map((_, from) => far.slice(from).concat(far.slice(0, from)));
  const streams = Array.from({ length: 40 }, (_, at) => join(orders[at % 4] ?? []));
  await turns();
  for (const channel of far) await publish([channel, "m"]);
  for (const stream of streams) expect(stream.take()).toHaveLength(4);
  // Four messages, in four orders.
  expect(format.made).toBe(16);
});

test("who stands in other channels, or in the same in another order, gets his own places", async () => {
  const orders = [
    [a, b],
    [b, a],
    [a, c],
    [a, b, c],
    [a, b],
  ];
  const streams = orders.map((channels) => join(channels));
  await publish([b, "b1"]);
  orders.push([a, b]);
  streams.push(join([a, b]));
  await publish([a, "a1"]);
  const told = streams.map((stream) => stream.take());
  expect(told.slice(0, 5)).toEqual(
    orders.slice(0, 5).map((channels) =>
      lines(
        channels,
        channels.includes(b)
          ? [
              [b, 1, "b1"],
              [a, 1, "a1"],
            ]
          : [[a, 1, "a1"]],
      ),
    ),
  );
  // He came behind b1: his places say so, and he is told nothing of it.
  expect(told[5]).toEqual(
    lines(
      [a, b],
      [
        [b, 1, "b1"],
        [a, 1, "a1"],
      ],
    ).slice(1),
  );
});

test("who was slow goes on with his own places when he is back among the others", async () => {
  const [slow, quick] = [join([a, b]), join([a, b])];
  await turns();
  if (slow === undefined) throw new Error("no stream");
  slow.sink.isFull = true;
  await publish([a, "a1"]);
  await publish([a, "a2"], [b, "b1"]);
  await slow.sink.drain();
  await stepUntil("it is back", () => slow.isLive);
  await publish([b, "b2"], [a, "a3"]);
  const seen = slow.take();
  expect(quick?.take().slice(-2)).toEqual(seen.slice(-2));
  expect(seen.slice(-2)).toEqual(
    lines(
      [a, b],
      [
        [a, 2, "a2"],
        [b, 1, "b1"],
        [b, 2, "b2"],
        [a, 3, "a3"],
      ],
    ).slice(-2),
  );
});

test("while channels are served in slices, nobody is given what was made for who stands elsewhere", () => {
  join([a, b, c]);
  const at = (...told: readonly (readonly [Channel, number])[]): LastingSubscription[] =>
    told.map(([channel, sentId]) => new LastingSubscription(worker.local(channel), sentId, 0));
  const same = new SamePlaces();
  const made = new ByteWriter();
  made.pushLatin1("made");
  const isKept = (places: readonly LastingSubscription[]): boolean => same.find(places) !== null;
  const keep = (...told: readonly (readonly [Channel, number])[]): void => {
    same.begin();
    expect(isKept(at(...told))).toBe(false);
    same.keep(made);
    expect(Buffer.from(same.find(at(...told)) ?? []).toString()).toBe("made");
  };
  const toldEvents = at([a, 1], [b, 2]);
  for (const place of toldEvents) place.sentNumber = 1;
  const others = [
    at([a, 1], [b, 1]),
    at([b, 2], [a, 1]),
    at([a, 1], [c, 2]),
    at([a, 1], [b, 2], [c, 0]),
    at([a, 1]),
    toldEvents,
  ];
  for (const places of others) {
    keep([a, 1], [b, 2]);
    expect(isKept(places)).toBe(false);
  }
  keep([a, 1], [b, 2]);
  same.begin();
  expect(isKept(at([a, 1], [b, 2]))).toBe(false);
  // What is large is not kept.
  same.begin();
  made.pushLatin1("x".repeat(5000));
  expect(isKept(at([a, 1], [b, 2]))).toBe(false);
  same.keep(made);
  expect(isKept(at([a, 1], [b, 2]))).toBe(false);
});
