/** A message as Bun's sockets take it. Used wherever one is sent to a WebSocket. */
import type { ByteWriter } from "../wire/byte-writer.ts";
import { pushFrameHead } from "../wire/frame-encoder.ts";
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
