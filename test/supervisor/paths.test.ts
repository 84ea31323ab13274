import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { chooseStorePath, storeName } from "../../src/supervisor/store/paths.ts";

const NAME = "127.0.0.1-1";
const pipe = (path: string) => Bun.spawnSync(["mkfifo", path]);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-paths-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("name from the first listen address", () => {
  test.each([
    ["127.0.0.1:8080", "127.0.0.1-8080"],
    ["[::1]:8080", "1-8080"],
    ["[::]:8080", "8080"],
    ["unix:/run/sluice/web.sock", "unix-run-sluice-web.sock"],
    ["../../etc/passwd:1", "etc-passwd-1"],
  ])("%s → %s", (listen, expected) => {
    expect(storeName(listen)).toBe(expected);
  });

  test("long addresses are cut and told apart by a hash", () => {
    const one = storeName(`unix:/${"a".repeat(80)}/one.sock`);
    const two = storeName(`unix:/${"a".repeat(80)}/two.sock`);
    expect(one).not.toBe(two);
    expect(one.length).toBeLessThanOrEqual(40);
  });
});

describe("place", () => {
  test("store.path wins over the environment", () => {
    const path = join(folder, "own.store");
    expect(chooseStorePath(path, "127.0.0.1:1", { RUNTIME_DIRECTORY: "/nowhere" })).toEqual({
      ok: true,
      path,
      passedOver: [],
    });
  });

  test("then the first folder of $RUNTIME_DIRECTORY", () => {
    const outcome = chooseStorePath(null, "127.0.0.1:8080", { RUNTIME_DIRECTORY: `${folder}:/other` });
    expect(outcome).toEqual({ ok: true, path: join(folder, "127.0.0.1-8080"), passedOver: [] });
  });

  test("then a folder of our own, closed to others", () => {
    const outcome = chooseStorePath(null, "127.0.0.1:17099", {});
    if (!outcome.ok) throw new Error(outcome.fault);
    const parent = statSync(join(outcome.path, ".."));
    expect(parent.mode & 0o077).toBe(0);
    expect(outcome.path).toEndWith("/127.0.0.1-17099");
  });

  test.each([
    [
      "a folder that is not there",
      () => join(folder, "missing", "store"),
      /the folder .*missing does not exist/,
    ],
    ["a folder instead of a file", () => folder, /is a folder; a file is needed/],
    [
      "a path too long for a socket beside it",
      () => join(folder, "x".repeat(100)),
      /bytes long; at most \d+ fit/,
    ],
    ["a file where the folder should be", () => join(folder, "file", "store"), /does not exist/],
  ])("%s is refused in one sentence", (_, path, sentence) => {
    writeFileSync(join(folder, "file"), "");
    const outcome = chooseStorePath(path(), "127.0.0.1:1", {});
    expect(outcome.ok ? "" : outcome.fault).toMatch(sentence);
  });

  test("a device or pipe as store path was renamed aside: it is refused and left alone", () => {
    const waiting = join(folder, "pipe");
    pipe(waiting);
    for (const path of [waiting, "/dev/null"]) {
      const outcome = chooseStorePath(path, "127.0.0.1:1", {});
      expect(outcome.ok ? "" : outcome.fault).toContain(
        `${path} is a device, pipe or socket; a file is needed`,
      );
    }
    expect([statSync(waiting).isFIFO(), statSync("/dev/null").isCharacterDevice()]).toEqual([true, true]);
  });

  test("a shared folder that others can read is refused", () => {
    const home = join(folder, "shared");
    const name = `sluice-${process.getuid?.()}`;
    mkdirSync(join(home, name), { recursive: true });
    chmodSync(join(home, name), 0o755);
    const outcome = chooseStorePath(null, "127.0.0.1:1", {}, 0, [home]);
    expect(outcome.ok ? "" : outcome.fault).toContain("is not a private folder of this user");
  });

  test.each([
    ["another user's", (own: string) => [mkdirSync(own, { mode: 0o700 }), chownSync(own, 12_345, 12_345)]],
    [
      "a link",
      (own: string) => [mkdirSync(`${own}-there`, { mode: 0o700 }), symlinkSync(`${own}-there`, own)],
    ],
    ["open to all", (own: string) => [mkdirSync(own), chmodSync(own, 0o777)]],
    ["a file", (own: string) => writeFileSync(own, "")],
    ["ours, with a pipe as store", (own: string) => [mkdirSync(own, { mode: 0o700 }), pipe(join(own, NAME))]],
    [
      "ours, with a folder as lock",
      (own: string) => mkdirSync(join(own, `${NAME}.lock`), { recursive: true, mode: 0o700 }),
    ],
  ])("a squatted folder kept sluice from starting: %s, and the next one is taken", (what, squat) => {
    if (what.startsWith("another") && process.getuid?.() !== 0) return;
    const [first, second] = ["first", "second"].map((name) => mkdtempSync(join(folder, name))) as [
      string,
      string,
    ];
    const own = `sluice-${process.getuid?.()}`;
    squat(join(first, own));
    const outcome = chooseStorePath(null, "127.0.0.1:1", {}, 0, [first, second]);
    if (!outcome.ok) throw new Error(outcome.fault);
    expect(outcome.path).toBe(join(second, own, NAME));
    expect(outcome.passedOver).toEqual([expect.stringContaining(join(first, own))]);
    expect(chooseStorePath(null, "127.0.0.1:1", {}, 0, [first]).ok).toBe(false);
  });

  test("a shared folder that is too small is passed over, unless the store is there or no other", () => {
    const [small, large] = [join(folder, "small"), join(folder, "large")];
    for (const each of [small, large]) mkdirSync(each, { recursive: true });
    const { bavail, bsize } = statfsSync(folder);
    // Both lie on one file system here, so the folder that is not there stands for the one without room.
    const choose = (bytes: number, folders: readonly string[]) => {
      const outcome = chooseStorePath(null, "127.0.0.1:1", {}, bytes, folders);
      return outcome.ok ? dirname(dirname(outcome.path)) : outcome.fault;
    };
    expect(choose(1, [join(folder, "nowhere"), large])).toBe(large);
    expect(choose(1, [small, large])).toBe(small);
    expect(choose(2 * bavail * bsize, [small, large])).toBe(small);
    writeFileSync(join(large, `sluice-${process.getuid?.()}`, "127.0.0.1-1"), "");
    expect(choose(2 * bavail * bsize, [small, large])).toBe(large);
  });
});
