/**
 * The subprotocol sluice.msgpack.v1: literal bytes of standard MessagePack, and what its decoder makes of
 * them.
 */

import { describe, expect, test } from "bun:test";
import {
  MSGPACK_PING,
  packDeleted,
  packGap,
  packHello,
  packMessage,
} from "../../src/wire/msgpack-message.ts";
import { seededRandom } from "../random.ts";
import { decodeMsgpackFrame, type ServerFrame } from "../server-frames.ts";
import { message, utf8 } from "./inputs.ts";

const own = (frame: ServerFrame | null): unknown =>
  frame !== null && "data" in frame ? { ...frame, data: [...frame.data] } : frame;

/** fixstr of a short ASCII text, in hex. */
const str = (text: string): string => (0xa0 | text.length).toString(16) + Buffer.from(text).toString("hex");

describe("frames", () => {
  const rows: readonly (readonly [
    name: string,
    frame: Uint8Array,
    hex: readonly string[],
    decoded: object,
  ])[] = [
    [
      "message",
      packMessage(message({ id: 300, time: 1715289393, tag: 1, text: "\xff\0" }), {
        life: "z",
        positions: [12],
      }),
      [
        "87",
        str("kind"),
        str("message"),
        str("channel"),
        str("ch1"),
        str("id"),
        "cd012c",
        str("position"),
        str("z-12"),
        str("time"),
        "ce663d3d31",
        str("tag"),
        "01",
        str("data"),
        "c402ff00",
      ],
      {
        kind: "message",
        channel: "ch1",
        id: 300,
        position: "z-12",
        time: 1715289393,
        tag: 1,
        eventId: null,
        eventType: null,
        data: [0xff, 0],
      },
    ],
    [
      "message with event id and type and a 64-bit id",
      packMessage(message({ id: 2 ** 32, time: 1, eventId: "x", eventType: "", text: "" }), {
        life: "0",
        positions: [1],
      }),
      [
        "89",
        str("kind"),
        str("message"),
        str("channel"),
        str("ch1"),
        str("id"),
        "d30000000100000000",
        str("position"),
        str("0-1"),
        str("time"),
        "01",
        str("tag"),
        "03",
        str("event_id"),
        str("x"),
        str("event_type"),
        str(""),
        str("data"),
        "c400",
      ],
      {
        kind: "message",
        channel: "ch1",
        id: 2 ** 32,
        position: "0-1",
        time: 1,
        tag: 3,
        eventId: "x",
        eventType: "",
        data: [],
      },
    ],
    [
      "gap",
      packGap(utf8("ch1"), 3, { life: "z", positions: [9] }),
      [
        "84",
        str("kind"),
        str("gap"),
        str("channel"),
        str("ch1"),
        str("missed"),
        "03",
        str("position"),
        str("z-9"),
      ],
      { kind: "gap", channel: "ch1", missed: 3, position: "z-9" },
    ],
    [
      "gap of unknown size",
      packGap(utf8("ch1"), null, { life: "z", positions: [9] }),
      [
        "84",
        str("kind"),
        str("gap"),
        str("channel"),
        str("ch1"),
        str("missed"),
        "c0",
        str("position"),
        str("z-9"),
      ],
      { kind: "gap", channel: "ch1", missed: null, position: "z-9" },
    ],
    ["ping", MSGPACK_PING, ["81", str("kind"), str("ping")], { kind: "ping" }],
    [
      "deleted",
      packDeleted(utf8("ch1"), utf8("gone")),
      ["83", str("kind"), str("deleted"), str("channel"), str("ch1"), str("data"), "c404676f6e65"],
      { kind: "deleted", channel: "ch1", data: [...utf8("gone")] },
    ],
    [
      "hello",
      packHello([utf8("ch1"), utf8("b")], { life: "z", positions: [1, 22] }),
      [
        "83",
        str("kind"),
        str("hello"),
        str("channels"),
        "92",
        str("ch1"),
        str("b"),
        str("position"),
        str("z-1,22"),
      ],
      { kind: "hello", channels: ["ch1", "b"], position: "z-1,22" },
    ],
  ];
  for (const [name, frame, hex, decoded] of rows) {
    test(name, () => {
      expect(Buffer.from(frame).toString("hex")).toBe(hex.join(""));
      expect(own(decodeMsgpackFrame(frame))).toEqual(decoded);
    });
  }
});

test("a frame stays as it is when later ones are packed", () => {
  const first = packDeleted(utf8("a"), utf8("first"));
  const before = [...first];
  for (let i = 0; i < 2000; i++) packDeleted(utf8("b"), utf8("some later frame"));
  expect([...first]).toEqual(before);
});

describe("what is no frame", () => {
  for (const hex of ["", "c0", "01", "80", "81a46b696e64a3666f6f", "87a4", "c1", "dfffffffff"]) {
    test(JSON.stringify(hex), () => expect(decodeMsgpackFrame(Buffer.from(hex, "hex"))).toBeNull());
  }
});

test("random data arrives byte for byte", () => {
  const random = seededRandom("msgpack-message");
  for (let round = 0; round < 1000; round++) {
    const data = random.bytes(300);
    const text = Buffer.from(data).toString("latin1");
    const frame = decodeMsgpackFrame(
      packMessage(message({ text, eventId: "é".repeat(random.below(40)) }), { life: "1", positions: [1] }),
    );
    expect(own(frame)).toMatchObject({ kind: "message", data: [...data] });
  }
});
