/**
 * The chunk around a piece of a body (RFC 9112 7.1). What fan-out gives to a thousand streams is one object,
 * and is framed once for all of them. Used by connection.ts.
 */
import { ByteWriter } from "../../wire/byte-writer.ts";
import { SharedPiece } from "./shared-piece.ts";

const LINE_END = Buffer.from("\r\n");
const writer = new ByteWriter();
/** Of large ones, which several streams may be given in turns of their own. */
const LARGE_BYTES = 64 * 1024;
const largePieces = new WeakMap<Uint8Array, SharedPiece>();
/** Whose chunk is in the writer. */
let framedOf: Uint8Array | null = null;
let piece = new SharedPiece();

/** Good until the next call. `isShared`: the same object never has other bytes. */
export function chunkOf(bytes: Uint8Array, isShared: boolean): ByteWriter {
  if (isShared && framedOf === bytes) return writer;
  writer.reset();
  writer.pushLatin1(bytes.length.toString(16));
  writer.pushBytes(LINE_END);
  writer.pushBytes(bytes);
  writer.pushBytes(LINE_END);
  framedOf = isShared ? bytes : null;
  if (isShared) piece = pieceOf(bytes);
  return writer;
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
