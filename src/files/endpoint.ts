/**
 * One location of static files, compiled: what plugin.ts hands requests to. GET and HEAD of regular files
 * below one folder; index files for folders; no listings, no files whose name begins with a dot, no links
 * that lead out.
 */

import { toBinary } from "../config/binary-text.ts";
import { contentTypeOf } from "../config/location/content-type.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { FilesConfig } from "../config/model/answers.ts";
import type { LocationConfig } from "../config/model.ts";
import { errorPage } from "../front/error-page.ts";
import { fieldValue, pathUrl, urlValue } from "../front/field-value.ts";
import { originOf } from "../front/returned.ts";
import { SERVER } from "../http/answer.ts";
import { formatHttpDate } from "../wire/http-date.ts";
import { askedRange, type ByteRange, fileEtag, type HeaderReader, preconditionStatus } from "./conditions.ts";
import { Disk, type Found, type FoundFile } from "./disk.ts";
import { compilePlace, fallbackPlace, type Place, type PlaceFinder } from "./folder.ts";
import { listFolder } from "./listing.ts";

/** A file's head, made once as long as the file stays the same. */
interface Head {
  readonly etag: string;
  readonly validators: Readonly<Record<string, string>>;
  readonly type: string;
  readonly whole: ResponseInit;
}

export class FilesEndpoint {
  readonly #location: LocationConfig;
  readonly #index: readonly string[];
  readonly #find: PlaceFinder;
  readonly #fallback: Place | null;
  readonly #disk = new Disk();
  readonly #heads = new WeakMap<FoundFile, Head>();

  constructor(location: LocationConfig, files: FilesConfig) {
    this.#location = location;
    this.#index = files.index;
    this.#find = compilePlace(location, files);
    this.#fallback = fallbackPlace(files);
  }

  handle(located: LocatedRequest): Response | Promise<Response> {
    const { method } = located;
    if (method !== "GET" && method !== "HEAD") return errorPage(405, { Allow: "GET, HEAD" });
    const place = this.#find(located);
    if (place === null) return errorPage(404);
    const { found, index } = this.#look(place, located.path.endsWith("/"));
    if (index !== null) {
      const elsewhere = this.#indexElsewhere(located, index);
      if (elsewhere !== null) return elsewhere;
    }
    switch (found.kind) {
      case "file":
        return this.#send(located, found);
      case "folder":
        return located.path.endsWith("/")
          ? this.#list(located, place)
          : redirectInto(located, this.#location);
      case "missing":
        return this.#standIn(located);
      case "forbidden":
        return errorPage(403);
    }
  }

  /** What stands for files that are not there. */
  #standIn(located: LocatedRequest): Response {
    if (this.#fallback === null) return errorPage(404);
    const found = this.#disk.look(this.#fallback.folder, this.#fallback.file);
    return found.kind === "file" ? this.#send(located, found) : errorPage(404);
  }

  /**
   * With a slash at the end the first index file that is there stands for the folder, as if it had been asked
   * for.
   */
  #look(
    { folder, file }: Place,
    isFolder: boolean,
  ): { readonly found: Found; readonly index: string | null } {
    const found = this.#disk.look(folder, file);
    if (found.kind !== "folder" || !isFolder) return { found, index: null };
    for (const name of this.#index) {
      const index = this.#disk.look(folder, `${file}${file.endsWith("/") ? "" : "/"}${name}`);
      if (index.kind === "file" || index.kind === "forbidden") return { found: index, index: name };
    }
    return { found, index: null };
  }

  /**
   * As in nginx, an index is asked for under its own name: where another location is for that, its rules
   * hold. null: this one is.
   */
  #indexElsewhere(located: LocatedRequest, name: string): Response | Promise<Response> | null {
    const path = located.path + toBinary(name);
    if (
      located.sendOn === null ||
      located.place.search(path).index === located.place.search(located.path).index
    )
      return null;
    return located.sendOn({ kind: "path", path, query: located.rawQuery, keepsMethod: true });
  }

  #list(located: LocatedRequest, { file }: Place): Response {
    const { listing } = this.#location.fileAnswers;
    if (listing === null) return errorPage(403);
    const { text, contentType } = listFolder(file, Buffer.from(located.path, "latin1").toString(), listing);
    const body = new TextEncoder().encode(text);
    return new Response(located.method === "HEAD" ? null : body, {
      headers: { ...SERVER, "Content-Type": contentType, "Content-Length": String(body.length) },
    });
  }

  #send(located: LocatedRequest, file: FoundFile): Response {
    // What stands for an error is not what the client has asked for, and is sent whole.
    const header: HeaderReader = located.statusInstead === 0 ? (name) => located.header(name) : () => null;
    const head = this.#headOf(file);
    const { etag: hasEtag, ranges, ifModifiedSince } = this.#location.fileAnswers;
    const validators = { etag: hasEtag ? head.etag : null, mtimeSec: file.mtimeSec };
    const status = preconditionStatus(header, validators, ifModifiedSince);
    if (status === 412) return errorPage(412);
    if (status === 304) return new Response(null, { status, headers: head.validators });
    if (located.method === "HEAD") return new Response(null, head.whole);
    const range = ranges ? askedRange(header, validators, file.size) : "whole";
    if (range === "unsatisfiable") return errorPage(416, { "Content-Range": `bytes */${file.size}` });
    if (range !== "whole") return part(file, head, range);
    return new Response(wholeBody(file, header), head.whole);
  }

  #headOf(file: FoundFile): Head {
    const known = this.#heads.get(file);
    if (known !== undefined) return known;
    const etag = fileEtag(file.mtimeSec, file.size);
    // Of a file from the future it is now: never later than Date (RFC 9110 8.8.2.1).
    const modifiedSec = Math.min(file.mtimeSec, Math.floor(Date.now() / 1000));
    const { etag: hasEtag, ranges } = this.#location.fileAnswers;
    const validators = {
      ...SERVER,
      ...(hasEtag ? { ETag: etag } : {}),
      "Last-Modified": formatHttpDate(modifiedSec),
    };
    // nginx goes by the name that was asked for, not by where its links lead.
    const type = fieldValue(contentTypeOf(this.#location, file.name));
    const headers = new Headers({
      ...validators,
      "Content-Type": type,
      "Content-Length": String(file.size),
      ...(ranges ? { "Accept-Ranges": "bytes" } : {}),
    });
    const head = { etag, validators, type, whole: { headers } };
    this.#heads.set(file, head);
    return head;
  }
}

/**
 * Bun answers a Range itself where the body is a file as it is, even a range that this server has decided to
 * ignore.
 */
function wholeBody(file: FoundFile, header: HeaderReader): Uint8Array<ArrayBuffer> | Blob | ReadableStream {
  if (file.bytes !== null) return file.bytes;
  const body = Bun.file(file.path);
  return header("range") === null ? body : body.stream().pipeThrough(untilShort(file.size));
}

/** Passes a body on, and breaks the connection when it ends early: sent in chunks, it would look complete. */
function untilShort(size: number): TransformStream<Uint8Array, Uint8Array> {
  let left = size;
  return new TransformStream({
    transform(piece, to) {
      left -= piece.length;
      to.enqueue(piece);
    },
    flush(to) {
      // Without a reason: it is nobody's fault, and the runtime may print one on stderr.
      if (left > 0) to.error();
    },
  });
}

function part(file: FoundFile, { validators, type }: Head, { first, last }: ByteRange): Response {
  const end = last + 1;
  const headers = {
    ...validators,
    "Content-Type": type,
    "Content-Range": `bytes ${first}-${last}/${file.size}`,
    "Content-Length": String(end - first),
  };
  const body = file.bytes === null ? Bun.file(file.path).slice(first, end) : file.bytes.subarray(first, end);
  return new Response(body, { status: 206, headers });
}

/**
 * nginx: relative links of the index page would be wrong without the slash. The address is relative (RFC 9110
 * 10.2.2): behind a proxy neither the scheme nor the path is what the client sees. And of the path as it was
 * sent: that is what it is relative to.
 */
function redirectInto(located: LocatedRequest, location: LocationConfig): Response {
  const { rawUrlPath, rawQuery, path, moves, isInternal } = located;
  const query = rawQuery === "" ? "" : `?${rawQuery}`;
  if (isInternal || moves > 0) {
    const origin = originOf(located, location);
    return errorPage(301, { Location: `${origin}${pathUrl(path)}/${query}` });
  }
  const name = rawUrlPath.slice(rawUrlPath.lastIndexOf("/") + 1);
  return errorPage(301, { Location: `./${urlValue(name)}/${query}` });
}
