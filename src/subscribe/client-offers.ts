/**
 * What a WebSocket client publishes: for which of its channels, judged by the location's hook, stored, and
 * answered in the order in which it was said. Made by client-messages.ts with the first message of a client.
 *
 * A client of our subprotocols is told of each message that was not published, and goes on. The dialect has
 * no words for it, so its sockets are closed with the reason instead, and what they sent behind it is not
 * published either.
 */

import type { HookRefusal, Judge, OfferedDraft } from "../front/location-hooks.ts";
import { CloseCode } from "../http/close-codes.ts";
import { Refusals } from "../http/errors.ts";
import { FrameRefusals } from "../http/frame-refusals.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Ref } from "../wire/client-frame.ts";
import { tellPublished, tellRefused } from "./client-answers.ts";
import type { Published, SaidMessage } from "./hub.ts";
import { JudgedMessages, judgeNothing } from "./judged-messages.ts";
import { isSame, type Publishing, type Speaker } from "./speaker.ts";
import type { WebSocketEndpoint } from "./websocket.ts";

/** What its client knows a message by. */
export interface Sender {
  /** Not null: it is answered. */
  readonly ref: Ref;
  readonly key: SaidMessage["key"];
  readonly trace: Uint8Array | null;
}

export class ClientOffers {
  readonly #endpoint: WebSocketEndpoint;
  readonly #speaker: Speaker;
  readonly #terms: Publishing;
  #judged: JudgedMessages<Sender> | null = null;

  constructor(endpoint: WebSocketEndpoint, speaker: Speaker, terms: Publishing) {
    this.#endpoint = endpoint;
    this.#speaker = speaker;
    this.#terms = terms;
    if (terms.judge !== null) this.#judged = this.#judgedBy(terms.judge);
  }

  offer(channel: Uint8Array | null, data: Uint8Array, sender: Sender): void {
    const names = this.#channels(channel);
    const refusal = "status" in names ? names : (this.#terms.lease?.refusalOf(names) ?? null);
    if (refusal !== null || "status" in names) {
      tellRefused(this.#endpoint.hub, this.#speaker, refusal ?? Refusals.noChannel, sender.ref);
      return;
    }
    const draft = { data, eventId: null, eventType: null, trace: sender.trace };
    if (this.#judged !== null) {
      this.#judged.offer(names, draft, sender);
      return;
    }
    const late = this.#publish(names, draft, sender);
    // What it sends from now on has to stay behind this one.
    if (late !== null) this.#judged = this.#judgedBy(judgeNothing, late);
  }

  /**
   * Where a message goes: to the channel that the client names, else to that of the location's option, else
   * to all. Never beyond the channels of the connection, which a guard may have judged, and never to another
   * than the option's.
   */
  #channels(wanted: Uint8Array | null): readonly Uint8Array[] | Refusal {
    const standing = this.#speaker.names();
    if (this.#terms.only === null && wanted === null) return standing;
    if (this.#terms.only?.length === 0) return Refusals.noChannel;
    const [only] = this.#terms.only ?? [];
    const name = wanted ?? only;
    if (name === undefined || (only !== undefined && !isSame(only, name)))
      return FrameRefusals.foreignChannel;
    // The channel's own, which others know again.
    for (const each of standing) if (isSame(each, name)) return [each];
    return FrameRefusals.foreignChannel;
  }

  #publish(
    names: readonly Uint8Array[],
    draft: OfferedDraft,
    { ref, key, trace }: Sender,
  ): Promise<void> | null {
    const { hub, location } = this.#endpoint;
    if (names.length === 0) {
      // Its last channel was deleted.
      if (ref !== null) tellRefused(this.#endpoint.hub, this.#speaker, Refusals.noChannel, ref);
      return null;
    }
    const { data, eventId, eventType } = draft;
    const { storeMessages: stored } = location;
    const by = this.#terms.lease?.sub ?? null;
    const said = { data, eventId, eventType, stored, key, isTold: ref !== null, by, trace };
    const outcome = hub.publishFrom(names, said);
    if (outcome instanceof Promise) return outcome.then((published) => this.#published(published, ref));
    this.#published(outcome, ref);
    return null;
  }

  #published({ refusal, where, onDisk }: Published, ref: Ref): void {
    if (refusal !== null) this.#notPublished(refusal, ref);
    else if (ref !== null && onDisk === null) tellPublished(this.#speaker, where, ref);
    else if (ref !== null) void this.#publishedOnDisk(onDisk, where, ref);
  }

  /** Nobody is told that something is done before that is on the disk; those behind it do not wait. */
  async #publishedOnDisk(
    onDisk: Promise<boolean> | null,
    where: Published["where"],
    ref: Ref,
  ): Promise<void> {
    if ((await onDisk) === false) this.#notPublished(Refusals.internal, ref);
    else tellPublished(this.#speaker, where, ref);
  }

  /** What is no fault, and nothing that passes, is of this message alone. */
  #notPublished(refusal: Refusal, ref: Ref): void {
    if (this.#speaker.protocol !== "template") {
      if (!tellRefused(this.#endpoint.hub, this.#speaker, { ...refusal, close: refusal.status >= 500 }, ref))
        this.#judged?.stop();
      return;
    }
    this.#judged?.stop();
    this.#speaker.end(refusal === Refusals.busy ? CloseCode.TRY_AGAIN : CloseCode.INTERNAL);
  }

  #judgedBy(judge: Judge, before: Promise<void> | null = null): JudgedMessages<Sender> {
    const outcome = {
      publish: (names: readonly Uint8Array[], draft: OfferedDraft, sender: Sender) =>
        this.#publish(names, draft, sender),
      refuse: (refusal: HookRefusal, { ref }: Sender) =>
        tellRefused(this.#endpoint.hub, this.#speaker, refusal, ref),
      overrun: () => this.#speaker.end(CloseCode.TRY_AGAIN),
    };
    return new JudgedMessages(judge, outcome, before);
  }
}
