/**
 * What the teller makes of a ring: what cannot be told any more is a gap in its place, and what nobody wants
 * to know is nothing.
 */
import { afterAll, expect, test } from "bun:test";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Internal } from "../../src/store/channel/internal-channels.ts";
import type { Store } from "../../src/store/store.ts";
import { Teller } from "../../src/webhooks/teller.ts";
import { bytes, Channel, newStore, readOn, removeTempFolders, text } from "../store/fixture.ts";

afterAll(removeTempFolders);

const NOW_MS = Date.now();
const webhooks = { backlogBytes: 64 * 1024, isWatched: () => false };

function begun(ringSize: number): { store: Store; teller: Teller; run: () => void } {
  const store = newStore({ webhooks, messageTtlSec: 0 }, { ringSize, size: 512 * 1024 });
  store.webhooks.takeLease(0, NOW_MS);
  store.webhooks.settle(["a"], true, NOW_MS);
  const teller = new Teller({ store, slot: 0, wants: (_, name) => text(name).startsWith("w") });
  return {
    store,
    teller,
    run: () => {
      while (teller.run());
      // What it has noted is in the ring itself.
      teller.run();
    },
  };
}

/** Kind, channel, and of gaps how many are missing. */
function told(store: Store): string[] {
  const ref = new ChannelRef();
  const index = store.internal.open(Internal.webhooks, NOW_MS, ref);
  const out: string[] = [];
  readOn(store, index, ref.incarnation, 0, (m) => {
    const { bytes: all, eventIdLength, dataOffset, dataLength } = m;
    const kind = text(all.subarray(eventIdLength, dataOffset));
    const rest = kind === "gap" ? text(all.subarray(dataOffset, dataOffset + dataLength)) : "";
    return out.push(`${kind} ${text(all.subarray(0, eventIdLength))}${rest}`) > 0;
  });
  return out;
}

test("what is not wanted leaves nothing behind", () => {
  const { store, run } = begun(64);
  for (const name of ["other", "w1", "other"]) new Channel(store, name).append("1");
  store.deleteChannel(bytes("w1"), bytes("bye"), NOW_MS);
  run();
  expect(told(store)).toEqual(["published w1", "deleted w1"]);
  expect(store.webhooks.untold.from).toBe(store.webhooks.untold.to);
});

test("a ring that went round is a gap, and what is left of it is told", () => {
  const { store, run } = begun(64);
  const channel = new Channel(store, "w1");
  for (let at = 0; at < 200; at++) channel.append(`${at}`);
  run();
  const [gap = "", ...rest] = told(store);
  const missed = Number(/^gap "missed":(\d+)$/.exec(gap)?.[1]);
  expect(missed).toBeGreaterThanOrEqual(200 - 64);
  expect(rest).toEqual(Array.from({ length: 200 - missed }, () => "published w1"));
});

test("a message that is gone before it was told is a gap in its place", () => {
  const { store, run } = begun(1024);
  const channel = new Channel(store, "w1");
  channel.append("first");
  // They need all the room there is.
  for (let at = 0; at < 6; at++) channel.append("x".repeat(80_000));
  run();
  const all = told(store);
  expect(all[0]).toMatch(/^gap "missed":\d+$/);
  expect(all.slice(1).every((each) => each === "published w1" || each.startsWith("gap"))).toBeTrue();
});

test("another worker that sends by now is told apart: nothing is noted twice", () => {
  const { store, teller } = begun(64);
  new Channel(store, "w1").append("1");
  store.webhooks.endLease(0);
  store.webhooks.takeLease(1, NOW_MS);
  expect(teller.run()).toBeFalse();
  expect(told(store)).toEqual([]);
});
