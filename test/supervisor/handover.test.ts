/**
 * Who is told what, and when, while workers hand their connections over: with workers that die, stand still,
 * or are too busy to listen.
 */
import { describe, expect, test } from "bun:test";
import { sendLogTo } from "../../src/log.ts";
import { type Handed, Handover } from "../../src/supervisor/handover.ts";
import { SocketGroups, type Steering } from "../../src/supervisor/sockets/socket-groups.ts";
import { REFUSED } from "../../src/supervisor/sockets/steering.ts";

const LOCAL = "0100007f:1f90";

/** The workers of one address, and what the kernel makes of them. */
class Stage {
  /** As the kernel lists them, oldest first. */
  readonly listed: string[] = [];
  /** In order: "a steers 2 3", "b closes". */
  readonly told: string[] = [];
  readonly workers = new Map<string, FakeWorker>();
  readonly handover: Handover;

  constructor(patienceMs?: number) {
    const read = () => this.listed.map((inode) => ({ local: LOCAL, inode }));
    this.handover = new Handover(new SocketGroups(read), patienceMs);
  }

  add(...names: readonly string[]): readonly FakeWorker[] {
    return names.map((name) => {
      const worker = new FakeWorker(this, name);
      this.workers.set(name, worker);
      this.listed.push(name);
      this.handover.look(worker);
      return worker;
    });
  }

  /** Its sockets are closed: by itself, or by its death. */
  remove(worker: FakeWorker): void {
    if (this.listed.includes(worker.name)) this.listed.splice(this.listed.indexOf(worker.name), 1);
  }
}

class FakeWorker implements Handed {
  readonly sockets;
  isReady = true;
  /** Says to `steer`; undefined: nothing. */
  answer: string | null | undefined = null;
  /** Closes when it is told to. */
  obeys = true;
  readonly #quiet = Promise.withResolvers<void>();
  readonly #deaf = Promise.withResolvers<void>();

  readonly stage: Stage;
  readonly name: string;

  constructor(stage: Stage, name: string) {
    this.stage = stage;
    this.name = name;
    this.sockets = [{ local: LOCAL, inode: name }];
  }

  get quiet(): Promise<void> {
    return this.#quiet.promise;
  }
  get deaf(): Promise<void> {
    return this.#deaf.promise;
  }
  fallQuiet(): void {
    this.#quiet.resolve();
  }

  steer(steering: readonly Steering[]): Promise<string | null> {
    const places = steering.map((each) => each.places.join(" ")).join(" / ");
    this.stage.told.push(`${this.name} steers ${places}`.trim());
    if (this.answer === undefined) return new Promise(() => undefined);
    return Promise.resolve(this.isReady ? this.answer : "is gone");
  }

  drain(): void {
    this.stage.told.push(`${this.name} drains`);
    this.fallQuiet();
  }

  close(again: boolean): void {
    this.stage.told.push(`${this.name} closes${again ? " again" : ""}`);
    if (!this.obeys) return;
    this.stage.remove(this);
    this.#deaf.resolve();
  }

  die(): void {
    this.isReady = false;
    this.stage.remove(this);
    this.#quiet.resolve();
    this.#deaf.resolve();
    this.stage.handover.look(this);
  }
}

const settled = (): Promise<void> => Bun.sleep(1);

describe("a reload", () => {
  test("new ones get all, old ones close one by one when quiet, and the kernel chooses again", async () => {
    const stage = new Stage();
    const old = stage.add("a", "b");
    const young = stage.add("c", "d");
    await stage.handover.steer(old, () => young);
    expect(stage.told.splice(0)).toEqual(["c steers 2 3"]);
    const released = stage.handover.release();
    old[0]?.fallQuiet();
    await settled();
    expect(stage.told).toEqual([]);
    old[1]?.fallQuiet();
    await released;
    // Not place 3, which is about to go; then d is in place 0, and c at the end.
    expect(stage.told).toEqual(["a steers 2", "a closes", "b steers 0", "b closes", "c steers"]);
  });

  test("three become one: the others look again for who came while it moved", async () => {
    const stage = new Stage();
    const old = stage.add("a", "b", "c");
    const [only] = stage.add("d");
    await stage.handover.steer(old, () => (only === undefined ? [] : [only]));
    for (const each of old) each.fallQuiet();
    await stage.handover.release();
    expect(stage.told).toEqual([
      "d steers 3",
      "a steers 3",
      "a closes",
      "d steers 0",
      "b steers 0",
      "b closes again",
      "c steers 0",
      "c closes again",
      "d steers",
    ]);
  });

  test("a new one that dies meanwhile gets nothing more, and its replacement does", async () => {
    const stage = new Stage();
    const old = stage.add("a", "b");
    const young = [...stage.add("c", "d")];
    await stage.handover.steer(old, () => young);
    young.shift()?.die();
    await settled();
    expect(stage.told.at(-1)).toBe("d steers 2");
    const [next] = stage.add("e");
    if (next === undefined) throw new Error("one was made");
    young.push(next);
    stage.handover.look(next);
    await settled();
    expect(stage.told.at(-1)).toBe("d steers 2 3");
  });

  test("an old one that dies meanwhile is not waited for; the place it leaves is known", async () => {
    const stage = new Stage();
    const old = stage.add("a", "b");
    const young = stage.add("c", "d");
    await stage.handover.steer(old, () => young);
    const released = stage.handover.release();
    old[0]?.die();
    await settled();
    // d took its place.
    expect(stage.told.at(-1)).toBe("c steers 0 2");
    old[1]?.fallQuiet();
    await released;
    expect(stage.told.at(-1)).toBe("c steers");
    expect(stage.listed).toEqual(["c", "d"]);
  });

  test("one that stands still keeps the choice made until it is gone", async () => {
    const stage = new Stage();
    const old = stage.add("a", "b");
    const young = stage.add("c", "d");
    await stage.handover.steer(old, () => young);
    const [stuck] = old;
    if (stuck !== undefined) stuck.obeys = false;
    for (const each of old) each.fallQuiet();
    const released = stage.handover.release();
    await Bun.sleep(20);
    expect(stage.told).not.toContain("c steers");
    stuck?.die();
    await released;
    expect(stage.told.at(-1)).toBe("c steers");
  });

  test("one that gives a fault is passed over; a kernel that refuses is asked once; they close", async () => {
    const stage = new Stage();
    const old = stage.add("a");
    const young = stage.add("b", "c");
    const [first, second] = young;
    if (first !== undefined) first.answer = "a worker was too busy";
    await stage.handover.steer(old, () => young);
    expect(stage.told.splice(0)).toEqual(["b steers 1 2", "c steers 1 2"]);
    for (const each of [first, second, ...old]) if (each !== undefined) each.answer = REFUSED;
    old[0]?.fallQuiet();
    await stage.handover.release();
    expect(stage.listed).toEqual(["b", "c"]);
    expect(stage.told.filter((line) => line.startsWith("a steers")).length).toBeLessThanOrEqual(1);
  });
});

describe("the log says why a reload may reset somebody", () => {
  const KERNEL = "the kernel does not let new connections be steered";
  const LATE = "no worker followed main's order in time";

  /** What is told of two reloads in which all workers say this. */
  async function told(answer: string | undefined): Promise<string> {
    const stage = new Stage(5);
    let text = "";
    sendLogTo((line) => {
      text += line;
    });
    for (const _reload of [1, 2]) {
      const [old, young] = [stage.add("a"), stage.add("b", "c")];
      for (const each of [...old, ...young]) each.answer = answer;
      await stage.handover.steer(old, () => young);
      for (const each of [...old, ...young]) each.die();
      await stage.handover.release();
    }
    sendLogTo(null);
    return text;
  }

  test("a kernel that refuses, once", async () => {
    const text = await told(REFUSED);
    expect([text.split(KERNEL).length, text.includes(LATE)]).toEqual([2, false]);
  });

  test.each([["a worker was too busy"], [undefined]])(
    "workers that do not follow (%p), each time",
    async (answer) => {
      const text = await told(answer);
      expect([text.split(LATE).length, text.includes(KERNEL)]).toEqual([3, false]);
    },
  );
});

test("a worker told to go alone is passed by the others, and the next waits for it", async () => {
  const stage = new Stage();
  const [a, b, c] = stage.add("a", "b", "c");
  if (a === undefined || b === undefined || c === undefined) throw new Error("three were made");
  const how = { deadlineMs: 1000, perSecond: 0, isReload: true };
  const first = stage.handover.letGo(a, () => [b, c], how);
  const second = stage.handover.letGo(b, () => [c], how);
  await Promise.all([first, second]);
  expect(stage.told.indexOf("b drains")).toBeGreaterThan(stage.told.indexOf("a closes"));
  expect(stage.told[0]).toBe("b steers 1 2");
  expect(stage.listed).toEqual(["c"]);
});
