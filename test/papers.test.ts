/**
 * The papers lead somewhere: every link to a file or heading of the repository is there, every section of the
 * dialect that the code cites exists, and the README stays short.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "..");
const tracked = Bun.spawnSync(["git", "ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
})
  .stdout.toString()
  .split("\n")
  .filter((path) => path !== "" && existsSync(join(root, path)));
const papers = tracked.filter((path) => path.endsWith(".md"));

/** GitHub's name for a heading: lower case, no punctuation, dashes for spaces. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const anchorsOf = (text: string): readonly string[] =>
  [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => anchor(heading));

/** Code is no link. */
const withoutCode = (text: string): string =>
  text.replaceAll(/^```[\s\S]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "");

test.each(papers)("every link of %s leads somewhere", (paper) => {
  const text = withoutCode(readFileSync(join(root, paper), "utf8"));
  const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^(https?:|mailto:)/.test(target))
    .filter((target) => {
      const [path = "", heading] = target.split("#");
      const file = path === "" ? join(root, paper) : join(root, dirname(paper), path);
      if (!existsSync(file)) return true;
      if (heading === undefined || !statSync(file).isFile()) return false;
      return !anchorsOf(readFileSync(file, "utf8")).includes(heading);
    });
  expect(broken).toEqual([]);
});

test.each(papers)("every file and folder that %s names is there", (paper) => {
  const named = [
    ...readFileSync(join(root, paper), "utf8").matchAll(
      /`((?:src|test|scripts|bench|docs|systemd)\/[\w./-]*)`/g,
    ),
  ];
  expect(named.map(([, path = ""]) => path).filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("every page of docs/ is named in the README or in a page that is", () => {
  const named = (paper: string): string[] =>
    [...readFileSync(join(root, paper), "utf8").matchAll(/\]\(([^)#\s]+\.md)/g)].map(([, target = ""]) =>
      join(dirname(paper), target),
    );
  const reached = new Set(["README.md"]);
  for (const paper of reached)
    for (const next of named(paper)) if (existsSync(join(root, next))) reached.add(next);
  expect(papers.filter((paper) => paper.startsWith("docs/") && !reached.has(paper))).toEqual([]);
});

test("sections of the dialect that the code cites exist", () => {
  const page = readFileSync(join(root, "docs/push-stream-dialect.md"), "utf8");
  const sections = new Set(
    [...page.matchAll(/^#{2,4} (?:Appendix )?([0-9A]+(?:\.\d+)*)\.?/gm)].map(([, number]) => number),
  );
  const cited = tracked
    .filter((path) => /^(src|test|bench|scripts)\/.*\.ts$/.test(path))
    .flatMap((path) =>
      [
        ...readFileSync(join(root, path), "utf8").matchAll(/push-stream spec(?: appendix)? ([0-9A][0-9.]*)/g),
      ].map(([, number = ""]) => ({ path, number: number.replace(/\.$/, "") })),
    );
  expect(cited.length).toBeGreaterThan(100);
  expect(cited.filter(({ number }) => !sections.has(number))).toEqual([]);
});

test("the README is read in a few minutes: 8 kB", () => {
  expect(statSync(join(root, "README.md")).size).toBeLessThanOrEqual(8192);
});

/** Of others, or made by the build, and named in comments all the same. */
const NOT_OURS: ReadonlySet<string> = new Set([
  "pushstream.js",
  "soak.md",
  "console.js",
  "name.ts",
  "sock_reuseport.c",
  "net/core/sock_reuseport.c",
]);

test("files that comments name are there", () => {
  const isThere = (name: string): boolean =>
    tracked.some((path) => path === name || path.endsWith(`/${name}`));
  const named = tracked
    .filter((path) => /^(?:src|test|bench|scripts)\/.*\.(?:ts|js|css)$/.test(path))
    .flatMap((path) => {
      const comments =
        readFileSync(join(root, path), "utf8").match(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm) ?? [];
      return comments
        .flatMap((comment) => [
          ...comment.matchAll(
            /(?<![\w./$*-])(?:[\w-]+\/)*[\w-]+(?:\.test|\.d)?\.(?:ts|js|md|c|sh)\b(?![.\w])/g,
          ),
        ])
        .map(([name]) => ({ path, name }));
    });
  expect(named.length).toBeGreaterThan(500);
  expect(named.filter(({ name }) => !isThere(name) && !NOT_OURS.has(name))).toEqual([]);
});
