/** From what a handler returned to a response. Called by endpoint.ts. */

import { fieldValue } from "../front/field-value.ts";
import { SERVER } from "../http/answer.ts";
import type { Pieces } from "./generated-body.ts";

/** Answers that handlers made themselves: a listener of our own has to send them on as they come. */
const own = new WeakSet<Response>();
export const isOfHandler = (response: Response): boolean => own.has(response);

/** A whole answer, or pieces that are still to come. Throws a TypeError for what is neither. */
export function readAnswer(answer: unknown, contentType: string): Response | Pieces {
  if (typeof answer === "string") return whole(Buffer.from(answer), contentType);
  if (answer instanceof Uint8Array) return whole(answer, contentType);
  if (answer === undefined || answer === null) return new Response(null, { status: 204, headers: SERVER });
  if (answer instanceof Response) return response(answer);
  const pieces = piecesOf(answer);
  if (pieces === null) throw new TypeError(`a handler cannot answer with ${kindOf(answer)}`);
  return pieces;
}

function whole(bytes: Uint8Array, contentType: string): Response {
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: {
      ...SERVER,
      "Content-Type": fieldValue(contentType),
      "Content-Length": String(bytes.length),
      "X-Content-Type-Options": "nosniff",
    },
  });
}

function response(answer: Response): Response {
  if (answer.bodyUsed || own.has(answer))
    throw new TypeError("this Response was sent before: a handler makes a new one for each request");
  own.add(answer);
  return answer;
}

function piecesOf(answer: unknown): Pieces | null {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return null;
  for (const kind of [Symbol.asyncIterator, Symbol.iterator]) {
    const begin: unknown = Reflect.get(answer, kind);
    if (typeof begin === "function") return Reflect.apply(begin, answer, []) as Pieces;
  }
  return null;
}

const kindOf = (answer: unknown): string =>
  Array.isArray(answer) ? "a list" : typeof answer === "object" ? "a plain object" : `a ${typeof answer}`;
