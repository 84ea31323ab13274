/**
 * Heads of answers as bytes (RFC 9112 4, 5). Names are spelled as the module and Bun's server spell them;
 * phrases are nginx's. What many answers share is made once: a location's fields, the Date of this second.
 * Used by connection.ts.
 */
import type { PassedFields, SharedInit } from "../../http/direct-answer.ts";
import type { ByteWriter } from "../../wire/byte-writer.ts";
import { formatHttpDate } from "../../wire/http-date.ts";

/**
 * nginx's status lines (push-stream spec 0.5). The titles of its pages are others (front/error-page.ts): it
 * says 401 Unauthorized here.
 */
const PHRASES: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [201, "Created"],
  [202, "Accepted"],
  [204, "No Content"],
  [206, "Partial Content"],
  [301, "Moved Permanently"],
  [302, "Moved Temporarily"],
  [303, "See Other"],
  [304, "Not Modified"],
  [307, "Temporary Redirect"],
  [308, "Permanent Redirect"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [402, "Payment Required"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Not Allowed"],
  [406, "Not Acceptable"],
  [408, "Request Time-out"],
  [409, "Conflict"],
  [410, "Gone"],
  [411, "Length Required"],
  [412, "Precondition Failed"],
  [413, "Request Entity Too Large"],
  [414, "Request-URI Too Large"],
  [415, "Unsupported Media Type"],
  [416, "Requested Range Not Satisfiable"],
  [421, "Misdirected Request"],
  [422, "Unprocessable Content"],
  [426, "Upgrade Required"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Temporarily Unavailable"],
  [504, "Gateway Time-out"],
  [505, "HTTP Version Not Supported"],
  [507, "Insufficient Storage"],
]);

/** A Headers object has its names in lower case. */
const SPELLINGS: ReadonlyMap<string, string> = new Map(
  [
    "Sec-WebSocket-Version",
    "WWW-Authenticate",
    "X-Nginx-PushStream-Commit",
    "X-Nginx-PushStream-Explain",
    "X-Nginx-PushStream-Tag",
  ].map((name) => [name.toLowerCase(), name]),
);

const capitals = (name: string): string => name.replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase());
/** Names are few; those of handlers are the operator's own. */
const MOST_NAMES = 1000;
const spelled = new Map<string, string>();

export function spelledName(name: string): string {
  const known = spelled.get(name);
  if (known !== undefined) return known;
  const text = SPELLINGS.get(name) ?? capitals(name);
  if (spelled.size < MOST_NAMES) spelled.set(name, text);
  return text;
}

const statusLines = new Map<number, Uint8Array>();

/** `reason`: a backend's own; "": ours. */
export function statusLine(status: number, reason = ""): Uint8Array {
  if (reason !== "" && reason !== PHRASES.get(status))
    return Buffer.from(`HTTP/1.1 ${status} ${reason}\r\n`, "latin1");
  const known = statusLines.get(status);
  if (known !== undefined) return known;
  const line = Buffer.from(`HTTP/1.1 ${status} ${PHRASES.get(status) ?? ""}\r\n`);
  // A Response has one of 200 to 599.
  statusLines.set(status, line);
  return line;
}

/**
 * The fields of an answer as lines that end with CRLF, and what of them decides how the rest of the head is
 * made.
 */
type Has = "length" | "date" | "coding";

export class FieldLines {
  readonly #text: string;
  /**
   * Of what many answers have; one that is said once goes out as text, without an object that has to be
   * collected.
   */
  readonly #bytes: Uint8Array | null;
  readonly hasLength: boolean;
  readonly hasDate: boolean;
  readonly hasCoding: boolean;
  /** The application wants the connection to end with this answer. */
  readonly isLast: boolean;
  /** The beginning of most answers, good for the second in which it was made. */
  #usual = NOTHING;
  #usualDate = NOTHING;
  #usualKeepLine = NOTHING;

  /** Other answers have them, too. */
  readonly isShared: boolean;

  private constructor(
    lines: string,
    isLast: boolean,
    isShared: boolean,
    has: Readonly<Record<Has, boolean>>,
  ) {
    this.#text = lines;
    this.#bytes = isShared ? Buffer.from(lines, "latin1") : null;
    this.hasLength = has.length;
    this.hasDate = has.date;
    this.hasCoding = has.coding;
    this.isLast = isLast;
    this.isShared = isShared;
  }

  /** `Connection` is left out: it is the connection's to say. */
  static of(headers: Headers, isShared = false): FieldLines {
    let lines = "";
    let isLast = false;
    for (const [name, value] of headers) {
      if (name === "connection") isLast = isLast || /\bclose\b/i.test(value);
      else lines += `${spelledName(name)}: ${value}\r\n`;
    }
    return new FieldLines(lines, isLast, isShared, {
      length: headers.has("content-length"),
      date: headers.has("date"),
      coding: headers.has("transfer-encoding"),
    });
  }

  /** A backend's. */
  static passed({ text, hasLength, hasDate }: PassedFields): FieldLines {
    return new FieldLines(text, false, false, { length: hasLength, date: hasDate, coding: false });
  }

  pushTo(out: ByteWriter): void {
    if (this.#bytes === null) out.pushLatin1(this.#text);
    else out.pushBytes(this.#bytes);
  }

  /** Of a shared one: status line 200, these lines, Date, and `keepLine`. */
  usual(keepLine: Uint8Array): Uint8Array {
    const date = this.hasDate ? NOTHING : dateLine();
    if (this.#usualDate !== date || this.#usualKeepLine !== keepLine || this.#usual.length === 0) {
      this.#usual = Buffer.concat([statusLine(200), this.#bytes ?? NOTHING, date, keepLine]);
      this.#usualDate = date;
      this.#usualKeepLine = keepLine;
    }
    return this.#usual;
  }
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** Of an init that many answers are made with. */
export function sharedFieldLines(init: SharedInit): FieldLines {
  if (init.kept instanceof FieldLines) return init.kept;
  const made = FieldLines.of(init.headers, true);
  init.kept = made;
  return made;
}

let dateSec = 0;
let lastDateLine: Uint8Array = NOTHING;

/** The same object within a second. */
export function dateLine(): Uint8Array {
  const sec = Math.floor(Date.now() / 1000);
  if (sec !== dateSec) {
    dateSec = sec;
    lastDateLine = Buffer.from(`Date: ${formatHttpDate(sec)}\r\n`, "latin1");
  }
  return lastDateLine;
}
