/**
 * Channel ids are bytes; what each format makes of those that would break it (push-stream spec 5.2, 12.3).
 */
import { describe, expect, test } from "bun:test";
import { hostnameBytes } from "../../src/wire/statistics.ts";
import { negotiate } from "../../src/wire/statistics-format.ts";
import { seededRandom } from "../random.ts";
import { utf8 } from "./inputs.ts";
import { singleOf, written, ZONE } from "./statistics-samples.ts";

/** U+FFFD, one character a byte. */
const REPLACED = "\xef\xbf\xbd";
const json = negotiate("text/json");
const plain = negotiate("text/plain");
const yaml = negotiate("text/yaml");
const xml = negotiate("text/xml");

const binary = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const textOf = (bytes: string): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(bytes, "latin1"));

const yamlId = (name: string): string =>
  singleOf(yaml, name).slice(
    "  channel: ".length,
    -"\r\n  published_messages: 1\r\n  stored_messages: 2\r\n  subscribers: 3\r\n".length,
  );
const xmlId = (name: string): string => singleOf(xml, name).split("name>")[1]?.slice(0, -"</".length) ?? "";

describe("json", () => {
  test.each([
    ['a"b', 'a\\"b'],
    ["a\\", "a\\\\"],
    ["\n\0", "\\n\\u0000"],
    ["\xc3\xa9", "\xc3\xa9"],
    ["\xff", REPLACED],
    ["", ""],
  ])("%j", (name, escaped) => {
    const body = singleOf(json, name);
    expect(body).toStartWith(`{"channel": "${escaped}", `);
    expect(() => JSON.parse(body)).not.toThrow();
  });
});

describe("xml", () => {
  test.each([
    ["a&b", "a&amp;b"],
    ["<b>", "&lt;b&gt;"],
    [']]>"', "]]&gt;&quot;"],
    ["it's", "it's"],
    ["\0\x01\x1f", REPLACED.repeat(3)],
    ["a\tb\nc\rd", "a\tb\nc&#13;d"],
    ["\x7f", "\x7f"],
    ["\xc3\xa9&\xf0\x9f\x98\x80", "\xc3\xa9&amp;\xf0\x9f\x98\x80"],
    ["a\xffb", `a${REPLACED}b`],
    ["\xe2\x82", REPLACED],
    ["\xed\xa0\x80", REPLACED.repeat(3)],
    ["\xef\xbf\xbe\xef\xbf\xbf", REPLACED.repeat(2)],
    [REPLACED, REPLACED],
    ["", ""],
  ])("%j", (name, escaped) => {
    expect(xmlId(name)).toBe(escaped);
    expect(
      written((writer) =>
        xml.groupItem(
          writer,
          { name: Buffer.from(name, "latin1"), published: 1, stored: 2, subscribers: 3 },
          true,
        ),
      ),
    ).toBe(
      `<channel>\r\n  <name>${escaped}</name>\r\n  <published_messages>1</published_messages>\r\n` +
        "  <stored_messages>2</stored_messages>\r\n  <subscribers>3</subscribers>\r\n</channel>\r\n",
    );
  });
});

describe("plain", () => {
  test.each([
    ["a\r\nstored_messages: 9", "a\\r\\nstored_messages: 9"],
    ["\x1b[2J\0\x7f", "\\u001b[2J\\u0000\\u007f"],
    ['\\n "<é>'.replace("é", "\xe9"), '\\n "<\xe9>'],
    ["", ""],
  ])("%j", (name, shown) => {
    expect(singleOf(plain, name)).toBe(
      `channel: ${shown}\r\npublished_messages: 1\r\nstored_messages: 2\r\nactive_subscribers: 3\r\n`,
    );
  });
});

describe("yaml", () => {
  test.each([
    "A",
    "ch_test_1",
    "my_channel.b",
    "room 1",
    "a:b",
    "a#b",
    "user@example.com",
    "0",
    "42",
    "123456789012345",
    "550e8400-e29b-41d4-a716-446655440000",
    "5d41402abc4b2a76b9719d911017c592",
    "2024-room",
    "nobody",
    "truely",
    "a-",
    "it's",
    'say "x"',
    "a, b",
    "\xc3\xa9t\xc3\xa9",
    "/a",
    "+x",
    ".hidden",
    "\\",
    "a=b",
    "x~",
    "10 o'clock",
  ])("plain: %j", (name) => {
    expect(yamlId(name)).toBe(name);
    expect(String(parsedId(name))).toBe(textOf(name));
  });

  test.each([
    ["", '""'],
    [" a", '" a"'],
    ["a ", '"a "'],
    ["a: b", '"a: b"'],
    ["a:", '"a:"'],
    ["a #b", '"a #b"'],
    ["- a", '"- a"'],
    ["---", '"---"'],
    ["?", '"?"'],
    [":symbol", '":symbol"'],
    ["[a]", '"[a]"'],
    ["{a", '"{a"'],
    ["#a", '"#a"'],
    ["&a", '"&a"'],
    ["*a", '"*a"'],
    ["!a", '"!a"'],
    ["|", '"|"'],
    [">", '">"'],
    ["'a'", "\"'a'\""],
    ['"a"', '"\\"a\\""'],
    ["%a", '"%a"'],
    ["@a", '"@a"'],
    ["`a", '"`a"'],
    ["<<", '"<<"'],
    ["=", '"="'],
    ["~", '"~"'],
    ["null", '"null"'],
    ["NULL", '"NULL"'],
    ["True", '"True"'],
    ["no", '"no"'],
    ["y", '"y"'],
    ["off", '"off"'],
    ["007", '"007"'],
    ["-1", '"-1"'],
    ["+1", '"+1"'],
    ["1.0", '"1.0"'],
    [".5", '".5"'],
    ["1e3", '"1e3"'],
    ["12e03", '"12e03"'],
    ["1_000", '"1_000"'],
    ["0x1f", '"0x1f"'],
    ["0o17", '"0o17"'],
    ["0b1", '"0b1"'],
    ["1:30", '"1:30"'],
    [".inf", '".inf"'],
    ["-.Inf", '"-.Inf"'],
    [".NaN", '".NaN"'],
    ["2024-05-09", '"2024-05-09"'],
    ["2024-05-09T21:16:33", '"2024-05-09T21:16:33"'],
    ["1234567890123456", '"1234567890123456"'],
    ["a\nb", '"a\\nb"'],
    ["a\tb", '"a\\tb"'],
    ["\0\x7f", '"\\u0000\\u007f"'],
    ["\xc2\x85\xc3\xa9", '"\\u0085\xc3\xa9"'],
    ["a\xe2\x80\xa8", '"a\\u2028"'],
    ["\xef\xbb\xbfa", '"\\ufeffa"'],
    ["\xff", `"${REPLACED}"`],
  ])("quoted: %j", (name, quoted) => {
    expect(yamlId(name)).toBe(quoted);
    expect(parsedId(name)).toBe(textOf(name));
  });

  test("random ids come back as the same text", () => {
    const random = seededRandom("statistics-ids");
    const parts = [
      "a",
      "1",
      "0",
      "e",
      "-",
      "+",
      ".",
      ":",
      " ",
      "#",
      "_",
      '"',
      "'",
      "\\",
      "\n",
      "\r",
      ",",
      "[",
      "]",
      "~",
      "T",
      "é",
      "😀",
      "\u0085",
    ] as const;
    for (let round = 0; round < 3000; round++) {
      const name = binary(random.text(parts, 6)) + String.fromCharCode(...random.bytes(round % 3));
      expect(String(parsedId(name)), JSON.stringify(name)).toBe(textOf(name));
    }
  });

  test("a long id of digits takes no longer than it is long", () => {
    const name = `${"1_".repeat(30_000)}x`;
    expect(yamlId(name)).toBe(name);
  });
});

/** As a YAML reader sees it. */
function parsedId(name: string): unknown {
  const parsed: unknown = Bun.YAML.parse(textOf(singleOf(yaml, name)));
  if (typeof parsed !== "object" || parsed === null || !("channel" in parsed)) throw new Error("no channel");
  expect(parsed).toMatchObject({ published_messages: 1, stored_messages: 2, subscribers: 3 });
  return parsed.channel;
}

test("a host name is escaped like an id", () => {
  const zone = { ...ZONE, hostname: "A&B" };
  expect(hostnameBytes(zone)).toEqual(utf8("a&b"));
  expect(written((writer) => xml.groupHead(writer, zone))).toContain("<hostname>a&amp;b</hostname>");
  expect(written((writer) => yaml.groupHead(writer, { ...ZONE, hostname: "1.2" }))).toStartWith(
    'hostname: "1.2"\r\n',
  );
});
