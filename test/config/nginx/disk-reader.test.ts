/** Files and globs of the real disk, in a folder of its own. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { matchesSegment } from "../../../src/config/nginx/glob.ts";
import { diskReader, parseNginxFile } from "../../../src/config/nginx/tree.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-nginx-"));
afterAll(() => rmSync(folder, { recursive: true }));

for (const path of [
  "b.conf",
  "a.conf",
  "B.conf",
  ".hidden.conf",
  "a.conf~",
  "one/x.conf",
  "two/x.conf",
  "two/[y].conf",
]) {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), `name "${path}";`);
}
writeFileSync(join(folder, "main"), "include *.conf; include two/\\[*; include none/*;");

describe("glob", () => {
  test.each([
    ["*.conf", ["B.conf", "a.conf", "b.conf"]],
    ["?.conf", ["B.conf", "a.conf", "b.conf"]],
    ["[ab].conf", ["a.conf", "b.conf"]],
    ["[!a].conf", ["B.conf", "b.conf"]],
    [".*.conf", [".hidden.conf"]],
    ["*/x.conf", ["one/x.conf", "two/x.conf"]],
    ["*/*", ["one/x.conf", "two/[y].conf", "two/x.conf"]],
    ["**/x.conf", ["one/x.conf", "two/x.conf"]],
    ["{a,b}.conf", []],
    ["a.conf/*", []],
    ["none/*.conf", []],
    ["two/\\[y].*", ["two/[y].conf"]],
  ])("%j", (pattern, names) => {
    expect(diskReader.glob(join(folder, pattern))).toEqual(names.map((name) => join(folder, name)));
  });
});

describe("one segment", () => {
  test.each([
    ["abc", "a*c", true],
    ["abc", "a*b", false],
    ["abcbc", "a*bc", true],
    ["", "*", true],
    ["a", "**", true],
    [".a", "*", false],
    [".a", "?a", false],
    [".a", "[.]a", false],
    [".a", "\\.a", true],
    ["a]", "a]", true],
    ["]", "[]]", true],
    ["a", "[!]]", true],
    ["-", "[a-]", true],
    ["m", "[a-z]", true],
    ["M", "[a-z]", false],
    ["[a", "[a", true],
    ["*", "\\*", true],
    ["a", "\\*", false],
    ["ä😀", "??", true],
  ])("%j against %j: %p", (name, segment, matches) => expect(matchesSegment(name, segment)).toBe(matches));

  test("many stars do not multiply", () => {
    expect(matchesSegment("a".repeat(250), `${"*a".repeat(100)}b`)).toBeFalse();
  });
});

describe("reading", () => {
  test("includes of the disk come sorted, hidden and missing ones not at all", () => {
    const outcome = parseNginxFile(join(folder, "main"), diskReader);
    const names = outcome.ok ? outcome.directives.map(({ args }) => args[0]?.text) : outcome.faults;
    expect(names).toEqual(["B.conf", "a.conf", "b.conf", "two/[y].conf"]);
  });

  test("a folder, a missing file, a device without an end, and a pipe nobody writes to", () => {
    const sentence = (path: string) => {
      const outcome = parseNginxFile(path, diskReader);
      return outcome.ok ? "" : outcome.faults[0]?.sentence;
    };
    expect(sentence(folder)).toBe(`pread() "${folder}" failed (21: Is a directory)`);
    expect(sentence(join(folder, "nope"))).toBe(
      `open() "${folder}/nope" failed (2: No such file or directory)`,
    );
    expect(sentence("/dev/null")).toBe("");
    expect(sentence("/dev/zero")).toBe("the configuration is longer than 16 MiB");
    Bun.spawnSync(["mkfifo", join(folder, "pipe")]);
    expect(sentence(join(folder, "pipe"))).toBe(`open() "${folder}/pipe" failed (it is a pipe)`);
  });
});
