/**
 * The fields of a poll's answer: the position as time and tag, what is missing, and the 304 that has nothing
 * else. Used by poll.ts, one for each of its locations.
 */
import type { HeaderFields } from "../http/answer.ts";
import { gapField, type Missing } from "../wire/gap-field.ts";
import { formatHttpDate } from "../wire/http-date.ts";
import type { Asked } from "./asked.ts";
import type { Mark } from "./poll-reading.ts";
import type { Presentation } from "./presentation.ts";

export class PollFields {
  readonly #hasModuleFields: boolean;
  readonly #gapTold: (count: number) => void;

  constructor(hasModuleFields: boolean, gapTold: (count: number) => void) {
    this.#hasModuleFields = hasModuleFields;
    this.#gapTold = gapTold;
  }

  of({ time, tag }: Mark, { fields }: Presentation, missing: readonly Missing[]): HeaderFields {
    const all = { ...fields, ...dated(time), Etag: this.#entityTag(Math.max(tag, 0)) };
    return this.#withGap(all, missing);
  }

  /** RFC 9110 8.8.3 wants quotes; the module has none (push-stream spec 4.12 (8)). Both are read. */
  #entityTag(tag: number): string {
    return this.#hasModuleFields ? `W/${tag}` : `W/"${tag}"`;
  }

  #withGap(fields: HeaderFields, missing: readonly Missing[]): HeaderFields {
    const gap = gapField(missing);
    if (gap === null) return fields;
    this.#gapTold(missing.length);
    return { ...fields, "Sluice-Gap": gap };
  }

  notModified(asked: Asked, { fields }: Presentation, missing: readonly Missing[]): Response {
    const all: Record<string, string> = { ...fields, "Content-Length": "0" };
    // The module says what it was asked for, whatever that was. A time to come is none that anything was
    // modified at.
    const isEchoed = this.#hasModuleFields || (asked.time ?? 0) <= nowSec();
    if (asked.time !== null && asked.time > 0 && isEchoed) all["Last-Modified"] = formatHttpDate(asked.time);
    if (asked.tag !== null) all["Etag"] = this.#entityTag(asked.tag);
    return new Response(null, { status: 304, headers: this.#withGap(all, missing) });
  }
}

/** Bun renews its Date once a second. */
const DATE_LAGS_SEC = 2;

/**
 * Last-Modified, which must not be later than Date (RFC 9110 8.8.2.1): the time of a message of this second
 * is, when Bun's Date is of the last one, and so is that of any message after the clock was set back. It is a
 * position, so it is the Date that gives way.
 */
function dated(sec: number): HeaderFields {
  const modified = formatHttpDate(sec);
  const now = nowSec();
  if (sec < now - DATE_LAGS_SEC) return { "Last-Modified": modified };
  return { "Last-Modified": modified, Date: sec >= now ? modified : formatHttpDate(now) };
}

export const nowSec = (): number => Math.floor(Date.now() / 1000);
