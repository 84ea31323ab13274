/**
 * Notes: what one node says is heard on all, in one order, with who said it; and who is gone is told to all.
 */
import { expect, test } from "bun:test";
import type { Note, NoteListener } from "../../src/cluster/notes.ts";
import { Refusals } from "../../src/http/errors.ts";
import { until } from "../binary/running-server.ts";
import { Engine, hasRedis } from "./engine.ts";
import { clusterConfig, LocalNode } from "./local-node.ts";

class Listening implements NoteListener {
  readonly all: string[] = [];
  readonly lives = new Map<string, string>();
  asks = 0;
  busy = 1;

  heard({ node, life, channel, said }: Note): boolean {
    if (this.busy-- > 0) return false;
    this.all.push(`${node} ${life === this.lives.get(node)} ${text(channel)}: ${text(said)}`);
    return true;
  }
  alive(node: string, life: string): void {
    this.lives.set(node, life);
  }
  gone(node: string): void {
    this.all.push(`${node} is gone`);
  }
  answered(): null {
    return null;
  }

  doubts(): void {
    // Nothing of it is kept here.
  }

  asking(): void {
    // The same.
  }

  saidAll(): void {
    // The same.
  }

  asked(): void {
    this.asks++;
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test.if(hasRedis)(
  "a note is heard once on every node, and after whoever is gone nothing of it holds",
  async () => {
    const engine = await new Engine().start();
    const [a, b, late] = [new Listening(), new Listening(), new Listening()];
    const first = await LocalNode.start(clusterConfig(engine.port, "a"), a);
    const second = await LocalNode.start(clusterConfig(engine.port, "b"), b);
    await until("them to know each other", () => a.lives.size === 2 && b.lives.size === 2);
    await until("the new one to have asked", () => a.asks > 0);
    const channel = Buffer.from("room\n/ü");
    expect(await first.node.note(channel, Buffer.from("in"))).toBeNull();
    expect(await second.node.note(channel, Buffer.from("also\0in"))).toBeNull();
    expect(await first.node.note(channel, Buffer.alloc(5000))).toBe(Refusals.noRoom);
    const said = ["a true room\n/ü: in", "b true room\n/ü: also\0in"];
    for (const { all } of [a, b]) await until("both", () => all.length === 2);
    expect([a.all, b.all]).toEqual([said, said]);
    // As the others say of a node that was silent for ten seconds.
    const publisher = first.publisher();
    const n = String(await engine.call("HGET", "{sluice:main:0}nodes", "b"));
    expect(await publisher.append({ kind: "g", counters: [], rest: ["b", n] })).toMatchObject({
      kind: "accepted",
    });
    for (const { all } of [a, b]) await until("its end", () => all.at(-1) === "b is gone");
    await until("it to be asked", () => b.asks > 0);
    const third = await LocalNode.start(clusterConfig(engine.port, "late"), late);
    await until("the late one to have read", () => late.all.length === 3);
    expect(late.all.at(-1)).toBe("b is gone");
    // The first thing that an emptied engine hears may be such a word that comes too late; it goes on from
    // there.
    await engine.call("FLUSHALL");
    const tooLate = { kind: "g", counters: [], rest: ["b", "1"] } as const;
    expect(await publisher.append(tooLate)).toMatchObject({ kind: "accepted", n: 0 });
    expect(await publisher.append({ kind: "g", counters: [], rest: ["c", "1"] })).toMatchObject({ n: 0 });
    expect(await first.node.note(channel, Buffer.from("on"))).toBeNull();
    publisher.stop();
    for (const node of [first, second, third]) node.stop();
    await engine.stop();
  },
);
