/** Deletion of channels (push-stream spec 2.7): DELETE at an admin location. Part of an endpoint. */

import type { LocatedRequest } from "../config/location/located-request.ts";
import { headerOnly, refuse } from "../http/answer.ts";
import type { Answer } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import { BUSY } from "../store/outcome.ts";
import type { HeaderSet } from "./answer-headers.ts";
import type { AskedChannels } from "./asked-channels.ts";
import { readBody } from "./body.ts";
import type { Ingest } from "./ingest.ts";
import type { Order } from "./order.ts";
import type { Replies } from "./replies.ts";

const encoder = new TextEncoder();

export class Deletion {
  readonly #ingest: Ingest;
  readonly #asked: AskedChannels;
  readonly #replies: Replies;
  readonly #maxBodyBytes: number;
  readonly #usualText: Uint8Array;

  /** `usualText`: what subscribers are told where the request says nothing. */
  constructor(
    ingest: Ingest,
    asked: AskedChannels,
    replies: Replies,
    maxBodyBytes: number,
    usualText: string,
  ) {
    this.#ingest = ingest;
    this.#asked = asked;
    this.#replies = replies;
    this.#maxBodyBytes = maxBodyBytes;
    this.#usualText = encoder.encode(usualText);
  }

  handle(located: LocatedRequest, headers: HeaderSet, isDeclared: boolean): Answer | Promise<Answer> {
    const names = this.#asked.names(this.#asked.path(located));
    if ("status" in names) return this.#replies.refuse(names, headers);
    for (const name of names) {
      const refusal = this.#asked.refusalOf(name);
      if (refusal !== null) return this.#replies.refuse(refusal, headers);
      const index = this.#ingest.store.find(name);
      if (index >= 0 && index === this.#ingest.store.eventsChannel) {
        return this.#replies.refuse(Refusals.eventsChannelReadOnly, headers);
      }
    }
    return readBody(located, isDeclared, this.#maxBodyBytes).then(
      (body) =>
        body === "too large" ? this.#replies.tooLarge(headers) : this.#remove(located, names, body, headers),
      (error: unknown) => this.#replies.bodyFailed(error, headers),
    );
  }

  /** `before`: of this request are deleted already. */
  #remove(
    located: LocatedRequest,
    names: readonly Uint8Array[],
    body: Uint8Array,
    headers: HeaderSet,
    before = 0,
  ): Answer | Promise<Answer> {
    const text = body.length > 0 ? body : this.#usualText;
    const { order } = this.#ingest;
    if (order) return this.#removeElsewhere(order, names, text, headers);
    let deleted = 0;
    try {
      for (const [at, name] of names.entries()) {
        const outcome = this.#ingest.store.deleteChannel(name, text, Date.now());
        if (outcome === BUSY) {
          const done = before + deleted;
          const again = () => this.#remove(located, names.slice(at), body, headers, done);
          return this.#replies.later(located, headers, again);
        }
        deleted += outcome;
      }
    } catch (error) {
      // The text is larger than the store: the channel stays, and the request can be made again with less
      // (spec 2.7, 6.5).
      if (error instanceof RangeError) return this.#replies.refuse(Refusals.noRoom, headers);
      throw error;
    } finally {
      if (deleted > 0) this.#ingest.published();
    }
    if (before + deleted === 0) return headerOnly(404, headers.fields);
    return this.#replies.onDisk(refuse(Refusals.channelDeleted, headers.fields), headers);
  }

  async #removeElsewhere(
    order: Order,
    names: readonly Uint8Array[],
    text: Uint8Array,
    headers: HeaderSet,
  ): Promise<Response> {
    const { store } = this.#ingest;
    if (text.length > store.maxMessageBytes) return this.#replies.refuse(Refusals.noRoom, headers);
    const known = names.filter((name) => store.find(name) >= 0);
    if (known.length === 0) return headerOnly(404, headers.fields);
    const refusal = await order.remove(known, text);
    return this.#replies.refuse(refusal ?? Refusals.channelDeleted, headers);
  }
}
