/**
 * What a release has besides executables and packages: the documentation as an archive, what changed, and one
 * list of checksums. Called by release.ts; a test makes them twice and compares the bytes.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";
import { commitSeconds, root } from "./compile.ts";

const DOCUMENTS = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "docs"];
/** Names in order, and the commit's time: so one commit gives one file. */
const tarArguments = [
  "--sort=name",
  "--format=gnu",
  "--owner=0",
  "--group=0",
  "--numeric-owner",
  "--mode=u=rwX,go=rX",
];

/** Returns its path. Throws with tar's words when it fails. */
export function makeDocsArchive(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const name = `sluice-docs-${version}`;
  const place = `--transform=s,^,${name}/,`;
  const run = Bun.spawnSync(
    ["tar", "--create", ...tarArguments, `--mtime=@${commitSeconds()}`, place, ...DOCUMENTS],
    { cwd: root, stderr: "pipe" },
  );
  if (!run.success) throw new Error(`tar: ${run.stderr}`);
  const file = join(folder, `${name}.tar.gz`);
  writeFileSync(file, Bun.gzipSync(new Uint8Array(run.stdout), { level: 9 }));
  return file;
}

/** What CHANGELOG.md says of this version, for the release's page. Throws if it says nothing. */
export function makeChanges(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `sluice-changes-${version}.md`);
  writeFileSync(file, changesOf(readFileSync(join(root, "CHANGELOG.md"), "utf8"), version));
  return file;
}

export function changesOf(changelog: string, wanted: string): string {
  const section = changelog.split(/^## /m).find((text) => text.startsWith(`${wanted}\n`));
  if (section === undefined) throw new Error(`CHANGELOG.md says nothing of ${wanted}`);
  return `${section.slice(wanted.length).trim()}\n`;
}

/** SHA256SUMS of all files in the folder, in the form `sha256sum --check` reads; returns what it says. */
export function sumUp(folder: string): string {
  const files = readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== "SHA256SUMS" && !entry.name.endsWith(".sha256"),
  );
  const lines = files
    .map(({ name }) => name)
    .sort()
    .map((name) => {
      const sum = new Bun.CryptoHasher("sha256").update(readFileSync(join(folder, name))).digest("hex");
      return `${sum}  ${name}\n`;
    });
  writeFileSync(join(folder, "SHA256SUMS"), lines.join(""));
  return lines.join("");
}
