/**
 * Lists of very many channels: written in slices, one list at a time, whatever happens to the channels
 * meanwhile.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { ChannelListings, SLICE_CHANNELS } from "../../src/admin/channel-listing.ts";
import type { Store } from "../../src/store/store.ts";
import { negotiate } from "../../src/wire/statistics-format.ts";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, removeTempFolders, text } from "../store/fixture.ts";

afterAll(removeTempFolders);

const MANY = 20_000;
const json = negotiate(null);
const ALL = new Uint8Array(0);
const nobodyGone = new AbortController().signal;

function storeWith(count: number, name = (i: number): string => `channel-${i}`): Store {
  const store = newStore({}, { size: 32 * 1024 * 1024, channels: MANY + 1000 });
  for (let i = 0; i < count; i++) new Channel(store, name(i));
  return store;
}

type Listed = Awaited<ReturnType<ChannelListings["list"]>>;

const textIn = (body: Listed): string => (body instanceof Uint8Array ? text(body) : String(body));
const namesIn = (body: Listed): string[] => {
  const { infos }: { infos: { channel: string }[] } = JSON.parse(textIn(body));
  return infos.map(({ channel }) => channel);
};

/** Counts the event-loop turns until it is told to stop. */
function countTurns(): { readonly turns: number; stop(): void } {
  let turns = 0;
  let running = true;
  const turn = (): void => {
    turns++;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    get turns() {
      return turns;
    },
    stop: () => {
      running = false;
    },
  };
}

describe("20,000 channels", () => {
  const store = storeWith(MANY);
  const names = Array.from({ length: MANY }, (_, i) => `channel-${i}`);
  const slices = MANY / SLICE_CHANNELS;

  test.each(["plain", "json", "yaml", "xml"])("%s: others get their turn between slices", async (subtype) => {
    const listings = new ChannelListings(store);
    const turns = countTurns();
    let timers = 0;
    const timer = setInterval(() => timers++, 0);
    const listed = listings.list(negotiate(`text/${subtype}`), ALL, nobodyGone);
    expect(listed).toBeInstanceOf(Promise);
    const body = textIn(await listed);
    turns.stop();
    clearInterval(timer);
    expect(turns.turns).toBeGreaterThanOrEqual(slices - 1);
    expect(timers).toBeGreaterThan(0);
    for (const i of [0, SLICE_CHANNELS - 1, SLICE_CHANNELS, MANY - 1]) expect(body).toContain(`channel-${i}`);
    expect(body.split("channel-").length - 1).toBe(MANY);
  });

  test("are listed in the order of their creation, with the head of the start", async () => {
    const body = await new ChannelListings(store).list(json, ALL, nobodyGone);
    expect(namesIn(body)).toEqual(names);
    expect(JSON.parse(textIn(body)).channels).toBe(MANY);
  });

  test("a prefix that few have is looked for in slices, too", async () => {
    const listed = new ChannelListings(store).list(json, bytes("channel-1999"), nobodyGone);
    expect(listed).toBeInstanceOf(Promise);
    expect(namesIn(await listed)).toEqual(["channel-1999", ...names.slice(19_990)]);
    expect(namesIn(await new ChannelListings(store).list(json, bytes("x"), nobodyGone))).toEqual([]);
  });

  test("several lists take a turn a slice, and none gets into another", async () => {
    const listings = new ChannelListings(store);
    const turns = countTurns();
    const bodies = await Promise.all([
      listings.list(json, ALL, nobodyGone),
      listings.list(json, bytes("channel-7"), nobodyGone),
      listings.list(json, ALL, nobodyGone),
    ]);
    turns.stop();
    expect(turns.turns).toBeGreaterThanOrEqual(3 * slices - 1);
    expect(bodies.map(namesIn)).toEqual([names, names.filter((name) => name.startsWith("channel-7")), names]);
  });

  test("an asker who has gone costs the others nothing", async () => {
    const listings = new ChannelListings(store);
    const gone = new AbortController();
    const bodies = [
      listings.list(json, ALL, nobodyGone),
      listings.list(json, ALL, gone.signal),
      listings.list(json, ALL, gone.signal),
      listings.list(json, ALL, nobodyGone),
    ];
    gone.abort();
    const [first = null, second, third, last = null] = await Promise.all(bodies);
    expect([second, third]).toEqual([null, null]);
    expect([first, last].map((body) => namesIn(body).length)).toEqual([MANY, MANY]);
  });

  test("an asker who goes in the middle ends the list", async () => {
    const gone = new AbortController();
    const turns = countTurns();
    const listed = new ChannelListings(store).list(json, ALL, gone.signal);
    setImmediate(() => setImmediate(() => gone.abort()));
    expect(await listed).toBeNull();
    turns.stop();
    expect(turns.turns).toBeLessThan(slices);
  });

  test("a list that fails fails alone", async () => {
    const listings = new ChannelListings(store);
    const broken = {
      ...json,
      groupItem: () => {
        throw new Error("broken format");
      },
    };
    const [failed, next] = await Promise.allSettled([
      listings.list(broken, ALL, nobodyGone),
      listings.list(json, ALL, nobodyGone),
    ]);
    expect(failed.status).toBe("rejected");
    expect(next.status === "fulfilled" && namesIn(next.value).length).toBe(MANY);
  });
});

describe("between slices", () => {
  test("channels that were deleted are left out, those that are new are not listed", async () => {
    const count = 3 * SLICE_CHANNELS;
    const store = storeWith(count);
    const listed = new ChannelListings(store).list(json, ALL, nobodyGone);
    // Behind the first slice: what it has written stays, the rest is gone before it is looked at.
    setImmediate(() =>
      setImmediate(() => {
        for (let i = 0; i < count; i += 2) store.deleteChannel(bytes(`channel-${i}`), ALL, NOW_MS);
        for (let i = 0; i < 100; i++) new Channel(store, `new-${i}`);
      }),
    );
    const names = namesIn(await listed);
    expect(names.filter((name) => name.startsWith("new-"))).toEqual([]);
    expect(names.slice(-SLICE_CHANNELS / 2)).toEqual(
      Array.from({ length: SLICE_CHANNELS / 2 }, (_, i) => `channel-${2 * SLICE_CHANNELS + 2 * i + 1}`),
    );
    expect(names[0]).toBe("channel-0");
    expect(new Set(names).size).toBe(names.length);
  });

  test("a record that became another channel's is not taken for the old one", async () => {
    const count = 2 * SLICE_CHANNELS;
    // Every record is in use, so that a new channel gets the record of one that was deleted.
    const store = newStore({ channelInactivitySec: 1 }, { size: 32 * 1024 * 1024, channels: count });
    for (let i = 0; i < count; i++) new Channel(store, `old-${i}`);
    const listed = new ChannelListings(store).list(json, ALL, nobodyGone);
    setImmediate(() =>
      setImmediate(() => {
        for (let sec = 10; sec < 200; sec++) store.sweep(NOW_MS + sec * 1000);
        for (let i = 0; i < count; i++) new Channel(store, `new-${i}`, NOW_SEC + 200);
      }),
    );
    const names = namesIn(await listed);
    expect(names.filter((name) => name.startsWith("new-"))).toEqual([]);
    expect(names.length).toBeLessThan(count);
    expect(store.totals(NOW_MS).channels).toBe(count);
  });
});

test("few channels are listed at once", () => {
  const listings = new ChannelListings(storeWith(SLICE_CHANNELS));
  for (let round = 0; round < 2; round++) {
    const listed = listings.list(json, bytes("channel-1"), nobodyGone);
    expect(listed).toBeInstanceOf(Uint8Array);
    expect(namesIn(listed instanceof Uint8Array ? listed : null)[1]).toBe("channel-10");
  }
});
