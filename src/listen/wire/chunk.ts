/**
 * The chunk around a piece of a body (RFC 9112 7.1). What fan-out gives to a thousand streams is one object,
 * and is framed once for all of them: where it lies, if its bytes last. Used by connection.ts.
 */
import { FRAME_ROOM, lastingOf } from "../../http/lasting-bytes.ts";
import { ByteWriter } from "../../wire/byte-writer.ts";
import { SharedPiece } from "./shared-piece.ts";

/** The first `length` bytes. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly length: number;
}

const LINE_END = Buffer.from("\r\n");
const writer = new ByteWriter();
/** Of large ones, which several streams may be given in turns of their own. */
const LARGE_BYTES = 64 * 1024;
const largePieces = new WeakMap<Uint8Array, SharedPiece>();
/** Whose chunk was made last. */
let framedOf: Uint8Array | null = null;
let chunk: Chunk = writer;
let piece = new SharedPiece();

/** Good until the next call. `isShared`: the same object never has other bytes. */
export function chunkOf(bytes: Uint8Array, isShared: boolean): Chunk {
  if (isShared && framedOf === bytes) return chunk;
  framedOf = isShared ? bytes : null;
  if (isShared) piece = pieceOf(bytes);
  chunk = isShared && hasRoom(bytes) ? framedInPlace(bytes) : framed(bytes);
  return chunk;
}

function framed(bytes: Uint8Array): Chunk {
  writer.reset();
  writer.pushLatin1(bytes.length.toString(16));
  writer.pushBytes(LINE_END);
  writer.pushBytes(bytes);
  writer.pushBytes(LINE_END);
  return writer;
}

/** Its maker has left room around it (lasting-bytes.ts). */
const hasRoom = (bytes: Uint8Array): boolean =>
  bytes.byteOffset === FRAME_ROOM &&
  lastingOf(bytes) !== null &&
  bytes.buffer.byteLength >= FRAME_ROOM + bytes.length + FRAME_ROOM;

function framedInPlace({ buffer, byteOffset, length }: Uint8Array): Chunk {
  const head = Buffer.from(`${length.toString(16)}\r\n`);
  const start = byteOffset - head.length;
  const bytes = new Uint8Array(buffer, start, head.length + length + LINE_END.length);
  bytes.set(head);
  bytes.set(LINE_END, head.length + length);
  return { bytes, length: bytes.length };
}

function pieceOf(bytes: Uint8Array): SharedPiece {
  if (bytes.length < LARGE_BYTES) return new SharedPiece();
  const known = largePieces.get(bytes);
  if (known !== undefined) return known;
  const made = new SharedPiece();
  largePieces.set(bytes, made);
  return made;
}

/** Of the last chunk that was shared. */
export const sharedChunk = (): SharedPiece => piece;
