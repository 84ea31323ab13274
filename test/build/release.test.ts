/**
 * What a release has besides executables: the same bytes each time, and sums that `sha256sum` agrees with.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { makeClientPackage } from "../../scripts/client-package.ts";
import { changesOf, makeChanges, makeDocsArchive, sumUp } from "../../scripts/release-parts.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-release-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("made twice, in two places, at two times: the same sums, and sha256sum agrees", async () => {
  const sums: string[] = [];
  for (const name of ["one", "a longer name for the second"]) {
    const place = join(folder, name);
    makeClientPackage(place);
    makeDocsArchive(place);
    makeChanges(place);
    sums.push(sumUp(place));
    // Times in archives are in seconds.
    await Bun.sleep(1100);
  }
  expect(sums[1]).toBe(sums[0] ?? "");
  expect(sums[0]?.split("\n")).toHaveLength(4);
  const check = Bun.spawnSync(["sha256sum", "--check", "--strict", "SHA256SUMS"], {
    cwd: join(folder, "one"),
  });
  expect(check.exitCode).toBe(0);
  const list = Bun.spawnSync(["tar", "-tzf", join(folder, "one", `sluice-docs-${version}.tar.gz`)]).stdout;
  expect(list.toString()).toContain(`sluice-docs-${version}/docs/protocol.md\n`);
});

test("what changed in a version is its section, and a version that has none is not released", () => {
  const text = "# Changelog\n\n## 1.10.0\n\nnew\n\n## 1.1.0\n\n- a\n- b\n";
  expect(changesOf(text, "1.1.0")).toBe("- a\n- b\n");
  expect(() => changesOf(text, "1.1")).toThrow("CHANGELOG.md says nothing of 1.1");
  expect(changesOf(readFileSync("CHANGELOG.md", "utf8"), version)).not.toBeEmpty();
});
