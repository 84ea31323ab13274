/**
 * The answer to a publish frame on sluice.json.v1 (client-frame.ts) whose message is in one channel: the text
 * for a socket that makes its own frames of texts, and the whole frame for one that is given bytes.
 */
import { ByteWriter } from "./byte-writer.ts";
import type { Ref } from "./client-frame.ts";
import { pushFrameHead } from "./frame-encoder.ts";
import { FINAL, SHORT, TEXT } from "./frame-layout.ts";

const BEGINNING = '{"kind":"published","ref":';
const POSITION = ',"position":"';
const END = '"}';
const DASH = 0x2d;
const SHORT_HEAD = 2;

const latin1 = Buffer.prototype.toString;
/** Of a text: put together of strings it takes half as long again. */
const own = new ByteWriter(256);

/** As bytes that are characters; other refs are texts. */
const isWhole = (ref: Ref): ref is number => typeof ref === "number" && Number.isSafeInteger(ref);

export function publishedText(ref: Ref, life: string, position: number): string {
  if (!isWhole(ref)) return `${BEGINNING}${JSON.stringify(ref)}${POSITION}${life}-${position}${END}`;
  own.reset();
  push(own, ref, life, position);
  return latin1.call(own.bytes, "latin1", 0, own.length);
}

export function pushPublishedFrame(writer: ByteWriter, ref: Ref, life: string, position: number): void {
  const start = writer.length;
  if (isWhole(ref)) {
    writer.pushByte(FINAL | TEXT);
    // How long it is, which is known behind it.
    writer.pushByte(0);
    push(writer, ref, life, position);
    const length = writer.length - start - SHORT_HEAD;
    writer.bytes[start + 1] = length;
    if (length <= SHORT) return;
    writer.length = start;
  }
  const text = publishedText(ref, life, position);
  pushFrameHead(writer, TEXT, Buffer.byteLength(text));
  writer.pushUtf8(text);
}

function push(writer: ByteWriter, ref: number, life: string, position: number): void {
  writer.pushLatin1(BEGINNING);
  writer.pushInteger(ref);
  writer.pushLatin1(POSITION);
  writer.pushLatin1(life);
  writer.pushByte(DASH);
  writer.pushInteger(position);
  writer.pushLatin1(END);
}
