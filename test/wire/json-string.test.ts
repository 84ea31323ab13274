/** JSON strings from bytes against JSON.stringify. */
import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { pushJsonString } from "../../src/wire/json-string.ts";
import { seededRandom } from "../random.ts";
import { utf8 } from "./inputs.ts";

const jsonOf = (bytes: Uint8Array): string => {
  const writer = new ByteWriter(16);
  pushJsonString(writer, Uint8Array.from([0x22, ...bytes, 0x22]), 1, bytes.length);
  return new TextDecoder().decode(writer.view());
};

describe("pushJsonString", () => {
  for (let byte = 0; byte < 0x80; byte++) {
    const text = `x${String.fromCharCode(byte)}y`;
    test(`byte ${byte}`, () => expect(jsonOf(utf8(text))).toBe(JSON.stringify(text)));
  }

  test("nothing", () => expect(jsonOf(new Uint8Array(0))).toBe('""'));

  test("random bytes: valid JSON of the text TextDecoder makes of them", () => {
    const random = seededRandom("json-string");
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for (let round = 0; round < 3000; round++) {
      const bytes = Uint8Array.from([
        ...utf8(random.text(['"', "\\", "é", "😀", "\n", "a"], 5)),
        ...random.bytes(4),
      ]);
      expect(jsonOf(bytes)).toBe(JSON.stringify(decoder.decode(bytes)));
    }
  });
});
