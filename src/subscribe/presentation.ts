/**
 * How the answers of a location look, apart from what they say: content type, CORS, JSONP, gzip (push-stream
 * spec 4.3, 4.11, 4.12, 4.15). A held answer keeps its presentation, and all requests that look alike share
 * one, so ten thousand held ones cost nothing.
 */

import { announcedOrigin, readsCookies } from "../config/grant/allowed-origins.ts";
import { contentTypeOf } from "../config/location/content-type.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { optionalLocationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import { ANTI_CACHE, type HeaderFields, NOSNIFF } from "../http/answer.ts";
import { acceptsGzip, isGzipType } from "../http/content-coding.ts";
import { corsFields } from "../http/cors.ts";
import type { SharedInit } from "../http/direct-answer.ts";

const JSONP_TYPE = "application/javascript";
const EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8";
const METHODS = "GET";
const NO_FIELDS: HeaderFields = {};

export class Presentation {
  /** Headers of every answer with a content type: anti-cache, CORS, type. */
  readonly fields: HeaderFields;
  /** Name of the JSONP callback, which may be empty; null: no JSONP. */
  readonly callback: string | null;
  readonly isGzip: boolean;
  #heldInit: SharedInit | null = null;

  constructor(type: string, more: HeaderFields, callback: string | null, isGzip: boolean) {
    this.fields = { "Content-Type": type, ...ANTI_CACHE, ...more };
    this.callback = callback;
    this.isGzip = isGzip;
  }

  /** The same with one more field, for one answer. */
  heldInitWith(name: string, value: string): SharedInit {
    const headers = new Headers(this.heldInit.headers);
    headers.set(name, value);
    return { headers };
  }

  /**
   * Head of a held stream. One Headers object for all: a literal is read anew, strings and all, for each of
   * ten thousand responses.
   */
  get heldInit(): SharedInit {
    // X-Accel-Buffering: an nginx in front must not hold the stream back.
    const coding = this.isGzip ? { "Content-Encoding": "gzip" } : NO_FIELDS;
    this.#heldInit ??= { headers: new Headers({ ...this.fields, "X-Accel-Buffering": "no", ...coding }) };
    return this.#heldInit;
  }
}

export class Presenter {
  readonly #location: LocationConfig;
  readonly #heldType: string | null;
  readonly #allowedOrigins: CompiledValue | null;
  /** Those of the last origin: nearly always it is a constant. */
  #origin = "";
  #cors = NO_FIELDS;
  readonly #known = new Map<string, Presentation>();

  constructor(location: LocationConfig, isEventSource: boolean) {
    this.#location = location;
    this.#heldType = isEventSource ? EVENT_STREAM_TYPE : null;
    const allowed = optionalLocationValue(location, location.allowedOrigins);
    this.#allowedOrigins = allowed === null ? null : announcedOrigin(location, allowed);
  }

  /** The CORS headers of every answer to this request; none when there are none. */
  cors(located: LocatedRequest): HeaderFields {
    if (this.#allowedOrigins === null) return NO_FIELDS;
    const origin = this.#allowedOrigins(located);
    if (origin !== this.#origin) {
      this.#origin = origin;
      this.#cors = corsFields(origin, METHODS, this.#location.moduleFields, readsCookies(this.#location));
      this.#known.clear();
    }
    return this.#cors;
  }

  /**
   * For streams and waiting long polls, which on an eventsource location have its type; `callback` as in
   * Presentation.
   */
  held(located: LocatedRequest, callback: string | null): Presentation {
    const type = this.#heldType ?? contentTypeOf(this.#location, located.path);
    return this.#of(type, located, callback);
  }

  /** For polls, and long polls that are answered at once. */
  immediate(located: LocatedRequest, callback: string | null): Presentation {
    return this.#of(contentTypeOf(this.#location, located.path), located, callback);
  }

  #of(type: string, located: LocatedRequest, callback: string | null): Presentation {
    const cors = this.cors(located);
    const { gzip } = this.#location;
    // What came through a proxy stays plain (gzip_proxied off).
    const isGzip =
      gzip !== null &&
      acceptsGzip(located.header("accept-encoding")) &&
      located.header("via") === null &&
      isGzipType(gzip.types, callback === null ? type : JSONP_TYPE);
    const more = this.#location.nosniff ? { ...NOSNIFF, ...cors } : cors;
    if (callback !== null) return new Presentation(JSONP_TYPE, more, callback, isGzip);
    const look = isGzip ? `gzip ${type}` : type;
    const known = this.#known.get(look);
    if (known !== undefined) return known;
    const made = new Presentation(type, more, null, isGzip);
    this.#known.set(look, made);
    return made;
  }
}
