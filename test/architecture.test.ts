/**
 * Holds the direction of imports and the homes of words (docs/architecture.md tells the reasons), and the
 * width of lines: a dependency the wrong way fails the build, as Go's compiler would do. Read as text, type
 * imports included.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { SUITES } from "./suites.ts";

const src = join(import.meta.dir, "../src");

/**
 * What each part may import besides itself. Leaves are http/ and the files directly in src/: they import
 * nothing else of ours.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  leaves: ["leaves"],
  wire: ["leaves"],
  config: ["leaves"],
  store: ["leaves"],
  cluster: ["leaves", "store", "config", "wire"],
  fanout: ["leaves", "store", "wire"],
  front: ["leaves", "config", "wire"],
  access: ["leaves", "config", "front", "store", "wire"],
  files: ["leaves", "config", "front", "wire"],
  publish: ["leaves", "store", "wire", "config", "front"],
  subscribe: ["leaves", "fanout", "store", "wire", "config", "front"],
  presence: ["leaves", "cluster", "fanout", "store", "wire", "config", "front", "subscribe"],
  admin: ["leaves", "store", "fanout", "config", "wire", "front"],
  webhooks: ["leaves", "config", "store", "wire"],
  client: [],
  proxy: ["leaves", "config", "front", "listen", "wire"],
  web: ["leaves", "client", "config", "front"],
  handlers: ["leaves", "access", "fanout", "store", "publish", "wire", "config", "front"],
  listen: ["leaves", "config", "fanout", "subscribe", "handlers", "wire"],
  entrance: ["leaves", "access", "config", "front", "store", "proxy", "publish", "subscribe", "handlers"],
  console: ["leaves", "config", "front", "store", "publish", "web"],
  app: [
    "leaves",
    "console",
    "access",
    "cluster",
    "publish",
    "subscribe",
    "presence",
    "admin",
    "web",
    "fanout",
    "store",
    "config",
    "front",
    "files",
    "handlers",
    "proxy",
    "listen",
    "entrance",
    "webhooks",
  ],
  supervisor: ["leaves", "app", "cluster", "store", "config", "handlers", "listen"],
  verify: ["leaves", "store"],
  cli: [
    "leaves",
    "client",
    "webhooks",
    "console",
    "verify",
    "access",
    "supervisor",
    "cluster",
    "config",
    "wire",
    "handlers",
  ],
  main: ["cli"],
};

/** Words that have a home. Comments do not count. */
const HOMES: readonly {
  readonly word: RegExp;
  readonly home: (file: string) => boolean;
  readonly where: string;
}[] = [
  {
    // A ring that the kernel reads and writes is memory shared with it, too.
    word: /\bAtomics\.|\bmmap\(/,
    home: (file) => file.startsWith("store/") || file === "listen/wire/kernel-ring.ts",
    where: "store/",
  },
  {
    word: /from "elysia"/,
    home: (file) => file.endsWith("/plugin.ts") || file === "app.ts",
    where: "plugin.ts files and app.ts",
  },
  {
    // Asked for by the number of a record it may be another channel's: find() and open() give both at once.
    word: /\.incarnation\(/,
    home: (file) => file.startsWith("store/"),
    where: "store/",
  },
  {
    // Calls of C, each with its types by hand; libc.ts opens the library for a listener that sends by itself.
    word: /"bun:ffi"/,
    home: (file) => file.startsWith("supervisor/") || file === "libc.ts",
    where: "supervisor/ and libc.ts",
  },
];

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
  (file) => file.endsWith(".ts") && !file.endsWith(".d.ts"),
);

/** Without comments. */
const codeOf = (file: string): string =>
  readFileSync(join(src, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");

const partOf = (file: string): string => {
  const folder = file.split("/")[0] ?? "";
  if (folder === "http") return "leaves";
  if (folder !== file) return folder;
  if (file === "app.ts" || file === "main.ts") return file.slice(0, -3);
  return "leaves";
};

test.each(files)("%s imports only what lies below it", (file) => {
  const text = readFileSync(join(src, file), "utf8");
  const part = partOf(file);
  const allowed = MAY_IMPORT[part];
  expect(allowed, `${part} is not in the table`).toBeDefined();
  for (const [, target = ""] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
    const imported = relative(src, resolve(src, dirname(file), target));
    if (imported.startsWith("..")) continue; // package.json, for the version
    const other = partOf(imported);
    if (other !== part) expect(allowed, `${file} imports ${imported}`).toContain(other);
  }
});

test.each(files)("%s keeps words in their homes", (file) => {
  const code = codeOf(file);
  for (const { word, home, where } of HOMES) {
    if (word.test(code)) expect(home(file), `${word} belongs in ${where}`).toBeTrue();
  }
});

test("publish and subscribe do not know each other", () => {
  for (const file of files.filter((name) => /^(publish|subscribe)\//.test(name))) {
    const text = readFileSync(join(src, file), "utf8");
    expect(text).not.toMatch(file.startsWith("publish") ? /\.\.\/subscribe\// : /\.\.\/publish\//);
  }
});

test("no file switches the type checker off", () => {
  for (const file of files) {
    const found =
      /@ts-ignore|@ts-expect-error/.exec(readFileSync(join(src, file), "utf8")) ??
      /: any\b|\bas any\b|as unknown as/.exec(codeOf(file));
    expect(found?.[0], file).toBeUndefined();
  }
});

const WIDEST = 110;
/** Whose lines are not ours to break. */
const WIDE = [
  /\.(?:md|json|lock|svg|txt)$/, // prose and tables; generated; a licence
  /^test\/config\/nginx\/corpus\//, // configurations as people have them
];

test(`no line that was written by hand is wider than ${WIDEST} columns`, () => {
  const root = join(import.meta.dir, "..");
  const found = ["src", "test", "bench", "scripts", "systemd", "docs", ".ci"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .filter((file) => !WIDE.some((known) => known.test(file)))
      .flatMap((file) =>
        readFileSync(join(root, file), "utf8")
          .split("\n")
          .flatMap((line, at) =>
            line.length > WIDEST && [...line].length > WIDEST ? `${file}:${at + 1}` : [],
          ),
      ),
  );
  expect(found).toEqual([]);
});

test("every folder of tests, and each test that is in none, is in the list of suites", () => {
  const folders = readdirSync(import.meta.dir, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.replace(/\/.*|\.test\.ts$/, ""));
  for (const folder of new Set(folders)) expect(Object.keys(SUITES)).toContain(folder ?? "");
});
