/** The table of what was taken back: bounded, shared, one entry a name, and kept as long as the file is. */
import { afterAll, expect, test } from "bun:test";
import {
  HEAD_REVOKED,
  HEADER_BYTES,
  REVOKED_ENTRIES,
  REVOKED_WORDS,
} from "../../src/store/memory/layout-header.ts";
import { attachStore, openStore } from "../../src/store/opening.ts";
import type { RevokedMark } from "../../src/store/revocations.ts";
import { Channel, NOW_SEC, POLICY, removeTempFolders, smallShape } from "./fixture.ts";

afterAll(removeTempFolders);

const mark = (low: number, more: Partial<RevokedMark> = {}): RevokedMark => ({
  low,
  high: 0x8000_0000 + low,
  issuedBeforeSec: 0,
  untilSec: NOW_SEC + 100,
  ...more,
});

test("it lies in the header page", () => {
  expect((HEAD_REVOKED + REVOKED_ENTRIES * REVOKED_WORDS) * 4).toBeLessThanOrEqual(HEADER_BYTES);
});

test("an entry is seen by every process of the file, and by who opens it after a stop or kill", () => {
  for (const isClosed of [true, false]) {
    const shape = smallShape();
    const { store } = openStore(shape, POLICY);
    const other = attachStore(shape.path, POLICY);
    const before = other.revoked.version;
    expect(store.revoked.revoke(mark(1), NOW_SEC)).toBe("done");
    expect(other.revoked.version).not.toBe(before);
    expect(other.revoked.marks(NOW_SEC)).toEqual([mark(1)]);
    // What comes and goes in the store does nothing to it.
    new Channel(store, "a").append("x");
    other.close();
    if (isClosed) store.upkeep.markClean();
    store.close();
    const again = openStore(shape, POLICY).store;
    expect(again.revoked.marks(NOW_SEC)).toEqual([mark(1)]);
    again.close();
  }
});

test("the same name has one entry, which only grows; what is over makes room", () => {
  const { store } = openStore(smallShape(), POLICY);
  store.revoked.revoke(mark(1, { issuedBeforeSec: 50, untilSec: NOW_SEC + 10 }), NOW_SEC);
  store.revoked.revoke(mark(1, { issuedBeforeSec: 40, untilSec: NOW_SEC + 5 }), NOW_SEC);
  expect(store.revoked.marks(NOW_SEC)).toEqual([mark(1, { issuedBeforeSec: 50, untilSec: NOW_SEC + 10 })]);
  // Whatever was issued is more than what was issued before a time.
  store.revoked.revoke(mark(1, { untilSec: NOW_SEC + 7 }), NOW_SEC);
  expect(store.revoked.marks(NOW_SEC)).toEqual([mark(1, { untilSec: NOW_SEC + 10 })]);
  for (let low = 2; low <= REVOKED_ENTRIES; low++)
    expect(store.revoked.revoke(mark(low), NOW_SEC)).toBe("done");
  expect(store.revoked.revoke(mark(5000), NOW_SEC)).toBe("full");
  expect(store.revoked.revoke(mark(7, { untilSec: NOW_SEC + 500 }), NOW_SEC)).toBe("done");
  expect(store.revoked.marks(NOW_SEC)).toHaveLength(REVOKED_ENTRIES);
  expect(store.revoked.revoke(mark(5000), NOW_SEC + 10)).toBe("done");
  expect(store.revoked.marks(NOW_SEC + 200)).toEqual([mark(7, { untilSec: NOW_SEC + 500 })]);
  // After its time it is another entry: it does not begin with what the last one said.
  store.revoked.revoke(mark(7, { issuedBeforeSec: 9, untilSec: NOW_SEC + 700 }), NOW_SEC + 600);
  expect(store.revoked.marks(NOW_SEC + 600)).toEqual([
    mark(7, { issuedBeforeSec: 9, untilSec: NOW_SEC + 700 }),
  ]);
  store.close();
});
