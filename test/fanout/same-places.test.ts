/** Streams in several channels whose events say where they stand in all of them: once for those alike. */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import type { LocalChannel } from "../../src/fanout/local-channel.ts";
import type { Message } from "../../src/store/message/message-view.ts";
import type { Store } from "../../src/store/store.ts";
import type { ByteWriter } from "../../src/wire/byte-writer.ts";
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

/** Of a clock that cuts the walk over one channel short, and not that over the next. */
const STEPS_MS = [0, 0, 3, 0, 0, 0, 0];

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

/** Its lines, each with the places behind it: so many messages of each of its channels. */
function lines(
  channels: readonly Channel[],
  told: readonly (readonly [Channel, number, string])[],
): string[] {
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

test("where two channels are served in slices, each event has the places of who is given it", async () => {
  const streams = Array.from({ length: 200 }, () => join([a, b]));
  await turns();
  let clockMs = 0;
  let looks = 0;
  worker.fanout.standing.nowMs = () => {
    clockMs += STEPS_MS[looks++ % STEPS_MS.length] ?? 0;
    return clockMs;
  };
  a.append("a1");
  b.append("b1");
  worker.fanout.published();
  const got = streams.map((): string[] => []);
  await stepUntil("all have both", () => {
    for (const [i, stream] of streams.entries()) got[i]?.push(...stream.take());
    return got.every((own) => own.length === 2);
  });
  const [aFirst, bFirst] = [
    lines(
      [a, b],
      [
        [a, 1, "a1"],
        [b, 1, "b1"],
      ],
    ),
    lines(
      [a, b],
      [
        [b, 1, "b1"],
        [a, 1, "a1"],
      ],
    ),
  ];
  expect(new Set(got.map((own) => own.join()))).toEqual(new Set([aFirst.join(), bFirst.join()]));
});
