/**
 * A long poll comes with time and tag at the very moment in which this node's store is being rewritten by the
 * process that reads the log: between two steps of its answer lies a whole failover. Over sockets that
 * happens once in thousands of faults; here each step is taken by hand, over a real engine and real stores.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Fanout } from "../../src/fanout/fanout.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND } from "../../src/store/message/reader.ts";
import { Sight } from "../../src/store/message/seek.ts";
import { TemplateFormat } from "../../src/subscribe/formats.ts";
import { PollReading } from "../../src/subscribe/poll-reading.ts";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { Engine, hasRedis } from "./engine.ts";
import { CHANNELS, TermsWorld } from "./terms-world.ts";

const engine = new Engine();
const ref = new ChannelRef();
const [RED = Buffer.alloc(0)] = CHANNELS;
/** All nodes are asked alike. */
const first = (): number => 0;

type Node = TermsWorld["nodes"][number];

async function worldOf(nodes: number): Promise<{ world: TermsWorld; nodes: readonly Node[] }> {
  if (engine.redis === null) throw new Error("the engine does not run");
  const world = new TermsWorld(engine.redis, first, nodes);
  await world.begin();
  return { world, nodes: world.nodes };
}

async function read(node: Node): Promise<void> {
  if (engine.redis === null) throw new Error("the engine does not run");
  while (await node.read(engine.redis, 100));
}

/** The seat, and time and tag of the last message there. */
function lastOf({ store }: Node) {
  const index = store.find(RED, ref);
  const seat = { index, incarnation: ref.incarnation, name: RED, backtrack: 0 };
  const reader = store.history.reader(index, seat.incarnation, 0);
  const message = new Message();
  while (reader.next(message) === FOUND) reader.accept(message);
  return { seat, asked: { time: message.time, tag: message.tag, eventId: null, token: null } };
}

describe.if(hasRedis)("a long poll in the middle of a failover", () => {
  beforeAll(() => engine.start());
  afterAll(() => engine.stop());

  test("is told of a lost tail that was taken out after it was looked up where it stands", async () => {
    const { world, nodes } = await worldOf(1);
    const [node] = nodes;
    if (node === undefined || engine.redis === null) throw new Error("there is one");
    for (let count = 0; count < 3; count++) await world.publish(0);
    await read(node);
    const { seat, asked } = lastOf(node);
    const start = node.backlog.start(seat, 0, asked, false);
    expect(start.unknown).toBe(false);
    // Now the other process has its turn, and then the poll goes on.
    await engine.redis.call("FLUSHDB");
    await Bun.sleep(2);
    await world.publish(0);
    await read(node);
    const sight = new Sight();
    expect(node.store.history.seeNewest(seat.index, seat.incarnation, sight)).toBe(true);
    const fanout = new Fanout({
      store: node.store,
      slot: node.store.workers.claimSlot(process.pid, 1),
      publish: () => 0,
      ringOther: () => undefined,
      deletedText: new Uint8Array(0),
    });
    const look = { format: new TemplateFormat("test", "~text~"), nobody: fanout.nobody, isJsonp: false };
    const reading = new PollReading(node.store, [seat], [start], sight, look);
    const writer = new ByteWriter();
    reading.render(writer);
    expect(Buffer.from(writer.view()).toString()).toBe("red-4");
    expect(reading.missed(0)).toBe(Number.POSITIVE_INFINITY);
    fanout.stop();
    world.end();
  });

  test("is told that it may have missed something where the newest is just being taken out", async () => {
    const { world, nodes } = await worldOf(1);
    const [node] = nodes;
    if (node === undefined || engine.redis === null) throw new Error("there is one");
    for (let count = 0; count < 3; count++) await world.publish(0);
    await read(node);
    const { seat, asked } = lastOf(node);
    const starts: boolean[] = [];
    node.store.arena.fault = (point) => {
      if (point === "evict-unstamped") starts.push(node.backlog.start(seat, 0, asked, false).unknown);
    };
    await engine.redis.call("FLUSHDB");
    await Bun.sleep(2);
    await world.publish(0);
    await read(node);
    node.store.arena.fault = null;
    expect(starts).toEqual([true, true, true]);
    world.end();
  });

  test("does not stand on a node that is cut off, with time and tag that one has not read", async () => {
    const { world, nodes } = await worldOf(2);
    const [ahead, behind] = nodes;
    if (ahead === undefined || behind === undefined) throw new Error("there are two");
    await world.publish(0);
    await read(ahead);
    await read(behind);
    await world.publish(0);
    await read(ahead);
    const { asked } = lastOf(ahead);
    const { seat } = lastOf(behind);
    const found = behind.backlog.find([seat], asked, false);
    expect(found).toBeInstanceOf(Promise);
    // It never comes. To stand at what is here would be to be given the lost message's successor untold.
    expect(await found).toMatchObject({ isAhead: true });
    // Tag 0 is nobody's, and a time to come is somebody's own clock: nobody waits for these.
    const { time } = asked;
    expect(behind.backlog.find([seat], { ...asked, time: time + 5, tag: 0 }, false)).not.toBeInstanceOf(
      Promise,
    );
    expect(behind.backlog.find([seat], { ...asked, time: time + 999 }, false)).not.toBeInstanceOf(Promise);
    world.end();
  });
});
