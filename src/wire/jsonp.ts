/**
 * JSONP (push-stream spec 4.12 (1)): the `callback` argument of a poll, and the bytes around and between its
 * messages. The value goes into a script that a page runs, so it is a name and nothing else.
 */
import type { ByteWriter } from "./byte-writer.ts";

const NAME = "callback";
const MAX_NAME_LENGTH = 128;
/** What spec 12.3 recommends; an empty name is allowed there and makes `([…]);`. */
const SAFE = /^[A-Za-z0-9_$.[\]]*$/;
const COMMA = 0x2c;

/** "unsafe": there is one, and it is no name. */
export type Callback = { readonly name: string } | "none" | "unsafe";

/**
 * The first `callback=` of a query as sent: its name without case, its value as sent (the module decodes it;
 * what it would decode to, `decode` says). An argument without "=" is none, as in nginx.
 */
export function callbackOf(query: string, decode: (value: string) => string): Callback {
  for (let start = 0; start < query.length; ) {
    const next = query.indexOf("&", start);
    const end = next < 0 ? query.length : next;
    const equals = start + NAME.length;
    if (equals < end && query[equals] === "=" && query.slice(start, equals).toLowerCase() === NAME)
      return nameOf(query, equals + 1, end, decode);
    start = end + 1;
  }
  return "none";
}

function nameOf(query: string, start: number, end: number, decode: (value: string) => string): Callback {
  // Each byte may have been sent as three.
  if (end - start > 3 * MAX_NAME_LENGTH) return "unsafe";
  const name = decode(query.slice(start, end));
  return name.length <= MAX_NAME_LENGTH && SAFE.test(name) ? { name } : "unsafe";
}

/** Before the first message. */
export function pushJsonpStart(writer: ByteWriter, name: string): void {
  writer.pushLatin1(name);
  writer.pushLatin1("([");
}

/** Between two messages. */
export const pushJsonpComma = (writer: ByteWriter): void => writer.pushByte(COMMA);

/** After the last one. */
export const pushJsonpEnd = (writer: ByteWriter): void => writer.pushLatin1("]);");
