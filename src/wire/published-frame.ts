/**
 * The answer to a publish frame on sluice.json.v1 (client-frame.ts) whose message is in one channel: the text
 * for a socket that makes its own frames of texts, and the whole frame for one that is given bytes.
 */
import type { ByteWriter } from "./byte-writer.ts";
import type { Ref } from "./client-frame.ts";
import { pushFrameHead } from "./frame-encoder.ts";
import { FINAL, SHORT, TEXT } from "./frame-layout.ts";

const BEGINNING = '{"kind":"published","ref":';
const POSITION = ',"position":"';
const END = '"}';
const DASH = 0x2d;
const SHORT_HEAD = 2;

const refText = (ref: Ref): string => (typeof ref === "number" ? String(ref) : JSON.stringify(ref));

export const publishedText = (ref: Ref, life: string, position: number): string =>
  `${BEGINNING}${refText(ref)}${POSITION}${life}-${position}${END}`;

export function pushPublishedFrame(writer: ByteWriter, ref: Ref, life: string, position: number): void {
  const start = writer.length;
  writer.pushByte(FINAL | TEXT);
  // How long it is, which is known behind it.
  writer.pushByte(0);
  writer.pushLatin1(BEGINNING);
  if (typeof ref === "number" && Number.isSafeInteger(ref)) writer.pushInteger(ref);
  else writer.pushUtf8(refText(ref));
  writer.pushLatin1(POSITION);
  writer.pushLatin1(life);
  writer.pushByte(DASH);
  writer.pushInteger(position);
  writer.pushLatin1(END);
  const length = writer.length - start - SHORT_HEAD;
  if (length <= SHORT) {
    writer.bytes[start + 1] = length;
    return;
  }
  writer.length = start;
  const text = publishedText(ref, life, position);
  pushFrameHead(writer, TEXT, Buffer.byteLength(text));
  writer.pushUtf8(text);
}
