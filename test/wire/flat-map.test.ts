/** Maps of MessagePack clients: literal bytes, what msgpackr packs, and that nothing else is read. */
import { expect, test } from "bun:test";
import { Packr } from "msgpackr/pack";
import { readFlatMap } from "../../src/wire/flat-map.ts";

const packr = new Packr({ useRecords: false, variableMapSize: true, mapsAsObjects: true });
const read = (hex: string) => readFlatMap(Buffer.from(hex, "hex"));

test.each<[hex: string, value: unknown]>([
  ["c0", null],
  ["7f", 127],
  ["ff", -1],
  ["ccff", 255],
  ["cd0100", 256],
  ["ce00010000", 65_536],
  ["cf0000000100000000", 4_294_967_296],
  ["d080", -128],
  ["d1ff00", -256],
  ["d2ffff0000", -65_536],
  ["d3ffffffff00000000", -4_294_967_296],
  ["ca3fc00000", 1.5],
  ["cb3ff8000000000000", 1.5],
  ["a0", ""],
  ["a2c3a9", "é"],
  ["d90161", "a"],
  ["da000161", "a"],
  ["db0000000161", "a"],
  ["a3efbbbf", "\ufeff"],
  ["c401ff", Buffer.from([255])],
  ["c50001ff", Buffer.from([255])],
  ["c600000001ff", Buffer.from([255])],
])("value %s", (hex, value) => {
  const found = read(`81a161${hex}`)?.get("a");
  if (value instanceof Buffer) expect(Buffer.from(found as Uint8Array)).toEqual(value);
  else expect(found).toBe(value as string);
  expect(read(`de0001a161${hex}`)?.size).toBe(1);
  // Cut off anywhere, or with something behind it, it is nothing.
  const whole = Buffer.from(`81a161${hex}`, "hex");
  for (let length = 0; length < whole.length; length++)
    expect(readFlatMap(whole.subarray(0, length))).toBe(null);
  expect(read(`81a161${hex}00`)).toBe(null);
});

test.each([
  ["a record of msgpackr's", "d4724092a161a16201"],
  ["a record inside", "81a161d4724091a16101"],
  ["an array", "9101"],
  ["an array inside", "81a1619101"],
  ["a map inside", "81a16180"],
  ["a boolean", "81a161c3"],
  ["a date", "81a161d6ff00000000"],
  ["a number as a key", "810101"],
  ["a text that is not UTF-8", "81a161a1ff"],
  ["a length beyond the end", "81a161dbffffffff61"],
  ["too many fields", "deffffa16101"],
])("%s is not read", (_what, hex) => {
  expect(read(hex)).toBe(null);
});

test("what msgpackr packs", () => {
  const fields = {
    kind: "publish",
    ref: 7,
    channel: "ché",
    data: Buffer.alloc(70_000, 1),
    text: "x".repeat(300),
  };
  const found = readFlatMap(packr.pack(fields)) ?? new Map();
  expect({ ...Object.fromEntries(found), data: Buffer.from(found.get("data") as Uint8Array) }).toEqual(
    fields,
  );
});
