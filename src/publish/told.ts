/**
 * A single message of which its publisher wants to know more, or says more, than the push stream module has
 * words for: with an idempotency key, or asked for its position by `Accept: application/vnd.sluice+json`.
 * Part of an endpoint.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { type Answer, SharedAnswer } from "../http/direct-answer.ts";
import type { Refusal } from "../http/refusal.ts";
import type { HeaderSet } from "./answer-headers.ts";
import { type Key, keyOf, keyWith } from "./idempotency.ts";
import type { Draft, Ingest, Target } from "./ingest.ts";
import { encoded, type OwnForm, ownForm, Results, typeOf } from "./own-form.ts";
import { type Place, placesOf, putAll } from "./put.ts";

export interface Wish {
  readonly key: Key | null;
  /** null: the answer is the location's usual one. */
  readonly form: OwnForm | null;
}

export class ToldPublishing {
  readonly #ingest: Ingest;
  readonly #results: Results;

  constructor(ingest: Ingest) {
    this.#ingest = ingest;
    this.#results = new Results(ingest.store);
  }

  /** null: neither, as nearly always. */
  wishOf(
    located: LocatedRequest,
    data: Uint8Array,
    eventId: Uint8Array | null,
    eventType: Uint8Array | null,
  ): Wish | Refusal | null {
    const form = ownForm(located.header("accept"));
    const bytes = keyOf(located);
    if (bytes === null) return form === null ? null : { key: null, form };
    return "status" in bytes ? bytes : { key: keyWith(bytes, data, eventId, eventType), form };
  }

  async put(
    located: LocatedRequest,
    targets: readonly Target[],
    { key }: Wish,
    draft: Draft,
  ): Promise<readonly Place[]> {
    const names = targets.map(({ name }) => name);
    // While it waits the connection may use its bytes for the next request.
    const places = placesOf(names, { ...draft, data: new Uint8Array(draft.data), key });
    await putAll(this.#ingest, places, located);
    return places;
  }

  answer(located: LocatedRequest, headers: HeaderSet, form: OwnForm, places: readonly Place[]): Answer {
    const init = headers.ofType(typeOf(form));
    const body = encoded(form, this.#results.of(places));
    return located.isDirect ? new SharedAnswer(init, body) : new Response(body, init);
  }
}
