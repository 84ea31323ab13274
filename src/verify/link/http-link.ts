/**
 * HTTP/1.1 answers over a Link: a head, and a body as it comes. Used by the lanes that are answers
 * (lanes.ts).
 */
import type { Link } from "./link.ts";
import { LinkEnd } from "./link.ts";

export interface Head {
  readonly status: number;
  /** By lower-case name; the last of several. */
  readonly fields: ReadonlyMap<string, string>;
}

const MAX_HEAD = 64 * 1024;

/**
 * Sends a request without a body. Values must have no line ends: they are ours, or were fields of an answer.
 */
export function sendRequest(
  link: Link,
  host: string,
  path: string,
  fields: Readonly<Record<string, string>>,
): void {
  const lines = Object.entries({ Host: host, ...fields }).map(([name, value]) => `${name}: ${value}\r\n`);
  link.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

export async function readHead(link: Link): Promise<Head> {
  const text = (await link.takeUntil("\r\n\r\n", MAX_HEAD)).toString("latin1");
  const [statusLine = "", ...lines] = text.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  if (!Number.isInteger(status)) throw new LinkEnd(`no answer of HTTP/1.1: ${statusLine.slice(0, 60)}`);
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status, fields: new Map(fields) };
}

/** The pieces of a body; ends where it ends, throws LinkEnd where the connection does before. */
export async function* readBody(link: Link, { status, fields }: Head): AsyncGenerator<Buffer> {
  if (status === 304 || status === 204) return;
  if (fields.get("transfer-encoding") !== "chunked") {
    const length = Number(fields.get("content-length") ?? Number.NaN);
    if (!Number.isInteger(length)) throw new LinkEnd("a body without an end");
    if (length > 0) yield await link.take(length);
    return;
  }
  for (;;) {
    const line = (await link.takeUntil("\r\n", 32)).toString("latin1");
    const size = /^[0-9a-f]{1,8}$/i.test(line) ? Number.parseInt(line, 16) : Number.NaN;
    if (Number.isNaN(size)) throw new LinkEnd(`no size of a chunk: ${JSON.stringify(line)}`);
    if (size > 0) yield await link.take(size);
    await link.takeUntil("\r\n", 32);
    if (size === 0) return;
  }
}

/** Lines of text out of pieces of bytes. */
export async function* readLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const piece of pieces) {
    let bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      yield bytes.toString("utf8", 0, end);
      bytes = bytes.subarray(end + 1);
    }
    rest = Buffer.from(bytes);
  }
}
