/**
 * The headers of a publisher location's answers, made once per value of `allowed_origins`: publishing is the
 * hot path, and Bun copies a Headers object three times faster than it reads a literal (300 of 900 ns).
 * Called by endpoint.ts at the start of each request.
 */

import { announcedOrigin, readsCookies } from "../config/grant/allowed-origins.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { CompiledValue, RequestFacts } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";
import { ANTI_CACHE, type HeaderFields, NOSNIFF } from "../http/answer.ts";
import { corsFields } from "../http/cors.ts";
import { type Answer, SharedAnswer, type SharedInit } from "../http/direct-answer.ts";

export class HeaderSet {
  /** Beside the anti-cache headers: those of CORS, or none (push-stream spec 4.11). */
  readonly fields: HeaderFields;
  /** Of an answer 200 without a body. */
  readonly empty: SharedInit;
  /** The same where the door writes it itself. */
  readonly emptyAnswer: Answer;
  readonly #byType = new Map<string, SharedInit>();

  readonly #typed: HeaderFields;

  /** `typed`: beside those, of answers that have a content type. */
  constructor(fields: HeaderFields, typed: HeaderFields) {
    this.fields = fields;
    this.#typed = typed;
    this.empty = { headers: new Headers({ ...ANTI_CACHE, "Content-Length": "0", ...fields }) };
    this.emptyAnswer = new SharedAnswer(this.empty, null);
  }

  ofType(contentType: string): SharedInit {
    const known = this.#byType.get(contentType);
    if (known !== undefined) return known;
    const made = {
      headers: new Headers({ "Content-Type": contentType, ...ANTI_CACHE, ...this.#typed, ...this.fields }),
    };
    this.#byType.set(contentType, made);
    return made;
  }
}

export class AnswerHeaders {
  readonly #origin: CompiledValue | null;
  readonly #methods: string;
  readonly #isModules: boolean;
  readonly #hasCookies: boolean;
  /**
   * One entry is enough: the value is a constant almost everywhere, and clients of one page have one origin.
   */
  #lastOrigin = "";
  #last: HeaderSet;
  readonly #typed: HeaderFields;

  constructor(location: LocationConfig, methods: string) {
    const { allowedOrigins, nosniff, moduleFields } = location;
    this.#isModules = moduleFields;
    this.#hasCookies = readsCookies(location);
    this.#typed = nosniff ? NOSNIFF : {};
    this.#last = new HeaderSet({}, this.#typed);
    this.#origin =
      allowedOrigins === null ? null : announcedOrigin(location, rawLocationValue(location, allowedOrigins));
    this.#methods = methods;
  }

  of(facts: RequestFacts): HeaderSet {
    if (this.#origin === null) return this.#last;
    const origin = this.#origin(facts);
    if (origin !== this.#lastOrigin) {
      this.#last = new HeaderSet(
        corsFields(origin, this.#methods, this.#isModules, this.#hasCookies),
        this.#typed,
      );
      this.#lastOrigin = origin;
    }
    return this.#last;
  }
}
