import { afterAll, expect, test } from "bun:test";
import { acquire, release, takeOver } from "../../src/store/lock/lock.ts";
import { HEAD_LOCK } from "../../src/store/memory/layout-header.ts";
import { Channel, newStore, pathOf, removeTempFolders } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

/** Above any pid the kernel gives out. */
const NO_PID = 0x7ffffff0;

test("holds the owner's pid while taken", () => {
  const { arena } = newStore();
  acquire(arena);
  expect(arena.i32[HEAD_LOCK]).toBe(process.pid);
  release(arena);
  expect(arena.i32[HEAD_LOCK]).toBe(0);
});

test("waits for another process and gets the lock when it is free", async () => {
  const store = newStore();
  const script = `
    const { attachStore }
      = await import(${JSON.stringify(new URL("../../src/store/opening.ts", import.meta.url).pathname)});
    const { acquire, release }
      = await import(${JSON.stringify(new URL("../../src/store/lock/lock.ts", import.meta.url).pathname)});
    const store = attachStore(process.argv[1], {});
    acquire(store.arena);
    process.stdout.write("held");
    await Bun.sleep(60);
    release(store.arena);`;
  const holder = Bun.spawn([process.execPath, "-e", script, pathOf(store)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = holder.stdout.getReader();
  await reader.read();
  acquire(store.arena);
  expect(store.arena.i32[HEAD_LOCK]).toBe(process.pid);
  release(store.arena);
  expect(await holder.exited).toBe(0);
});

test("is taken over from a dead process only, and only by its pid", () => {
  const store = newStore();
  new Channel(store, "a").append("kept");
  expect(takeOver(store.arena, NO_PID)).toBe(false);
  store.arena.i32[HEAD_LOCK] = NO_PID;
  expect(takeOver(store.arena, NO_PID - 1)).toBe(false);
  expect(store.upkeep.repairAfterDeath(NO_PID)).toBe(true);
  expect(store.arena.i32[HEAD_LOCK]).toBe(0);
  expect(checkInvariants(store.arena)).toEqual([]);
  expect(store.upkeep.repairAfterDeath(NO_PID)).toBe(false);
});

test("a section of our own that threw is repaired by the next one", () => {
  const store = newStore();
  const channel = new Channel(store, "a");
  channel.append("kept");
  store.arena.fault = (point) => {
    if (point === "append-linked") throw new Error("dies here");
  };
  expect(() => channel.append("half")).toThrow("dies here");
  store.arena.fault = null;
  expect(store.arena.i32[HEAD_LOCK]).toBe(process.pid);
  expect(channel.append("next")).toBe(3);
  expect(channel.after(0)).toEqual(["1:kept", "2:half", "3:next"]);
  expect(checkInvariants(store.arena)).toEqual([]);
});

test("gives up in the end, with the pid of the holder", () => {
  const { arena } = newStore();
  arena.i32[HEAD_LOCK] = NO_PID;
  expect(() => acquire(arena, 20)).toThrow(`held by process ${NO_PID}`);
});
