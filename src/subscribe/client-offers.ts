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
import type { NamedChannel } from "../store/channel/channel-ref.ts";
import type { Ref } from "../wire/client-frame.ts";
import { positionOf, tellPublished, tellRefused, tellRun } from "./client-answers.ts";
import type { Offerer, Published, RunMessage, SaidMessage } from "./hub.ts";
import { JudgedMessages, judgeNothing } from "./judged-messages.ts";
import { channelNamed, isSame, namesOf, onlyChannel, type Publishing, type Speaker } from "./speaker.ts";
import type { WebSocketEndpoint } from "./websocket.ts";

/** What its client knows a message by. */
export interface Sender {
  /** Not null: it is answered. */
  readonly ref: Ref;
  readonly key: SaidMessage["key"];
  readonly trace: Uint8Array | null;
}

export class ClientOffers implements Offerer {
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

  /** `data`: to stay as it is until the run ends. */
  offer(wanted: Uint8Array | null, data: Uint8Array, sender: Sender): void {
    const { run } = this.#endpoint.hub.clients;
    const channel = this.#channel(wanted);
    const refusal = channel !== null && "status" in channel ? channel : this.#leaseRefusal(channel);
    if (refusal !== null || (channel !== null && "status" in channel)) {
      run.end();
      tellRefused(this.#endpoint.hub, this.#speaker, refusal ?? Refusals.noChannel, sender.ref);
    } else if (channel === null || !this.#isInRun(channel, data, sender)) {
      run.end();
      this.#offerAlone(channel === null ? namesOf(this.#speaker) : [channel.name], data, sender);
    }
  }

  /**
   * Where a message goes: to the channel that the client names, else to that of the location's option, else
   * to all (null, unless it is in one alone). Never beyond the channels of the connection, which a guard may
   * have judged, and never to another than the option's.
   */
  #channel(wanted: Uint8Array | null): NamedChannel | Refusal | null {
    const { only } = this.#terms;
    if (only === null && wanted === null) return onlyChannel(this.#speaker);
    const [option] = only ?? [];
    if (only !== null && option === undefined) return Refusals.noChannel;
    const name = wanted ?? option;
    if (name === undefined || (option !== undefined && !isSame(option, name)))
      return FrameRefusals.foreignChannel;
    return channelNamed(this.#speaker, name) ?? FrameRefusals.foreignChannel;
  }

  #leaseRefusal(channel: NamedChannel | null): Refusal | null {
    const { lease } = this.#terms;
    return lease?.refusalOf(channel === null ? namesOf(this.#speaker) : [channel.name]) ?? null;
  }

  /** False: it is not like most, or something before it has to wait. */
  #isInRun(channel: NamedChannel, data: Uint8Array, { ref, key, trace }: Sender): boolean {
    if (key !== null || this.#terms.judge !== null || this.#judged?.isIdle === false) return false;
    const { hub, location } = this.#endpoint;
    const { run } = hub.clients;
    const by = this.#terms.lease?.sub ?? null;
    if (!run.add(this, channel, data, location.storeMessages, by, trace, ref)) return false;
    // Behind one that is not published nothing may be.
    if (this.#speaker.protocol === "template") run.end();
    return true;
  }

  settled(run: readonly RunMessage[], to: number, onDisk: Promise<boolean> | null): void {
    for (let at = 0; at < to; at++) {
      const message = run[at];
      if (message === undefined) break;
      const { ref } = message;
      if (!message.isIn) this.#notPublished(Refusals.noRoom, ref);
      else if (ref !== null && onDisk === null) at = tellRun(this.#speaker, run, at, to) - 1;
      else if (ref !== null) void this.#publishedOnDisk(onDisk, { position: positionOf(message) }, ref);
    }
  }

  unsettled({ name, data, ref, trace }: RunMessage): void {
    this.#offerAlone([name], data, { ref, key: null, trace });
  }

  #offerAlone(names: readonly Uint8Array[], said: Uint8Array, sender: Sender): void {
    // Its own: it may have to wait.
    const data = new Uint8Array(said);
    const draft = { data, eventId: null, eventType: null, trace: sender.trace };
    if (this.#judged !== null) {
      this.#judged.offer(names, draft, sender);
      return;
    }
    const late = this.#publish(names, draft, sender);
    // What it sends from now on has to stay behind this one.
    if (late !== null) this.#judged = this.#judgedBy(judgeNothing, late);
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
    const outcome = hub.clients.publish(names, said);
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
