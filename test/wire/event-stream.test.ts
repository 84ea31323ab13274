/**
 * Event streams: the examples of push-stream spec 4.9, 4.14 and appendix A.2, and values that try to forge
 * lines.
 */
import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import {
  compileEventStream,
  EVENT_STREAM_PING,
  eventStreamFooter,
  eventStreamHeader,
  pushGapEvent,
  pushOpening,
} from "../../src/wire/event-stream.ts";
import type { Position } from "../../src/wire/position.ts";
import type { Renderable } from "../../src/wire/renderable.ts";
import { seededRandom } from "../random.ts";
import { asLatin1, latin1, message, utf8 } from "./inputs.ts";
import { serverMessage } from "./server-message.ts";

const render = (template: string, rendered: Renderable, id: Position | null = null): string => {
  const writer = new ByteWriter(16);
  compileEventStream(template).render(writer, rendered, id);
  return asLatin1(writer.view());
};

describe("messages", () => {
  const rows: readonly (readonly [name: string, template: string, rendered: Renderable, expected: string])[] =
    [
      ["plain", "~text~", message({ text: "test message" }), "data: test message\n\n"],
      [
        "event id",
        "~text~",
        message({ eventId: "event_id_with_generic_text_01", text: "test message" }),
        "id: event_id_with_generic_text_01\ndata: test message\n\n",
      ],
      [
        "event id and type (A.2)",
        "~text~",
        message({ eventId: "ev-1", eventType: "news", text: "hello" }),
        "id: ev-1\nevent: news\ndata: hello\n\n",
      ],
      ["type alone", "~text~", message({ eventType: "news", text: "x" }), "event: news\ndata: x\n\n"],
      ["empty event id", "~text~", message({ eventId: "", text: "x" }), "id: \ndata: x\n\n"],
      [
        "four lines",
        "~text~",
        message({ text: "line 1\nline 2\r\nline 3\rline 4" }),
        "data: line 1\ndata: line 2\ndata: line 3\ndata: line 4\n\n",
      ],
      ["empty lines are dropped", "~text~", message({ text: "\n\na\n\r\n\rb\n" }), "data: a\ndata: b\n\n"],
      ["only line breaks", "~text~", message({ text: "\r\n\n\r" }), "\n"],
      ["lone CR splits", "~text~", message({ text: "a\rb" }), "data: a\ndata: b\n\n"],
      ["text behind a NUL is split too", "~text~", message({ text: "a\0b\nc" }), "data: a\0b\ndata: c\n\n"],
      ["backslash n is ordinary", "~text~", message({ text: "a\\nb" }), "data: a\\nb\n\n"],
      [
        "each line through the template, size of the line",
        '{"id":~id~,"size":~size~,"text":"~text~"}',
        message({ id: 3, text: "ab\nc" }),
        'data: {"id":3,"size":2,"text":"ab"}\ndata: {"id":3,"size":1,"text":"c"}\n\n',
      ],
      ["already formatted", "data: ~text~\n", message({ text: "a\nb" }), "data: a\ndata: b\n\n"],
      [
        "already formatted, no line end",
        "data: <~text~>",
        message({ text: "a\nb" }),
        "data: <a>\ndata: <b>\n\n",
      ],
      [
        "deletion",
        "~text~",
        serverMessage(-2, utf8("Channel deleted"), utf8("c")),
        "data: Channel deleted\n\n",
      ],
    ];
  for (const [name, template, rendered, expected] of rows) {
    test(name, () => expect(render(template, rendered)).toBe(expected));
  }

  test("a position takes the place of the event id", () => {
    const id = { life: "z", positions: [12, 7] };
    expect(render("~text~", message({ eventId: "own", text: "x" }), id)).toBe("id: z-12,7\ndata: x\n\n");
    id.positions[0] = 13;
    expect(render("~text~", message({ text: "x" }), id)).toBe("id: z-13,7\ndata: x\n\n");
  });
});

describe("all lines of a message, where it is to be the same on every transport", () => {
  const whole = (template: string, text: string): string => {
    const writer = new ByteWriter(16);
    compileEventStream(template, "whole").render(writer, message({ id: 3, text }), null);
    return asLatin1(writer.view());
  };
  test.each([
    ["~text~", "a\n\nb", "data: a\ndata: \ndata: b\n\n"],
    ["~text~", "\n", "data: \ndata: \n\n"],
    ["~text~", "", "data: \n\n"],
    ["~text~", "a\r\n\rb\n\r", "data: a\ndata: \ndata: b\ndata: \ndata: \n\n"],
    ["data: <~text~>", "a\n\nb", "data: <a>\ndata: <>\ndata: <b>\n\n"],
    ['{"size":~size~,"text":"~text~"}', "a\nb", 'data: {"size":3,"text":"a\ndata: b"}\n\n'],
    ["~id~\n\n~text~", "\r", "data: 3\ndata: \ndata: \ndata: \n\n"],
  ])("%j, %j", (template, text, expected) => expect(whole(template, text)).toBe(expected));
});

describe("values cannot forge lines", () => {
  test("CR, LF and NUL in event id and type are stripped", () => {
    const forged = message({ eventId: "1\ndata: a\n\n", eventType: "t\r\nid: 9\0", text: "x" });
    expect(render("~text~", forged)).toBe("id: 1data: a\nevent: tid: 9\ndata: x\n\n");
  });

  test("also where a template inserts them, and in channel names", () => {
    const forged = message({ channel: "a\n\nevent: b", eventId: "\rid", text: "x" });
    expect(render("~channel~|~event-id~|~text~", forged)).toBe("id: id\ndata: aevent: b|id|x\n\n");
  });

  test("random values: every line of every event is one of ours", () => {
    const random = seededRandom("event-stream");
    const parts = ["\n", "\r", "\0", "data: ", "id: ", "x", ":"] as const;
    for (let round = 0; round < 2000; round++) {
      const text = random.text(parts, 8);
      const eventId = random.text(parts, 4);
      const eventType = random.text(parts, 4);
      const strip = (value: string): string => value.replace(/[\r\n\0]/g, "");
      const lines = text.split(/\r\n|\n|\r/).filter((line) => line !== "");
      const expected = [
        `id: ${strip(eventId)}`,
        `event: ${strip(eventType)}`,
        ...lines.map((l) => `data: ${l}`),
      ];
      expect(render("~text~", message({ eventId, eventType, text }))).toBe(`${expected.join("\n")}\n\n`);
    }
  });
});

describe("header, footer, ping", () => {
  const rows: readonly (readonly [template: string, header: string, footer: string])[] = [
    ["", ": \n", ""],
    ["HEADER", ": HEADER\n", ": HEADER\n"],
    ["a\nb\r\nc\rd\n", ": a\n: b\n: c\n: d\n", ": a\n: b\n: c\n: d\n"],
    ["\r\n", ": \n", ""],
    [": done\n", ": done\n", ": done\n"],
    [": done", ": done\n", ": done\n"],
    ["é", ": \xc3\xa9\n", ": \xc3\xa9\n"],
  ];
  for (const [template, header, footer] of rows) {
    test(JSON.stringify(template), () => {
      expect(asLatin1(eventStreamHeader(template))).toBe(header);
      expect(asLatin1(eventStreamFooter(template))).toBe(footer);
    });
  }

  test("formatting twice changes nothing", () => {
    const once = new TextDecoder().decode(eventStreamHeader("a\nb"));
    expect(eventStreamHeader(once)).toEqual(utf8(once));
  });

  test("ping is a comment of one line", () => expect(asLatin1(EVENT_STREAM_PING)).toBe(": -1\n"));
});

describe("gap", () => {
  const rows = [
    ["ch1", 3, null, 'event: gap\ndata: {"channel":"ch1","missed":3}\n\n'],
    ["ch1", null, null, 'event: gap\ndata: {"channel":"ch1","missed":null}\n\n'],
    ['a"\n', 1, [35, 9], 'id: z-9\nevent: gap\ndata: {"channel":"a\\"\\n","missed":1}\n\n'],
  ] as const;
  for (const [channel, missed, position, expected] of rows) {
    test(JSON.stringify(expected), () => {
      const writer = new ByteWriter();
      const id = position === null ? null : { life: position[0].toString(36), positions: [position[1]] };
      pushGapEvent(writer, latin1(channel), missed, id);
      expect(asLatin1(writer.view())).toBe(expected);
    });
  }
});

describe("where a stream begins", () => {
  test.each([
    [true, "event: position\ndata: \nid: zz-3,4\n\n"],
    [false, "id: zz-3,4\n"],
  ])("for an EventSource: %p", (asEvent, expected) => {
    const writer = new ByteWriter();
    pushOpening(writer, { life: "zz", positions: [3, 4] }, asEvent);
    expect(asLatin1(writer.view())).toBe(expected);
  });
});
