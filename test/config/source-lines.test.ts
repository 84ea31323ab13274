/** Lines of keys in a TOML text, also around everything that looks like a key and is none. */
import { expect, test } from "bun:test";
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
  ["listen[1]", 2],
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
