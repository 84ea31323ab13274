/**
 * Reads the frames of WebSocket clients (RFC 6455 5) from bytes that come in any pieces. Used by the wire
 * listener, one decoder for all of its sockets: a socket keeps only what it has not finished, and nothing
 * between two messages, which is where most of them are.
 *
 *   held = decoder.take(held, bytes, sink)
 *
 * A frame that came whole, and is a message of its own, is handed on as a view of the bytes; everything else
 * is gathered in unfinished-frames.ts. The first fault ends it: what came before has been delivered, what
 * comes behind is dropped. A piece may hold seventy thousand frames: a sink that has had enough for this turn
 * finds what was not looked at in `rest`.
 */
import { CloseCode } from "../http/close-codes.ts";
import {
  BINARY,
  COMPRESSED,
  CONTINUATION,
  CONTROL,
  FINAL,
  IN_EIGHT_BYTES,
  IN_TWO_BYTES,
  MASK_BYTES,
  MASKED,
  MAX_IN_TWO,
  OPCODE,
  PING,
  PONG,
  RESERVED,
  SHORT,
  TEXT,
} from "./frame-layout.ts";
import type { FrameSink } from "./frame-sink.ts";
import { UnfinishedFrames } from "./unfinished-frames.ts";
import { maskAt, unmask } from "./unmask.ts";
import { isUtf8 } from "./utf8.ts";

/** What a socket has not finished; null: nothing. */
export type HeldFrames = UnfinishedFrames | null;

/** Of a socket whose last frame came, or a faulty one: nothing is read of it any more. */
export const DEAF: HeldFrames = new UnfinishedFrames();

/** In the middle of a frame or of a fragmented message. */
export const isUnfinished = (held: HeldFrames): boolean => held !== null && held !== DEAF;

/** What a message is, in the first byte of its first frame. */
const KIND = OPCODE | COMPRESSED;
const COMPRESSED_TEXT = TEXT | COMPRESSED;
const COMPRESSED_BINARY = BINARY | COMPRESSED;
const HIGH_WORD = 2 ** 32;
const SHORTEST_HEAD = 2;
/** So many frames are read before the sink is asked whether it has enough. */
const FRAMES_A_LOOK = 8;

/** What became of reading a head. */
type HeadOutcome = typeof WHOLE | typeof PART | typeof FAULTY;
const WHOLE = 0;
const PART = 1;
const FAULTY = 2;

export class FrameDecoder {
  readonly #maxMessageBytes: number;
  // Of the head that was read last, or of the fault: fields, so that a frame costs no object.
  #first = 0;
  #length = 0;
  #mask = 0;
  #headBytes = 0;
  #code = 0;
  #sentence = "";
  /** Of the bytes that were taken last, what the sink had no time for: to be taken again. null: nothing. */
  rest: Buffer | null = null;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /**
   * Takes the next bytes of a socket, which are unmasked where they are. Gives what is to be held until more
   * come.
   */
  take(held: HeldFrames, bytes: Buffer, sink: FrameSink): HeldFrames {
    this.rest = null;
    if (held === DEAF) return DEAF;
    let state = held;
    let piece = bytes;
    if (state !== null && state.head !== null) {
      // Rare: of a frame that is in the same piece as another, or of a client that sends bytes one by one.
      piece = Buffer.concat([state.head, bytes]);
      state.head = null;
    }
    for (let at = 0, frames = 1; at < piece.length; frames++) {
      if (frames % FRAMES_A_LOOK === 0 && sink.hasEnough()) {
        this.rest = piece.subarray(at);
        break;
      }
      if (state === null || state.left === 0) {
        const outcome = this.#readHead(piece, at, state, sink.takesCompressed);
        if (outcome === FAULTY) return this.#tellFault(sink);
        if (outcome === PART) {
          state ??= new UnfinishedFrames();
          state.head = Buffer.from(piece.subarray(at));
          return state;
        }
        at += this.#headBytes;
        const end = at + this.#length;
        if (end <= piece.length && this.#standsAlone()) {
          unmask(piece, at, end, this.#mask);
          if (!this.#deliver(this.#first & KIND, piece.subarray(at, end), sink)) return DEAF;
          at = end;
          continue;
        }
        state ??= new UnfinishedFrames();
        state.beginFrame(this.#first, this.#length, this.#mask);
      }
      const end = at + Math.min(state.left, piece.length - at);
      if (!this.#gather(state, piece, at, end, sink)) return DEAF;
      at = end;
    }
    return state?.isEmpty === true ? null : state;
  }

  // --- heads -----------------------------------------------------------------------------------------------

  #readHead(bytes: Buffer, at: number, state: HeldFrames, takesCompressed: boolean): HeadOutcome {
    if (at + SHORTEST_HEAD > bytes.length) return PART;
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    this.#first = first;
    const form = second & ~MASKED;
    const fault = kindFault(first, form, state?.isInMessage === true, takesCompressed);
    if (fault !== null) return this.#faulty(CloseCode.PROTOCOL, fault);
    if ((second & MASKED) === 0) return this.#faulty(CloseCode.PROTOCOL, "frame is not masked");
    const lengthBytes = form === IN_TWO_BYTES ? 2 : form === IN_EIGHT_BYTES ? 8 : 0;
    const maskStart = at + SHORTEST_HEAD + lengthBytes;
    if (maskStart + MASK_BYTES > bytes.length) return PART;
    this.#mask = maskAt(bytes, maskStart);
    this.#headBytes = SHORTEST_HEAD + lengthBytes + MASK_BYTES;
    return this.#readLength(bytes, at + SHORTEST_HEAD, form, state);
  }

  #readLength(bytes: Buffer, at: number, form: number, state: HeldFrames): HeadOutcome {
    let length = form;
    let isMinimal = true;
    if (form === IN_TWO_BYTES) {
      length = bytes.readUInt16BE(at);
      isMinimal = length > SHORT;
    } else if (form === IN_EIGHT_BYTES) {
      // Beyond 2^53 it is only roughly right, and too much anyway; so is one with the first bit set, which
      // must be 0.
      length = bytes.readUInt32BE(at) * HIGH_WORD + bytes.readUInt32BE(at + 4);
      isMinimal = length > MAX_IN_TWO;
    }
    if (!isMinimal) return this.#faulty(CloseCode.PROTOCOL, "length is not minimal");
    const isControl = (this.#first & CONTROL) !== 0;
    if (!isControl && (state?.messageBytes ?? 0) + length > this.#maxMessageBytes)
      return this.#faulty(CloseCode.TOO_BIG, "message is too big");
    this.#length = length;
    return WHOLE;
  }

  /** Nothing of its message came before, and nothing will follow. */
  #standsAlone(): boolean {
    return (this.#first & FINAL) !== 0 && (this.#first & OPCODE) !== CONTINUATION;
  }

  // --- payloads --------------------------------------------------------------------------------------------

  /** False: it is over. */
  #gather(state: UnfinishedFrames, piece: Buffer, from: number, to: number, sink: FrameSink): boolean {
    if (!state.add(piece, from, to, this.#maxMessageBytes)) return this.#tellNoText(sink);
    if (state.left > 0) return true;
    const whole = state.endFrame();
    if (whole === null) return true;
    // It was looked at as it came.
    if (whole.opcode === TEXT) sink.text(whole.payload);
    else return this.#deliver(whole.opcode, whole.payload, sink);
    return true;
  }

  #deliver(opcode: number, payload: Buffer, sink: FrameSink): boolean {
    switch (opcode) {
      case TEXT:
        if (!isUtf8(payload, 0, payload.length)) return this.#tellNoText(sink);
        sink.text(payload);
        return true;
      case BINARY:
        sink.binary(payload);
        return true;
      case COMPRESSED_TEXT:
      case COMPRESSED_BINARY:
        sink.compressed(opcode & OPCODE, payload);
        return true;
      case PING:
        sink.ping(payload);
        return true;
      case PONG:
        sink.pong(payload);
        return true;
      default:
        this.#close(payload, sink);
        return false;
    }
  }

  /** RFC 6455 5.5.1, 7.4. */
  #close(payload: Buffer, sink: FrameSink): void {
    if (payload.length === 0) {
      sink.close(CloseCode.NO_STATUS, "");
      return;
    }
    const code = payload.length === 1 ? 0 : payload.readUInt16BE(0);
    if (!maySayCode(code)) sink.fault(CloseCode.PROTOCOL, "close code is not allowed");
    else if (!isUtf8(payload, 2, payload.length - 2)) this.#tellNoText(sink);
    else sink.close(code, payload.toString("utf8", 2));
  }

  // --- faults ----------------------------------------------------------------------------------------------

  #faulty(code: number, sentence: string): HeadOutcome {
    this.#code = code;
    this.#sentence = sentence;
    return FAULTY;
  }

  #tellFault(sink: FrameSink): HeldFrames {
    sink.fault(this.#code, this.#sentence);
    return DEAF;
  }

  #tellNoText(sink: FrameSink): false {
    sink.fault(CloseCode.NO_TEXT, "text is not UTF-8");
    return false;
  }
}

/**
 * What is wrong with a frame of this kind at this place; null: nothing. `form`: the length as the second byte
 * has it.
 */
function kindFault(
  first: number,
  form: number,
  isInMessage: boolean,
  takesCompressed: boolean,
): string | null {
  const opcode = first & OPCODE;
  const reserved = first & RESERVED;
  // Only a message's first frame may say so (RFC 7692 6.1).
  const isCompressed = reserved === COMPRESSED && (opcode === TEXT || opcode === BINARY);
  if (reserved !== 0 && !(isCompressed && takesCompressed)) return "reserved bits are set";
  if ((opcode & CONTROL) !== 0) {
    if (opcode > PONG) return "opcode is not known";
    if ((first & FINAL) === 0) return "control frame is fragmented";
    return form > SHORT ? "control frame is too long" : null;
  }
  if (opcode > BINARY) return "opcode is not known";
  if (opcode === CONTINUATION) return isInMessage ? null : "nothing is there to continue";
  return isInMessage ? "message is not finished" : null;
}

/**
 * Codes of the protocol and of the IANA registry but for those that never stand in a frame; and those of
 * libraries and applications.
 */
function maySayCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}
