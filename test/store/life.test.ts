/** Which epoch a file opens with, and what becomes of files that were set aside. */
import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { channelWord } from "../../src/store/memory/arena.ts";
import { tidyAside } from "../../src/store/memory/aside.ts";
import { CH_NAME_BLOCK } from "../../src/store/memory/layout-channel.ts";
import {
  HEAD_BOOT,
  HEAD_CHANNELS,
  HEAD_CLEAN,
  HEAD_CLOCK_TAG,
  HEAD_LAYOUT_VERSION,
} from "../../src/store/memory/layout-header.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store, StoreShape } from "../../src/store/store.ts";
import { bytes, Channel, NOW_SEC, POLICY, readOn, removeTempFolders, smallShape } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

afterAll(removeTempFolders);

function leave(shape: StoreShape, isClosed: boolean): Store {
  const { store } = openStore(shape, POLICY);
  new Channel(store, "a").append("kept");
  if (isClosed) store.upkeep.markClean();
  store.close();
  return store;
}

/** Written over the same file: the inode stays. */
function change(path: string, how: (words: Uint32Array) => void): void {
  const words = new Uint32Array(new Uint8Array(readFileSync(path)).buffer);
  how(words);
  writeFileSync(path, words);
}

function restoreFromCopy(path: string): void {
  copyFileSync(path, `${path}.copy`);
  renameSync(`${path}.copy`, path);
}

const nothing = (): void => undefined;
const otherBoot = (path: string): void =>
  change(path, (words) => {
    words[HEAD_BOOT]! ^= 1;
  });
const flippedBit = (path: string): void =>
  change(path, (words) => {
    words[words.length - 100]! ^= 4;
  });

describe("positions of before", () => {
  test.each([
    ["closed, untouched", true, nothing, "reopened", "it was closed in order", true],
    ["closed, after a reboot", true, otherBoot, "reopened", "it was closed in order", true],
    ["killed", false, nothing, "recovered", "it was not closed in order", true],
    ["not closed, after a reboot", false, otherBoot, "recovered", "the machine went down", false],
    ["closed, and restored from a copy", true, restoreFromCopy, "reopened", "it is a copy", false],
    ["a copy of one in use", false, restoreFromCopy, "recovered", "it is a copy of one", false],
    ["closed, and damaged", true, flippedBit, "recovered", "it was damaged after it was closed", false],
  ] as const)("%s", (_what, isClosed, meanwhile, kind, reason, isSameLife) => {
    const shape = smallShape();
    const before = leave(shape, isClosed);
    meanwhile(shape.path);
    const { store, report } = openStore(shape, POLICY);
    expect(report).toMatchObject({ kind, messages: 1, dropped: 0, isSameLife });
    expect(report.reason).toStartWith(reason);
    expect(store.epoch === before.epoch).toBe(isSameLife);
    expect(checkInvariants(store.arena)).toEqual([]);
    expect(new Channel(store, "a").after(0)).toEqual(["1:kept"]);
  });

  test("what is neither closed nor in use is damaged, not in use", () => {
    const shape = smallShape();
    leave(shape, true);
    change(shape.path, (words) => {
      words[HEAD_CLEAN]! ^= 1;
    });
    expect(openStore(shape, POLICY).report).toMatchObject({ kind: "recovered", isSameLife: false });
  });

  test("a shape that was changed by accident does not pass for one that was configured otherwise", () => {
    const shape = smallShape();
    leave(shape, true);
    change(shape.path, (words) => {
      words[HEAD_CHANNELS]! ^= 8;
    });
    const { report } = openStore(shape, POLICY);
    expect(report).toMatchObject({ kind: "replaced", reason: "the file there has a damaged header" });
    expect(existsSync(report.setAside ?? "")).toBe(true);
  });
});

describe("files that were set aside", () => {
  const DAY_MS = 24 * 3600 * 1000;
  const asides = (path: string): string[] =>
    readdirSync(dirname(path))
      .filter((name) => name.includes(".aside-"))
      .map((name) => join(dirname(path), name))
      .sort();
  const makeOlder = (path: string): void =>
    change(path, (words) => {
      words[HEAD_LAYOUT_VERSION] = 1;
    });

  test("of ours the newest is kept for a week; a stranger's file is never removed", () => {
    const shape = smallShape();
    const { path } = shape;
    const foreign = `${path}.aside-1000`;
    writeFileSync(foreign, "somebody's");
    leave(shape, true);
    makeOlder(path);
    const first = openStore(shape, POLICY).report;
    expect(first.removed).toEqual([]);
    expect(asides(path)).toEqual([foreign, first.setAside ?? ""].sort());
    makeOlder(path);
    Bun.sleepSync(2); // their names are milliseconds
    const second = openStore(shape, POLICY).report;
    expect(second.removed).toEqual([first.setAside ?? ""]);
    expect(asides(path)).toEqual([foreign, second.setAside ?? ""].sort());
    expect(tidyAside(path, Date.now() + 6 * DAY_MS)).toEqual([]);
    expect(tidyAside(path, Date.now() + 8 * DAY_MS)).toEqual([second.setAside ?? ""]);
    expect(asides(path)).toEqual([foreign]);
  });
});

test("after a power cut that left the clock behind its messages, no time and tag comes twice", () => {
  const shape = smallShape();
  const channel = new Channel(openStore(shape, POLICY).store, "c");
  for (const text of ["one", "two", "three"]) channel.append(text);
  change(shape.path, (words) => {
    words[HEAD_BOOT]! ^= 1;
    words[HEAD_CLOCK_TAG] = 0;
  });
  const { store } = openStore(shape, POLICY);
  const again = new Channel(store, "c");
  again.append("four");
  const marks: string[] = [];
  readOn(store, again.index, again.incarnation, 0, ({ time, tag }) => marks.push(`${time} ${tag}`) > 0);
  expect(marks).toEqual([1, 2, 3, 4].map((tag) => `${NOW_SEC} ${tag}`));
});

test.each([
  ["nowhere", () => 0],
  ["out of the file", (blocks: number) => blocks + 1],
])("a channel whose name leads %s is dropped with its messages", (_where, place) => {
  const shape = smallShape();
  const { store: before } = openStore(shape, POLICY);
  const [lost, kept] = [new Channel(before, "lost"), new Channel(before, "kept")];
  for (const channel of [lost, kept]) channel.append("x");
  const { layout } = before.arena;
  change(shape.path, (words) => {
    words[channelWord(layout, lost.index) + CH_NAME_BLOCK] = place(layout.blocks);
  });
  const { store, report } = openStore(shape, POLICY);
  expect(report).toMatchObject({ kind: "recovered", messages: 1 });
  expect(store.find(bytes("lost"))).toBe(-1);
  expect(new Channel(store, "kept").after(0)).toEqual(["1:x"]);
  expect(checkInvariants(store.arena)).toEqual([]);
});
