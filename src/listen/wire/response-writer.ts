/**
 * A `Response` of the application, or an answer of a backend, as the answer of a connection: bodies that
 * write themselves, short ones with their head in one piece, long ones as the client takes them. Called by
 * connection.ts.
 */

import { isOfHandler } from "../../handlers/answer.ts";
import { type PassedAnswer, pulledBodyOf } from "../../http/direct-answer.ts";
import { log } from "../../log.ts";
import { FieldLines } from "./answer-head.ts";
import { NO_LENGTH, UNKNOWN_LENGTH } from "./answering.ts";
import type { Connection } from "./connection.ts";

/** A body longer than this is streamed instead of read whole. */
const MAX_WHOLE_BYTES = 1 << 20;

/** Call corked. */
export function writeResponse(connection: Connection, response: Response): void {
  const { status, statusText, headers } = response;
  const lines = FieldLines.of(headers);
  const pulled = pulledBodyOf(response);
  if (pulled !== undefined) {
    connection.hold(status, lines, pulled, statusText);
    return;
  }
  const { body } = response;
  if (body === null || isBodyless(status)) {
    // RFC 9110 8.6: a 204 has no length; our 304 says 0 as the module's does.
    connection.writeHead(status, lines, isBodyless(status) ? NO_LENGTH : 0, statusText);
    connection.answered();
    return;
  }
  const declared = lines.hasLength ? Number(headers.get("content-length")) : -1;
  // Compressed as it is sent, because it is large, or a handler's: in memory it would be whole, or have no
  // end.
  const isUnknown = !lines.hasLength && (headers.has("content-encoding") || isOfHandler(response));
  if (connection.wantsNoBody && (lines.hasLength || isUnknown)) {
    connection.writeHead(status, lines, UNKNOWN_LENGTH);
    connection.answered();
    own(body.cancel());
    return;
  }
  if (isUnknown || declared > MAX_WHOLE_BYTES) {
    connection.writeHead(status, lines, UNKNOWN_LENGTH);
    finish(connection, writeLong(connection, body, declared));
    return;
  }
  finish(connection, writeWhole(connection, response, lines));
}

/** Of a backend: its fields as they came. Call corked. */
export function writePassed(connection: Connection, answer: PassedAnswer): void {
  const { status, reason, fields, body, stream } = answer;
  const lines = FieldLines.passed(fields);
  if (stream !== null) {
    connection.hold(status, lines, stream, reason);
    return;
  }
  // Of these nobody knows how long it would be (RFC 9110 8.6).
  const none = connection.wantsNoBody || status === 204 || status === 304 ? NO_LENGTH : 0;
  connection.writeHead(status, lines, body === null ? none : body.length, reason);
  if (body !== null && !connection.wantsNoBody) connection.push(body);
  connection.answered();
}

const isBodyless = (status: number): boolean => status === 204 || status === 304 || status < 200;

async function writeWhole(connection: Connection, response: Response, lines: FieldLines): Promise<void> {
  const body = await response.blob();
  if (connection.isClosed) return;
  if (body.size > MAX_WHOLE_BYTES && !connection.wantsNoBody) {
    connection.cork();
    connection.writeHead(response.status, lines, body.size);
    connection.uncork();
    await writeLong(connection, body.stream(), body.size);
    return;
  }
  const bytes = connection.wantsNoBody ? null : await body.bytes();
  if (connection.isClosed) return;
  connection.cork();
  connection.writeHead(response.status, lines, body.size, response.statusText);
  if (bytes !== null) connection.push(bytes);
  connection.answered();
  connection.uncork();
}

/**
 * `declared`: how long the head says it is; -1: it does not. A body that ends before that (a file that
 * shrank) ends the connection.
 */
async function writeLong(
  connection: Connection,
  body: ReadableStream<Uint8Array>,
  declared: number,
): Promise<void> {
  const reader = body.getReader();
  // A body that stands still must hear that its reader has left.
  connection.whenClosed({ cancel: () => own(reader.cancel()) });
  let written = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    if (connection.isClosed) return;
    const bytes = bytesOf(step.value);
    written += bytes.length;
    if (!connection.pushBody(bytes, declared < 0)) await connection.room();
  }
  if (connection.isClosed) return;
  if (written < declared) {
    connection.cutOff();
    return;
  }
  connection.endBody(declared < 0);
}

/** Streams of handlers may give texts, as Bun's own server takes them. */
function bytesOf(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  if (typeof piece === "string") return Buffer.from(piece);
  if (piece instanceof ArrayBuffer) return new Uint8Array(piece);
  throw new TypeError("a body is made of bytes or text");
}

/** A body that breaks off ends its connection: nothing else tells the client that it has not all of it. */
function finish(connection: Connection, work: Promise<void>): void {
  work.catch((error: unknown) => {
    log("debug", "a body broke off", { error: String(error) });
    connection.cutOff();
  });
}

function own(work: Promise<unknown>): void {
  work.catch((error: unknown) => log("debug", "a body did not end in peace", { error: String(error) }));
}
