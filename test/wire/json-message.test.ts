/** The subprotocol sluice.json.v1: literal frames, and what its decoder makes of them. */

import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import {
  JSON_PING,
  pushJsonDeleted,
  pushJsonGap,
  pushJsonHello,
  pushJsonMessage,
} from "../../src/wire/json-message.ts";
import { seededRandom } from "../random.ts";
import { decodeJsonFrame, type ServerFrame } from "../server-frames.ts";
import { latin1, message, utf8 } from "./inputs.ts";

const written = (write: (writer: ByteWriter) => void): string => {
  const writer = new ByteWriter(16);
  write(writer);
  return new TextDecoder("utf-8", { fatal: true }).decode(writer.view());
};

const own = (frame: ServerFrame | null): unknown =>
  frame !== null && "data" in frame ? { ...frame, data: [...frame.data] } : frame;

describe("frames", () => {
  const rows: readonly (readonly [
    name: string,
    write: (writer: ByteWriter) => void,
    text: string,
    frame: object,
  ])[] = [
    [
      "message",
      (writer) =>
        pushJsonMessage(writer, message({ time: 1716, tag: 1, text: "te\nxt" }), {
          life: "z",
          positions: [12],
        }),
      '{"kind":"message","channel":"ch1","id":7,"position":"z-12","time":1716,"tag":1,"data":"te\\nxt"}',
      {
        kind: "message",
        channel: "ch1",
        id: 7,
        position: "z-12",
        time: 1716,
        tag: 1,
        eventId: null,
        eventType: null,
        data: [...utf8("te\nxt")],
      },
    ],
    [
      "message with event id and type, not UTF-8",
      (writer) =>
        pushJsonMessage(writer, message({ time: 1, eventId: 'x"', eventType: "t", text: "\xff\xfe" }), {
          life: "0",
          positions: [1],
        }),
      '{"kind":"message","channel":"ch1","id":7,"position":"0-1","time":1,"tag":3,"event_id":"x\\"",' +
        '"event_type":"t","data_base64":"//4="}',
      {
        kind: "message",
        channel: "ch1",
        id: 7,
        position: "0-1",
        time: 1,
        tag: 3,
        eventId: 'x"',
        eventType: "t",
        data: [0xff, 0xfe],
      },
    ],
    [
      "gap",
      (writer) => pushJsonGap(writer, utf8("ch1"), 3, { life: "z", positions: [9] }),
      '{"kind":"gap","channel":"ch1","missed":3,"position":"z-9"}',
      { kind: "gap", channel: "ch1", missed: 3, position: "z-9" },
    ],
    [
      "gap of unknown size",
      (writer) => pushJsonGap(writer, utf8("é"), null, { life: "z", positions: [9] }),
      '{"kind":"gap","channel":"é","missed":null,"position":"z-9"}',
      { kind: "gap", channel: "é", missed: null, position: "z-9" },
    ],
    ["ping", (writer) => writer.pushLatin1(JSON_PING), '{"kind":"ping"}', { kind: "ping" }],
    [
      "deleted",
      (writer) => pushJsonDeleted(writer, utf8("ch1"), utf8("Channel deleted")),
      '{"kind":"deleted","channel":"ch1","data":"Channel deleted"}',
      { kind: "deleted", channel: "ch1", data: [...utf8("Channel deleted")] },
    ],
    [
      "hello",
      (writer) => pushJsonHello(writer, [utf8("ch1"), utf8("b")], { life: "z", positions: [1, 22] }),
      '{"kind":"hello","channels":["ch1","b"],"position":"z-1,22"}',
      { kind: "hello", channels: ["ch1", "b"], position: "z-1,22" },
    ],
  ];
  for (const [name, write, text, frame] of rows) {
    test(name, () => {
      expect(written(write)).toBe(text);
      expect(own(decodeJsonFrame(text))).toEqual(frame);
    });
  }
});

describe("what is no frame", () => {
  const message = '{"kind":"message","channel":"c","id":1,"position":"0-1","time":1,"tag":1,"data":"x"}';
  const refused = [
    "",
    "x",
    "null",
    "1",
    "[]",
    "{}",
    '{"kind":"other"}',
    '{"kind":"hello","channels":[1],"position":"0-1"}',
  ];
  const fields = ["kind", "channel", "id", "position", "time", "tag", "data"];
  for (const text of [...refused, '{"kind":"gap","channel":"c","missed":"3","position":"0-1"}']) {
    test(JSON.stringify(text), () => expect(decodeJsonFrame(text)).toBeNull());
  }
  for (const field of fields) {
    test(`a message without ${field}`, () => {
      const { [field]: _left, ...rest }: Record<string, unknown> = JSON.parse(message);
      expect(decodeJsonFrame(message)).not.toBeNull();
      expect(decodeJsonFrame(JSON.stringify(rest))).toBeNull();
    });
  }
});

test("random data arrives byte for byte", () => {
  const random = seededRandom("json-message");
  for (let round = 0; round < 1000; round++) {
    const data =
      random.below(2) === 0 ? random.bytes(80) : utf8(random.text(["é", "\\", '"', "\u2028", "\0"], 30));
    const text = Buffer.from(data).toString("latin1");
    const frame = decodeJsonFrame(
      written((writer) => pushJsonMessage(writer, message({ text }), { life: "1", positions: [1] })),
    );
    expect(frame).toMatchObject({ kind: "message" });
    expect(own(frame)).toMatchObject({ data: [...latin1(text)] });
  }
});
