/**
 * Message templates: every token of push-stream spec 4.5, single pass, and no cost from what is inside a
 * message.
 */
import { describe, expect, test } from "bun:test";
import { TEMPLATE_WORDS } from "../../src/config/location/location-warnings.ts";
import { OPTIONS } from "../../src/config/options.ts";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import type { Renderable } from "../../src/wire/renderable.ts";
import { compileTemplate, type LineBreaks } from "../../src/wire/template.ts";
import { type Random, seededRandom } from "../random.ts";
import { asLatin1, message, utf8 } from "./inputs.ts";
import { serverMessage } from "./server-message.ts";

const render = (template: string, rendered: Renderable, lineBreaks: LineBreaks = "keep"): string => {
  const writer = new ByteWriter(16);
  compileTemplate(template, lineBreaks).render(writer, rendered);
  return asLatin1(writer.view());
};

const full = message({
  id: 12,
  channel: "room/1",
  time: 1715289393,
  tag: 5,
  eventId: "ev-1",
  eventType: "news",
  text: "hello",
});

const BITRIX =
  '#!NGINXNMS!#{"id":~id~,"channel":"~channel~","tag":"~tag~","time":"~time~","eventid":"~event-id~",' +
  '"text":~text~}#!NGINXNME!#';

const ROWS: readonly (readonly [template: string, expected: string])[] = [
  ["~id~", "12"],
  ["~channel~", "room/1"],
  ["~text~", "hello"],
  ["~size~", "5"],
  ["~time~", "Thu, 09 May 2024 21:16:33 GMT"],
  ["~tag~", "5"],
  ["~event-id~", "ev-1"],
  ["~event-type~", "news"],
  ["~TEXT~ ~Event-ID~ ~eVent-Type~", "hello ev-1 news"],
  ["~text~~text~", "hellohello"],
  ["", ""],
  ["no token", "no token"],
  ["~", "~"],
  ["~~text~~", "~hello~"],
  ["~text", "~text"],
  ["text~", "text~"],
  ["~id~text~", "12text~"],
  ["~x~id~", "~x12"],
  ["~event~ ~eventid~ ~event_id~ ~ text~", "~event~ ~eventid~ ~event_id~ ~ text~"],
  ["\\n~text~", "\\nhello"],
  ["a\r\n~text~\r\n", "a\r\nhello\r\n"],
  ["<script>p(~id~,'~channel~','~text~');</script>", "<script>p(12,'room/1','hello');</script>"],
  [
    BITRIX,
    '#!NGINXNMS!#{"id":12,"channel":"room/1","tag":"5","time":"Thu, 09 May 2024 21:16:33 GMT",' +
      '"eventid":"ev-1","text":hello}#!NGINXNME!#',
  ],
];

describe("tokens", () => {
  for (const [template, expected] of ROWS) {
    test(JSON.stringify(template), () => expect(render(template, full)).toBe(expected));
  }

  test("a message without event id and type has empty ones", () => {
    expect(render("[~event-id~|~event-type~|~text~]", message({ text: "x" }))).toBe("[||x]");
    expect(render("[~event-id~|~event-type~|~text~]", message({ eventId: "", text: "x" }))).toBe("[||x]");
    expect(render("[~event-id~|~event-type~]", message({ eventType: "t", text: "x" }))).toBe("[|t]");
  });

  test("the server's own messages have the epoch as time and tag 0", () => {
    expect(render("~id~:~text~", serverMessage(-1, utf8(" ")))).toBe("-1: ");
    const deleted = { ...serverMessage(-2, utf8("Channel deleted"), utf8("ch1")), time: 1715289393, tag: 9 };
    expect(render("~id~ ~channel~ ~text~ ~time~ ~tag~", deleted)).toBe(
      "-2 ch1 Channel deleted Thu, 01 Jan 1970 00:00:00 GMT 0",
    );
  });

  test("times of messages that alternate between seconds are not mixed up", () => {
    const first = message({ time: 1715289393 });
    const second = message({ time: 1715289394 });
    for (let i = 0; i < 3; i++) {
      expect(render("~time~", first)).toBe("Thu, 09 May 2024 21:16:33 GMT");
      expect(render("~time~", second)).toBe("Thu, 09 May 2024 21:16:34 GMT");
    }
  });

  test("literals are UTF-8, values are bytes", () => {
    const writer = new ByteWriter();
    compileTemplate("é~text~").render(writer, message({ text: "\xff\x00" }));
    expect(writer.copy()).toEqual(Uint8Array.of(0xc3, 0xa9, 0xff, 0x00));
  });
});

describe("values are inserted once", () => {
  test("tokens inside the text, the channel and the event id stay as they are", () => {
    const rendered = message({ channel: "~text~", eventId: "~id~", text: "~channel~~text~" });
    expect(render("~channel~|~event-id~|~text~", rendered)).toBe("~text~|~id~|~channel~~text~");
  });

  /**
   * Counts what a rendering asks of its writer; searching the text again would show as more, or smaller,
   * pushes.
   */
  class CountingWriter extends ByteWriter {
    pushes = 0;
    override pushRange(source: Uint8Array, offset: number, length: number): void {
      this.pushes++;
      super.pushRange(source, offset, length);
    }
  }

  test("a body of 800 kB of tokens takes as many steps as one of 6 bytes", () => {
    const template = compileTemplate("<~id~|~channel~|~text~|~size~|~text~>");
    const small = new CountingWriter();
    template.render(small, message({ text: "~text~" }));
    const large = new CountingWriter();
    const body = "~text~".repeat(133_334);
    template.render(large, message({ text: body }));
    expect(large.pushes).toBe(small.pushes);
    expect(asLatin1(large.view())).toBe(`<7|ch1|${body}|${body.length}|${body}>`);
  });
});

describe("isPlainText", () => {
  for (const [template, plain] of [
    ["~text~", true],
    ["~TEXT~", true],
    ["~text~\n", false],
    ["~text~~text~", false],
    ["~id~", false],
    ["", false],
  ] as const) {
    test(JSON.stringify(template), () => expect(compileTemplate(template).isPlainText).toBe(plain));
  }
});

test("the words that a configuration is checked for are those there are", () => {
  for (const word of TEMPLATE_WORDS) expect(render(`~${word}~`, full)).not.toContain("~");
  const { doc } = OPTIONS["location[].message_template"];
  expect(doc).toContain(`\`${TEMPLATE_WORDS.map((word) => `~${word}~`).join(" ")}\``);
});

test('lineBreaks "strip" keeps names on their line and leaves the text alone', () => {
  const nasty = message({ channel: "a\r\nb\0", eventId: "\ni\n", eventType: "\r", text: "x\ny" });
  expect(render("~channel~|~event-id~|~event-type~|~text~", nasty, "strip")).toBe("ab|i||x\ny");
});

/** Another reading of 4.5: walk the template, at each `~` try every token name. */
const model = (template: string, values: Readonly<Record<string, string>>): string => {
  let rendered = "";
  for (let at = 0; at < template.length; ) {
    const token = Object.keys(values).find((name) => template.slice(at).toLowerCase().startsWith(name));
    rendered += token === undefined ? template[at] : values[token];
    at += token?.length ?? 1;
  }
  return rendered;
};

const PARTS = [
  "~",
  "~id~",
  "~text~",
  "~TAG~",
  "~size~",
  "~event-id~",
  "~event-type~",
  "~channel~",
  "id",
  "text",
  "é",
  "-",
] as const;

const randomMessage = (random: Random): Renderable =>
  message({
    id: random.below(1000) + 1,
    tag: random.below(10),
    channel: random.text(["a", "~id~", "\n"], 3),
    text: random.text(["~text~", "x", "\xff"], 5),
    ...(random.below(2) === 0 && { eventId: random.text(["~", "e"], 3) }),
    ...(random.below(2) === 0 && { eventType: random.text(["~", "t"], 3) }),
  });

test("random templates render as the model does", () => {
  const random = seededRandom("template");
  for (let round = 0; round < 2000; round++) {
    const template = random.text(PARTS, 8);
    const rendered = randomMessage(random);
    const head = asLatin1(rendered.bytes);
    const typeStart = Math.max(rendered.eventIdLength, 0);
    const text = head.slice(rendered.dataOffset, rendered.dataOffset + rendered.dataLength);
    const expected = model(asLatin1(utf8(template)), {
      "~id~": String(rendered.id),
      "~channel~": asLatin1(rendered.channel),
      "~text~": text,
      "~size~": String(text.length),
      "~tag~": String(rendered.tag),
      "~event-id~": head.slice(0, typeStart),
      "~event-type~": head.slice(typeStart, rendered.dataOffset),
    });
    expect(render(template, rendered)).toBe(expected);
  }
});
