/**
 * Stores that do not fit where they are to lie: nothing is lost for a store that cannot be made. On a tmpfs
 * of 2 MiB, so as root only.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HEAD_LAYOUT_VERSION } from "../../src/store/memory/layout-header.ts";
import type { Opened } from "./full-disk-process.ts";

const KIB = 1024;
const folder = mkdtempSync(join(tmpdir(), "sluice-full-"));
const path = join(folder, "store");
const mount = ["mount", "-t", "tmpfs", "-o", `size=${2048 * KIB}`, "sluice-test", folder];
const canMount = process.getuid?.() === 0 && Bun.spawnSync(mount, { stderr: "ignore" }).success;

beforeAll(() => {
  if (!canMount) console.log("full disks are skipped: nothing can be mounted here");
});
afterEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});
afterAll(() => {
  if (canMount) Bun.spawnSync(["umount", folder]);
  rmSync(folder, { recursive: true, force: true });
});

function open(size: number): Opened {
  const script = join(import.meta.dir, "full-disk-process.ts");
  return JSON.parse(Bun.spawnSync([process.execPath, script, folder, `${size}`]).stdout.toString());
}

/** Opens it, and sees to it that every page of the file is there. */
function openWhole(size: number) {
  const { fault, report } = open(size);
  const { size: fileSize, blocks } = statSync(path);
  expect([fault, fileSize, blocks * 512 >= size]).toEqual([null, size, true]);
  return report;
}

/** As a program of an older layout would have left it. */
function makeOlder(): void {
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, new Uint32Array([2]), 0, 4, HEAD_LAYOUT_VERSION * 4);
  closeSync(descriptor);
}

const NO_ROOM =
  `cannot create the store ${path} of ${3072 * KIB} bytes: ` +
  "there is not enough memory or disk space for it";

describe.skipIf(!canMount)("on a full disk", () => {
  test("a bigger store.size deleted the old store, and failed: it fails, and the old store stays", () => {
    const { epoch } = open(512 * KIB);
    expect(open(3072 * KIB).fault).toBe(NO_ROOM);
    expect(readdirSync(folder)).toEqual(["store"]);
    const again = open(512 * KIB);
    expect(again).toMatchObject({ epoch, report: { kind: "reopened", messages: 1, isSameLife: true } });
  });

  test.each([
    ["bigger", 1024, 1536],
    ["smaller", 1536, 1024],
  ])("a %s store takes the place of the old one where two do not fit", (_, before, after) => {
    open(before * KIB);
    expect(openWhole(after * KIB)).toMatchObject({ kind: "replaced", dropped: 1, setAside: null });
    expect(readdirSync(folder)).toEqual(["store"]);
    expect(openWhole(after * KIB)).toMatchObject({ kind: "reopened", messages: 1 });
  });

  test("one of an older layout is kept where there is room for two, given up where there is for one", () => {
    open(512 * KIB);
    makeOlder();
    const aside = openWhole(1024 * KIB)?.setAside ?? "";
    expect(
      readdirSync(folder)
        .map((name) => join(folder, name))
        .sort(),
    ).toEqual([path, aside]);
    rmSync(aside);
    makeOlder();
    expect(open(3072 * KIB).fault).toBe(NO_ROOM);
    expect(readdirSync(folder)).toEqual(["store"]);
    expect(openWhole(1536 * KIB)).toMatchObject({ kind: "replaced", setAside: null });
    expect(readdirSync(folder)).toEqual(["store"]);
  });
});
