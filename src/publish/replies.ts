/**
 * What a publisher location answers where it does not do what was asked, or not yet: refusals, pages, waiting
 * for a store that is busy or for a disk. Shared by the parts of an endpoint (endpoint.ts, channel-info.ts,
 * deletion.ts).
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import { errorPage } from "../front/error-page.ts";
import { headerOnly, NO_CACHE, refuse } from "../http/answer.ts";
import type { Answer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import type { HeaderSet } from "./answer-headers.ts";
import type { Ingest } from "./ingest.ts";

export class Replies {
  readonly #ingest: Ingest;
  readonly #allow: string;

  constructor(ingest: Ingest, allow: string) {
    this.#ingest = ingest;
    this.#allow = allow;
  }

  notAllowed({ fields }: HeaderSet): Response {
    return headerOnly(405, { Allow: this.#allow, ...fields });
  }

  tooLarge(headers: HeaderSet): Response {
    return this.page(413, headers);
  }

  /** An error of nginx's core: with a body, and the connection ends. */
  page(status: number, { fields }: HeaderSet): Response {
    this.countRefusal(status);
    return errorPage(status, { ...NO_CACHE, ...fields });
  }

  refuse(refusal: Refusal, { fields }: HeaderSet): Response {
    this.countRefusal(refusal.status);
    return refuse(refusal, fields);
  }

  /**
   * What does not fit into the store is an error of nginx's core, with its page and the end of the connection
   * (spec 2.3, 6.5).
   */
  notStored(refusal: Refusal, headers: HeaderSet): Response {
    return refusal.status === 500 ? this.page(500, headers) : this.refuse(refusal, headers);
  }

  /**
   * The sender vanished, and hears no answer, or sent more than the server takes; either way nothing was
   * done.
   */
  bodyFailed(error: unknown, headers: HeaderSet): Response {
    const isTooLarge = error instanceof Error && /too large|exceed/i.test(error.message);
    return isTooLarge ? this.tooLarge(headers) : headerOnly(400, headers.fields);
  }

  /** Another process keeps the store's lock: again when it comes free, or 503. */
  async later(
    located: LocatedRequest,
    headers: HeaderSet,
    again: () => Answer | Promise<Answer>,
  ): Promise<Answer> {
    const isFree = await this.#ingest.store.patience.free(located);
    return isFree ? await again() : this.refuse(Refusals.busy, headers);
  }

  /**
   * `sync = "each"`: nobody is told that something is done before that is on the disk. Subscribers may have
   * it already.
   */
  onDisk(answer: Answer, headers: HeaderSet): Answer | Promise<Answer> {
    const { onDisk } = this.#ingest;
    return onDisk === null ? answer : this.#answerOnDisk(answer, headers, onDisk());
  }

  #answerOnDisk(answer: Answer, headers: HeaderSet, safe: Promise<boolean>): Promise<Answer> {
    return safe.then((isSafe) => (isSafe ? answer : this.page(500, headers)));
  }

  countRefusal(status: number): void {
    this.#ingest.store.counters.addRefusal(this.#ingest.slot, status);
  }
}
