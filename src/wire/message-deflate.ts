/**
 * Messages compressed and read as permessage-deflate has them, each by itself (RFC 7692 7.2). Used where
 * frames are made for sockets of our own (fanout/topic-carrier.ts) and read (listen/wire/wire-socket.ts).
 */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { ByteWriter } from "./byte-writer.ts";
import { pushFrameHead } from "./frame-encoder.ts";
import { COMPRESSED } from "./frame-layout.ts";

/**
 * Below it compression saves less than its frame costs; above it the worker would stand still for it (256
 * KiB: about 2 ms).
 */
const LEAST_BYTES = 256;
const MOST_BYTES = 256 * 1024;
/** What a flush ends with, and the frame does not have (RFC 7692 7.2.1). */
const FLUSH_END = Buffer.from([0, 0, 0xff, 0xff]);
/** Two thirds of the time that the default takes, for a hundredth more bytes. */
const DEFLATE = { level: 3, finishFlush: constants.Z_SYNC_FLUSH } as const;

/** Appends the frame of a message that is the first `length` bytes: compressed, if that makes it shorter. */
export function pushDeflatedFrame(
  writer: ByteWriter,
  opcode: number,
  bytes: Uint8Array,
  length: number,
): void {
  if (length >= LEAST_BYTES && length <= MOST_BYTES) {
    const deflated = deflateRawSync(bytes.subarray(0, length), DEFLATE);
    const deflatedBytes = deflated.length - FLUSH_END.length;
    if (deflatedBytes < length) {
      pushFrameHead(writer, opcode | COMPRESSED, deflatedBytes);
      writer.pushRange(deflated, 0, deflatedBytes);
      return;
    }
  }
  pushFrameHead(writer, opcode, length);
  writer.pushRange(bytes, 0, length);
}

/** Never more than `mostBytes`, whatever it claims to hold. */
export function inflateMessage(bytes: Uint8Array, mostBytes: number): Buffer | "too big" | "faulty" {
  // zlib takes 0 for a mistake.
  if (mostBytes < 1) return "too big";
  try {
    const whole = Buffer.concat([bytes, FLUSH_END]);
    return inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: mostBytes });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    return code === "ERR_BUFFER_TOO_LARGE" ? "too big" : "faulty";
  }
}
