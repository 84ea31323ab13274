/** ByteWriter: what was pushed is what comes out, across growth, reuse and shrinking. */
import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { seededRandom } from "../random.ts";
import { asLatin1, utf8 } from "./inputs.ts";

describe("numbers", () => {
  const values = [0, 1, 9, 10, 99, 100, 12345, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 1e15, Number.MAX_SAFE_INTEGER];
  for (const value of [...values, ...values.map((value) => -value)]) {
    test(`${value}`, () => {
      const writer = new ByteWriter();
      writer.pushInteger(value);
      expect(asLatin1(writer.view())).toBe(String(value === 0 ? 0 : value));
    });
  }

  test("every power of ten and its neighbours", () => {
    for (let power = 1; power < 1e15; power *= 10) {
      for (const value of [power - 1, power, power + 1]) {
        const writer = new ByteWriter(16);
        writer.pushInteger(value);
        expect(asLatin1(writer.view())).toBe(String(value));
      }
    }
  });
});

test("the same once more with the next number: where there is one of as many digits", () => {
  const writer = new ByteWriter(16);
  writer.pushLatin1("before ");
  for (const number of [0, 8, 9, 10, 19, 98, 99, 100, 7_999_999, 2 ** 40 - 1]) {
    const start = writer.length;
    writer.pushLatin1(`{"at":"a9-${number}"}`);
    const next = `{"at":"a9-${number + 1}"}`;
    const isThere = String(number).length === String(number + 1).length;
    expect(writer.pushSuccessor(start, 2)).toBe(isThere);
    const written = asLatin1(writer.view()).slice(start);
    expect(written).toBe(`{"at":"a9-${number}"}${isThere ? next : ""}`);
  }
  for (const text of ["", "9", "99", "a"]) {
    const start = writer.length;
    writer.pushLatin1(text);
    expect(writer.pushSuccessor(start, 0)).toBe(false);
    expect(writer.length).toBe(start + text.length);
  }
});

describe("text", () => {
  const long = "größer ".repeat(30);
  for (const text of ["", "a", "é", "abc€", "😀", "a".repeat(64), "a".repeat(65), long, "\ud800x"]) {
    test(`UTF-8 of ${JSON.stringify(text.slice(0, 12))} (${text.length})`, () => {
      const writer = new ByteWriter(16);
      writer.pushLatin1("<");
      writer.pushUtf8(text);
      writer.pushLatin1(">");
      expect(writer.copy()).toEqual(utf8(`<${text}>`));
    });
  }

  test("latin1 keeps every byte value", () => {
    const all = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
    const writer = new ByteWriter(16);
    writer.pushLatin1(all);
    expect(asLatin1(writer.view())).toBe(all);
  });
});

describe("ranges", () => {
  for (const length of [0, 1, 19, 20, 21, 22, 100, 5000]) {
    test(`${length} bytes, from plain and from shared memory`, () => {
      const plain = Uint8Array.from({ length: length + 6 }, (_, i) => i & 0xff);
      const shared = new Uint8Array(new SharedArrayBuffer(length + 6));
      shared.set(plain);
      for (const source of [plain, shared]) {
        const writer = new ByteWriter(16);
        writer.pushByte(0xee);
        writer.pushRange(source, 3, length);
        expect(writer.copy()).toEqual(Uint8Array.from([0xee, ...plain.subarray(3, 3 + length)]));
      }
    });
  }
});

describe("reuse", () => {
  const big = new Uint8Array(4 * 1024 * 1024);

  test("one large message does not keep 4 MiB", () => {
    const writer = new ByteWriter();
    writer.pushBytes(big);
    for (let i = 0; i < 20; i++) {
      writer.reset();
      writer.pushLatin1("small");
    }
    expect(writer.bytes.length).toBeLessThanOrEqual(64 * 1024);
    expect(asLatin1(writer.view())).toBe("small");
  });

  test("a steady run of large messages does keep it", () => {
    const writer = new ByteWriter();
    writer.pushBytes(big);
    const buffer = writer.bytes;
    for (let i = 0; i < 40; i++) {
      writer.reset();
      writer.pushLatin1("small");
      if (i % 10 === 0) writer.pushBytes(big.subarray(0, 1024 * 1024));
    }
    expect(writer.bytes).toBe(buffer);
  });

  test("growing doubles: 100,000 single bytes move the buffer at most 17 times", () => {
    const writer = new ByteWriter(16);
    let moves = 0;
    for (let i = 0; i < 100_000; i++) {
      const before = writer.bytes;
      writer.pushByte(1);
      if (writer.bytes !== before) moves++;
    }
    expect(moves).toBeLessThanOrEqual(17);
  });
});

test("random pushes equal a string model", () => {
  const random = seededRandom("byte-writer");
  const writer = new ByteWriter(16);
  for (let round = 0; round < 200; round++) {
    writer.reset();
    let model = "";
    for (let step = random.below(20); step > 0; step--) {
      const bytes = random.bytes(60);
      const number = random.below(2 ** 40) - 2 ** 39;
      const byte = random.below(256);
      writer.pushBytes(bytes);
      writer.pushInteger(number);
      writer.pushByte(byte);
      model += asLatin1(bytes) + String(number) + String.fromCharCode(byte);
    }
    expect(asLatin1(writer.view())).toBe(model);
  }
});
