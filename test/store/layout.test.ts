import { describe, expect, test } from "bun:test";
import * as layout from "../../src/store/memory/layout.ts";

const shape = { size: 1 << 20, blockSize: 256, channels: 100, ringSize: 1000, workerSlots: 3 };

describe("layoutOf", () => {
  test("lays the parts out one behind the other, inside the size", () => {
    const made = layout.layoutOf(shape);
    expect(made.webhooksWord).toBe(1024);
    expect(made.slotsWord).toBe(2048);
    expect(made.ringWord).toBe(made.slotsWord + 3 * layout.SLOT_WORDS);
    expect(made.ringSize).toBe(1024);
    expect(made.hashWord).toBe(made.ringWord + 1024 * layout.RING_WORDS);
    expect(made.hashSize).toBe(256);
    expect(made.channelsWord).toBe(made.hashWord + 256);
    expect(made.blocksWord).toBeGreaterThanOrEqual(made.channelsWord + 100 * made.channelWords);
    expect(made.blocksWord % 16).toBe(0);
    expect((made.blocksWord + (made.blocks + 1) * made.blockWords) * 4).toBeLessThanOrEqual(shape.size);
  });

  test("channels: 0 takes them from the size", () => {
    expect(layout.layoutOf({ ...shape, channels: 0 }).channels).toBe(512);
  });

  test.each([
    ["block size", { blockSize: 100 }],
    ["block size", { blockSize: 64 }],
    ["block size", { blockSize: 128 * 1024 }],
    ["worker slots", { workerSlots: 0 }],
    ["no room for messages", { size: 36 * 1024 }],
    ["above 4 GiB", { size: 5 * 1024 ** 3 }],
  ])("refuses an impossible %s", (what, fault) => {
    expect(() => layout.layoutOf({ ...shape, ...fault })).toThrow(what);
  });

  test("no two words of one record share an index", () => {
    // Words that are the low half of a 64-bit value take two places.
    const wide = new Set([
      "CH_BASE",
      "CH_LAST_ID",
      "CH_CREATED",
      "MSG_ID",
      "MSG_SERIAL",
      "HEAD_SIZE",
      "HEAD_EPOCH",
    ]);
    for (const name of [
      "HEAD_CREATED",
      "HEAD_DELETIONS",
      "HEAD_EVICTED",
      "HEAD_INTERNAL_BEFORE",
      "HEAD_PRESENCE_EVENTS",
    ])
      wide.add(name);
    const lists = new Set(["HEAD_STORED", "HEAD_TRANSIENT", "HEAD_LIVING", "HEAD_DELETED", "HEAD_TRASHED"]);
    for (const name of ["HEAD_INTERNAL", "HEAD_INTERNAL_CHANNELS"]) lists.add(name);
    for (const prefix of ["HEAD_", "CH_", "MSG_", "SLOT_P", "RING_"]) {
      const taken = new Map<number, string>();
      for (const [name, word] of Object.entries(layout)) {
        if (!name.startsWith(prefix) || typeof word !== "number" || /_WORDS$|_LIMIT$|_BYTES$/.test(name))
          continue;
        const count = lists.has(name) ? 4 : wide.has(name) ? 2 : 1;
        for (let at = word; at < word + count; at++) {
          expect(`${name} ${taken.get(at) ?? "alone"}`).toBe(`${name} alone`);
          taken.set(at, name);
        }
      }
    }
  });
});
