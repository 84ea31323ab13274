/** Putting many in: what is done at once, and what is given up between. */
import { afterAll, expect, test } from "bun:test";
import { ingestPatiently, openTarget } from "../../src/publish/ingest.ts";
import { Place, putAll, refusalOf } from "../../src/publish/put.ts";
import { HEAD_LOCK } from "../../src/store/memory/layout-header.ts";
import { bytes, Channel, NOW_MS, NOW_SEC, newStore, removeTempFolders } from "../store/fixture.ts";

afterAll(removeTempFolders);

test("few, though more than one hold of the lock takes, are in before the next turn", () => {
  const store = newStore({}, { size: 8 * 1024 * 1024 });
  let bells = 0;
  const inlet = {
    store,
    slot: store.workers.claimSlot(process.pid, NOW_SEC),
    published: () => bells++,
    onDisk: null,
  };
  const draft = { eventId: null, eventType: null, stored: true, key: null };
  // Together three times what the store takes under one hold.
  const places = ["a", "b", "a", "c"].map(
    (name, at) => new Place(bytes(name), { ...draft, data: new Uint8Array(200 * 1024).fill(65 + at) }),
  );
  expect(putAll(inlet, places, {})).toBeNull();
  expect([refusalOf(places), bells]).toEqual([null, 1]);
  expect(places.map(({ position }) => position > 0)).toEqual([true, true, true, true]);
  const stored = ["a", "b", "c"].map((name) => new Channel(store, name).after(0));
  expect(stored.map((messages) => messages.length)).toEqual([2, 1, 1]);
});

test("a message that waits for a busy store is what was given, whoever writes to its Buffer", async () => {
  const store = newStore();
  const inlet = { store, slot: 0, published: () => undefined, onDisk: null };
  const target = openTarget(store, bytes("busy"), NOW_MS);
  if ("status" in target) throw new Error(target.code);
  // As if another process had taken the lock: a pid above any that the kernel gives out.
  store.arena.i32[HEAD_LOCK] = 0x7ffffff0;
  const data = Buffer.from("as given");
  const outcome = ingestPatiently(
    inlet,
    [target],
    { data, eventId: null, eventType: null, stored: true },
    NOW_MS,
    {},
  );
  data.fill("x");
  store.arena.i32[HEAD_LOCK] = 0;
  expect(await outcome).toBeNull();
  expect(new Channel(store, "busy").after(0)).toEqual(["1:as given"]);
});
