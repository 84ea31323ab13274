/** The answer to a publish frame, as text and as a frame, is what JSON.stringify makes of it. */
import { expect, test } from "bun:test";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import type { Ref } from "../../src/wire/client-frame.ts";
import { frameOf } from "../../src/wire/frame-encoder.ts";
import { TEXT } from "../../src/wire/frame-layout.ts";
import { publishedText, pushPublishedFrame } from "../../src/wire/published-frame.ts";

const REFS: readonly Ref[] = [
  0,
  7,
  -7,
  255,
  999_999_999_999_999,
  Number.MAX_SAFE_INTEGER,
  -Number.MAX_SAFE_INTEGER,
  0.5,
  1e21,
  1e-7,
  "",
  "a",
  'q"\\\n',
  "ü🙂",
  "x".repeat(256),
];

test("a published answer is the same as text and as a frame, whatever its ref", () => {
  const all = new ByteWriter(16);
  const frames: Uint8Array[] = [];
  for (const ref of REFS)
    for (const [life, position] of [
      ["8z4i41cj12", 1],
      ["x".repeat(100), Number.MAX_SAFE_INTEGER],
    ] as const) {
      const wanted = JSON.stringify({ kind: "published", ref, position: `${life}-${position}` });
      expect(publishedText(ref, life, position)).toBe(wanted);
      frames.push(frameOf(TEXT, Buffer.from(wanted)));
      pushPublishedFrame(all, ref, life, position);
    }
  expect(Buffer.from(all.view()).toString("hex")).toBe(Buffer.concat(frames).toString("hex"));
});
