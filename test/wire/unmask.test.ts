/**
 * Masks laid over payloads that begin anywhere in memory (RFC 6455 5.3), compared with the sentence of the
 * RFC.
 */
import { expect, test } from "bun:test";
import { maskAt, turned, unmask } from "../../src/wire/unmask.ts";

const MASK = Uint8Array.of(0xa1, 0xb2, 0xc3, 0xf4);
const AROUND = 0x55;

/** "j = i MOD 4, transformed-octet-i = original-octet-i XOR masking-key-octet-j" */
const asTheRfc = (payload: Uint8Array, first: number): Uint8Array =>
  payload.map((byte, i) => byte ^ (MASK[(first + i) % 4] ?? 0));

test.each([0, 1, 2, 3, 4, 5, 7, 223, 224, 225, 226, 227, 1000, 65_537])(
  "%i bytes, at any address",
  (length) => {
    const payload = Uint8Array.from({ length }, (_, i) => i % 251);
    for (let offset = 0; offset < 9; offset++) {
      for (let inside = 0; inside < 5; inside++) {
        const memory = new Uint8Array(offset + inside + length + 8).fill(AROUND);
        const view = memory.subarray(offset);
        view.set(payload, inside);
        unmask(view, inside, inside + length, maskAt(MASK, 0));
        expect(Buffer.compare(view.subarray(inside, inside + length), asTheRfc(payload, 0))).toBe(0);
        // Nothing beside it is touched.
        expect(memory.subarray(0, offset + inside).every((byte) => byte === AROUND)).toBe(true);
        expect(memory.subarray(offset + inside + length).every((byte) => byte === AROUND)).toBe(true);
      }
    }
  },
);

test("a payload in two parts is unmasked by the mask and the mask turned by the first part", () => {
  const payload = Uint8Array.from({ length: 600 }, (_, i) => i % 251);
  for (let cut = 0; cut <= 600; cut += 7) {
    const bytes = payload.slice();
    unmask(bytes, 0, cut, maskAt(MASK, 0));
    unmask(bytes, cut, 600, turned(maskAt(MASK, 0), cut));
    expect(Buffer.compare(bytes, asTheRfc(payload, 0))).toBe(0);
  }
});
