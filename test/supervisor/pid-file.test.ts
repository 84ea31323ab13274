/** The pid file, in a folder where others may have laid something on its path. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PidFile } from "../../src/supervisor/service/pid-file.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-pid-"));
  path = join(folder, "sluice.pid");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OURS = `${process.pid}\n`;
const contentOf = (file: string): string => readFileSync(file, "utf8");

describe("what it holds", () => {
  test("the process id and a newline, until it is removed", () => {
    const file = new PidFile();
    expect(file.moveTo(path)).toBeNull();
    expect(contentOf(path)).toBe(OURS);
    file.remove();
    expect(existsSync(path)).toBeFalse();
    file.remove();
  });

  test("none is wanted", () => {
    const file = new PidFile();
    expect(file.moveTo(null)).toBeNull();
    file.remove();
  });

  test("a stale, longer file is overwritten whole", () => {
    writeFileSync(path, "12345678901234567890\nand more\n");
    expect(new PidFile().moveTo(path)).toBeNull();
    expect(contentOf(path)).toBe(OURS);
  });

  test("a new path takes the old one's place", () => {
    const file = new PidFile();
    file.moveTo(path);
    const other = join(folder, "other.pid");
    expect(file.moveTo(other)).toBeNull();
    expect(existsSync(path)).toBeFalse();
    expect(contentOf(other)).toBe(OURS);
    expect(file.moveTo(null)).toBeNull();
    expect(existsSync(other)).toBeFalse();
  });

  test("a new path that cannot be had leaves the old one", () => {
    const file = new PidFile();
    file.moveTo(path);
    expect(file.moveTo(join(folder, "missing", "sluice.pid"))).toContain(
      "missing/sluice.pid cannot be written: ",
    );
    expect(contentOf(path)).toBe(OURS);
    file.remove();
    expect(existsSync(path)).toBeFalse();
  });

  test("a file that another process has written since is not removed", () => {
    const file = new PidFile();
    file.moveTo(path);
    writeFileSync(path, "1\n");
    file.remove();
    expect(contentOf(path)).toBe("1\n");
  });

  test("one that somebody removed is no fault", () => {
    const file = new PidFile();
    file.moveTo(path);
    rmSync(path);
    file.remove();
    expect(existsSync(path)).toBeFalse();
  });
});

describe("what it does not write to", () => {
  test("a link: what it points at stays as it is", () => {
    const victim = join(folder, "victim");
    writeFileSync(victim, "precious");
    symlinkSync(victim, path);
    expect(new PidFile().moveTo(path)).toContain("cannot be written: ELOOP");
    expect(contentOf(victim)).toBe("precious");
  });

  test("a link to nothing: nothing is made there", () => {
    symlinkSync(join(folder, "nowhere"), path);
    expect(new PidFile().moveTo(path)).toContain("ELOOP");
    expect(existsSync(join(folder, "nowhere"))).toBeFalse();
  });

  test("a second name of a file", () => {
    const victim = join(folder, "victim");
    writeFileSync(victim, "precious");
    linkSync(victim, path);
    expect(new PidFile().moveTo(path)).toContain("the file has a second name");
    expect(contentOf(victim)).toBe("precious");
  });

  test("a folder", () => {
    mkdirSync(path);
    expect(new PidFile().moveTo(path)).toContain("EISDIR");
  });

  test("a pipe that nobody reads does not block", () => {
    Bun.spawnSync(["mkfifo", path]);
    expect(new PidFile().moveTo(path)).toContain("ENXIO");
  });

  test("/dev/null is written and stays", () => {
    const file = new PidFile();
    expect(file.moveTo("/dev/null")).toBeNull();
    file.remove();
    expect(existsSync("/dev/null")).toBeTrue();
  });

  test("a link laid in its place later is not followed when it is removed", () => {
    const file = new PidFile();
    file.moveTo(path);
    rmSync(path);
    const victim = join(folder, "victim");
    writeFileSync(victim, OURS);
    symlinkSync(victim, path);
    file.remove();
    expect(contentOf(victim)).toBe(OURS);
  });
});
