/** A message as Bun's sockets take it. Used wherever one is sent to a WebSocket. */
import type { ByteWriter } from "../wire/byte-writer.ts";
import { headBytes, pushFrameHead, writeFrameHead } from "../wire/frame-encoder.ts";
import { BINARY, TEXT } from "../wire/frame-layout.ts";
import { isUtf8 } from "../wire/utf8.ts";
import type { Format } from "./format.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A text frame is a JS string to Bun and must be valid UTF-8 (RFC 6455 8.1); anything else goes out as a
 * binary frame.
 */
export function frameOf(format: Format, writer: ByteWriter): string | Uint8Array {
  if (format.binary) return writer.copy();
  const view = writer.view();
  return isUtf8(view, 0, view.length) ? decoder.decode(view) : writer.copy();
}

/** The same for a socket of our own, as bytes: gives the opcode. */
export function pushFrame(framed: ByteWriter, format: Format, { bytes, length }: ByteWriter): number {
  const opcode = !format.binary && isUtf8(bytes, 0, length) ? TEXT : BINARY;
  pushFrameHead(framed, opcode, length);
  framed.pushRange(bytes, 0, length);
  return opcode;
}

/** Leaves room for the head of a frame of about so many bytes. Where it begins. */
export function beginFrame(framed: ByteWriter, expectedBytes: number): number {
  const start = framed.length;
  const head = headBytes(expectedBytes);
  framed.reserve(head);
  framed.length = start + head;
  return start;
}

/**
 * Puts the head before what was written behind `beginFrame`, which was told the same: a large message is
 * framed where it was rendered. Gives the opcode.
 */
export function endFrame(framed: ByteWriter, format: Format, start: number, expectedBytes: number): number {
  const at = start + headBytes(expectedBytes);
  const length = framed.length - at;
  const head = headBytes(length);
  framed.reserve(head);
  const { bytes } = framed;
  if (start + head !== at) bytes.copyWithin(start + head, at, at + length);
  framed.length = start + head + length;
  const opcode = !format.binary && isUtf8(bytes, start + head, length) ? TEXT : BINARY;
  writeFrameHead(bytes, start, opcode, length);
  return opcode;
}
