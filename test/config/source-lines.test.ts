/** Lines of keys in a TOML text, also around everything that looks like a key and is none. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceLines } from "../../src/config/source-lines.ts";

const TEXT = `# listen = "no"
listen = [
  "a", # workers = 1
  "]",
]
workers = 2
channel_deleted_message_text = """
[store]
size = 1 \\"""
""""
ping_message_text = '''
it's = ''''
[ store ] # size = 2
"size" = "a # b"
path = 'x'
limits.max_body_size = 1
store2 = { a = 1, b = [ 2 ] }
[[location]]
match = "/a"
[[ location ]]

match = "\\"
[[location]]"
  channels_path = "x"
[location.extra]
key = 1
`.replace('"\\"\n[[location]]"', '"\\" [[location]]"');

const LINES: readonly (readonly [path: string, line: number | null])[] = [
  ["listen", 2],
  ["listen[1]", 4],
  ["workers", 6],
  ["channel_deleted_message_text", 7],
  ["ping_message_text", 11],
  ["store", 13],
  ["store.size", 14],
  ["store.path", 15],
  ["store.limits.max_body_size", 16],
  ["store.store2.a", 17],
  ["location[0]", 18],
  ["location[0].match", 19],
  ["location[0].channels_path", 18],
  ["location[1]", 20],
  ["location[1].match", 22],
  ["location[1].channels_path", 23],
  ["location[1].extra.key", 25],
  ["nowhere", null],
];

test.each(LINES)("%s is on line %p", (path, line) => {
  expect(sourceLines(TEXT)(path)).toBe(line);
});

test("a text that is no TOML ends the walk all the same", () => {
  for (const text of ["[", "=", '"', "'''", "a = [", "[[location", "]\n]", "= =\n= "]) {
    expect(sourceLines(text)("zzz")).toBeNull();
  }
});

test("every key of the configurations that are shipped and shown has its line", () => {
  const root = join(import.meta.dir, "../..");
  const pages = [...new Bun.Glob("docs/**/*.md").scanSync(root)].map((page) =>
    readFileSync(join(root, page), "utf8"),
  );
  const texts = [
    readFileSync(join(root, "src/config/default.toml"), "utf8"),
    ...pages.flatMap((page) =>
      [...page.matchAll(/^```toml\n([\s\S]*?)^```$/gm)].map(([, text]) => text ?? ""),
    ),
  ];
  let keys = 0;
  for (const text of texts) {
    const lineOf = sourceLines(text);
    for (const path of pathsOf(Bun.TOML.parse(text), "")) {
      keys++;
      const written = path.split(/[.[\]]+/).findLast((part) => !/^\d*$/.test(part)) ?? "";
      const line = text.split("\n")[(lineOf(path) ?? 0) - 1];
      expect([path, line?.includes(written) || path.endsWith("]")]).toEqual([path, true]);
    }
  }
  expect(keys).toBeGreaterThan(300);
});

function* pathsOf(value: unknown, place: string): Generator<string> {
  if (place !== "") yield place;
  if (Array.isArray(value)) for (const [at, one] of value.entries()) yield* pathsOf(one, `${place}[${at}]`);
  else if (typeof value === "object" && value !== null)
    for (const [key, one] of Object.entries(value))
      yield* pathsOf(one, place === "" ? key : `${place}.${key}`);
}
