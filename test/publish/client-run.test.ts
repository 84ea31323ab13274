/** A run of one client's messages: what is put in at once, and what is left for the longer way. */
import { afterAll, expect, test } from "bun:test";
import { ClientRun, type Offerer } from "../../src/publish/client-run.ts";
import { Results } from "../../src/publish/own-form.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import type { Store } from "../../src/store/store.ts";
import { bytes, Channel, NOW_SEC, newStore, removeTempFolders } from "../store/fixture.ts";

afterAll(removeTempFolders);

class Recorder implements Offerer {
  readonly told: string[] = [];
  settled(...[run, to]: Parameters<Offerer["settled"]>): void {
    for (const { ref, isIn } of run.slice(0, to)) this.told.push(`${ref}${isIn ? "" : " no room"}`);
  }
  unsettled({ ref, data }: Parameters<Offerer["unsettled"]>[0]): void {
    this.told.push(`${ref} alone: ${Buffer.from(data)}`);
  }
}

function runOf(store: Store): { run: ClientRun; bells: () => number } {
  let bells = 0;
  const slot = store.workers.claimSlot(process.pid, NOW_SEC);
  const inlet = { store, slot, published: () => void bells++, onDisk: null };
  return { run: new ClientRun(inlet, new Results(store)), bells: () => bells };
}

function channelOf(store: Store, text: string) {
  const ref = new ChannelRef();
  const name = bytes(text);
  store.open(name, NOW_SEC, ref);
  return { name, index: ref.index, incarnation: ref.incarnation };
}

const add = (run: ClientRun, of: Offerer, channel: ReturnType<typeof channelOf>, ref: number, data: string) =>
  run.add(of, channel, bytes(data), true, null, null, ref);

test("more than the store takes under one hold of its lock: each is told once, in order", () => {
  const store = newStore({}, { size: 1024 * 1024 });
  const { run, bells } = runOf(store);
  const channels = ["a", "b"].map((name) => channelOf(store, name));
  const one = new Recorder();
  for (let ref = 0; ref < 150; ref++) {
    const channel = channels[ref % 2];
    if (channel !== undefined) add(run, one, channel, ref, `m${ref}`);
  }
  run.end();
  run.end();
  expect(one.told).toEqual(Array.from({ length: 150 }, (_, ref) => String(ref)));
  expect(bells()).toBe(3);
  expect(["a", "b"].map((name) => new Channel(store, name).after(0).length)).toEqual([75, 75]);
});

test("a channel that is deleted meanwhile, and one without room: those behind are told in order", () => {
  const store = newStore({}, { size: 1024 * 1024 });
  const { run } = runOf(store);
  const [kept, gone] = [channelOf(store, "kept"), channelOf(store, "gone")];
  const one = new Recorder();
  add(run, one, kept, 0, "a");
  add(run, one, kept, 1, "x".repeat(store.maxMessageBytes + 1));
  add(run, one, kept, 2, "b");
  add(run, one, gone, 3, "c");
  add(run, one, kept, 4, "d");
  store.deleteChannel(bytes("gone"), bytes("deleted"), NOW_SEC * 1000);
  run.end();
  expect(one.told).toEqual(["0", "1 no room", "2", "3 alone: c", "4 alone: d"]);
  expect(new Channel(store, "kept").after(0).length).toBe(2);
});

test("another client's message ends the run of the one before; the events channel is for neither", () => {
  const store = newStore({ eventsChannel: bytes("events") }, { size: 1024 * 1024 });
  const { run } = runOf(store);
  const channel = channelOf(store, "a");
  const [one, other] = [new Recorder(), new Recorder()];
  add(run, one, channel, 0, "x");
  expect(add(run, one, { ...channel, index: store.eventsChannel }, 1, "x")).toBe(false);
  expect(one.told).toEqual([]);
  add(run, other, channel, 2, "y");
  expect([one.told, other.told]).toEqual([["0"], []]);
  run.end();
  expect(other.told).toEqual(["2"]);
});
