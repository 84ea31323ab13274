/**
 * An empty engine with its clock behind, which a node without memory reaches before those who know the
 * cluster: the worst of what rejoin.ts and the script are for. The usual case is among the faults
 * (faults.test.ts), random ones in terms.test.ts.
 */
import { expect, test } from "bun:test";
import { POSITIONS_A_MS, START_MS } from "../../src/cluster/script.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { until } from "../binary/running-server.ts";
import { Engine, hasRedis, Wire } from "./engine.ts";
import { clusterConfig, LocalNode } from "./local-node.ts";

const room = Buffer.from("room");

const publish = (node: LocalNode, text: string) =>
  node.node.order.append([{ name: room, lastId: 0 }], {
    data: Buffer.from(text),
    eventId: null,
    eventType: null,
    stored: true,
  });

const ref = new ChannelRef();
const message = new Message();

/** What is stored in it, with the places. */
function stored({ store }: LocalNode): { readonly text: string; readonly id: number }[] {
  const index = store.find(room, ref);
  if (index < 0) return [];
  const all: { text: string; id: number }[] = [];
  const reader = store.history.reader(index, ref.incarnation, 0);
  while (reader.next(message) === FOUND) {
    reader.accept(message);
    const { bytes, dataOffset, dataLength, id } = message;
    all.push({ text: Buffer.from(bytes.subarray(dataOffset, dataOffset + dataLength)).toString(), id });
  }
  return all;
}

test.if(hasRedis)(
  "an empty engine whose clock is an hour behind, a new node first: all go on, losses are told",
  async () => {
    const before = await new Engine().start();
    // As it would be had its clock been an hour ahead.
    const ahead = Date.now() + 3_600_000;
    const top = (ahead - START_MS) * POSITIONS_A_MS;
    await before.call("HSET", "{sluice:main:0}meta", "term", String(ahead * 1000), "top", String(top));
    const after = await new Engine().start();
    const wire = new Wire(before.port);
    const a = await LocalNode.start(clusterConfig(wire.port, "a"));
    const b = await LocalNode.start(clusterConfig(wire.port, "b"));
    for (const text of ["m1", "m2", "m3"]) expect(await publish(a, text)).toBeNull();
    await until("the other to have them", () => stored(b).length === 3);
    const last = stored(b).at(-1)?.id ?? 0;
    const stranger = await LocalNode.start(clusterConfig(after.port, "stranger"));
    expect(await publish(stranger, "below")).toBeNull();
    expect(stored(stranger).at(-1)?.id).toBeLessThan(last);
    await before.kill();
    wire.switchTo(after.port);
    await until("them to be of one epoch", () =>
      [a, b].every(({ store }) => store.epoch === stranger.store.epoch),
    );
    expect(await publish(b, "above")).toBeNull();
    for (const node of [a, b, stranger]) await until("it", () => stored(node).at(-1)?.text === "above");
    // Below what was given out there before, it has no place on these two; on all three the next is above
    // everything.
    expect(stored(stranger).map(({ text }) => text)).toEqual(["below", "above"]);
    for (const node of [a, b]) {
      expect(stored(node).map(({ text }) => text)).toEqual(["above"]);
      const [next] = stored(node);
      const index = node.store.find(room);
      expect(next?.id).toBeGreaterThan(last);
      expect(node.store.positions.missedBetween(index, last, (next?.id ?? 0) - 1)).toBe(
        Number.POSITIVE_INFINITY,
      );
    }
    for (const node of [a, b, stranger]) node.stop();
    wire.stop();
    await before.stop();
    await after.stop();
  },
  30_000,
);
