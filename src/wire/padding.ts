/**
 * Padding for clients that show nothing before they have enough (push-stream spec 4.8): how many bytes, and
 * which. Used by the formats and headers of held streams; which client is padded is decided in subscribe/.
 */
import type { ByteWriter } from "./byte-writer.ts";

/** Sizes go up in such steps. */
const STEP_BYTES = 100;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/**
 * Bytes that follow `sentLength` bytes so that they are at least `minLength`. `maxLength` is the largest
 * minimum of the whole configuration: the module has one run of padding that long and cuts from it, and
 * nothing longer than that is ever sent.
 */
export function paddingLength(sentLength: number, minLength: number, maxLength: number): number {
  const missing = minLength - sentLength;
  if (missing <= 0) return 0;
  const steps = Math.floor(missing / STEP_BYTES);
  return steps === Math.floor(maxLength / STEP_BYTES) ? maxLength : (steps + 1) * STEP_BYTES;
}

/**
 * The bytes of one kind of stream: an event stream ignores a line of colons, everything else ignores line
 * breaks.
 */
export class Padding {
  readonly maxLength: number;
  /** Paddings are its ends, so each ends with a line feed. */
  readonly #run: Uint8Array;

  constructor(maxLength: number, isEventStream: boolean) {
    this.maxLength = maxLength;
    // Even, as pairs have to be: a padding of odd length begins with a line feed.
    const run = new Uint8Array(maxLength + (maxLength % 2)).fill(isEventStream ? COLON : CR);
    const stride = isEventStream ? run.length : 2;
    for (let at = stride - 1; stride > 0 && at < run.length; at += stride) run[at] = LF;
    this.#run = run;
  }

  /** Appends what is missing after `sentLength` bytes. */
  push(writer: ByteWriter, sentLength: number, minLength: number): void {
    const length = paddingLength(sentLength, minLength, this.maxLength);
    if (length > 0) writer.pushRange(this.#run, this.#run.length - length, length);
  }
}
