/**
 * What a WebSocket client says: messages for channels of its connection. Reads the publish frames of our
 * subprotocols, chooses the channels, has hooks judge, publishes, and tells what was refused. Made by
 * socket-peer.ts for sockets that say something; most never do.
 *
 * A client of our subprotocols is told of each message that was not published, and goes on. The dialect has
 * no words for it, so its sockets are closed with the reason instead, and what they sent behind it is not
 * published either.
 */

import type { HookRefusal, Judge, Lease, OfferedDraft } from "../front/location-hooks.ts";
import { CloseCode } from "../http/close-codes.ts";
import { Refusals } from "../http/errors.ts";
import { FrameRefusals } from "../http/frame-refusals.ts";
import type { Refusal } from "../http/refusal.ts";
import { MAX_KEY_BYTES } from "../message.ts";
import {
  type ClientFrame,
  type ClientFrames,
  type FaultyFrame,
  jsonAnswer,
  msgpackAnswer,
  type PublishFrame,
  type Ref,
  readJsonFrame,
  readMsgpackFrame,
  type SubscribeFrame,
  type TokenFrame,
  type UnsubscribeFrame,
} from "../wire/client-frame.ts";
import { closeCode, closeReason } from "../wire/close-reason.ts";
import { readPlainFrame } from "../wire/plain-frame.ts";
import { type Adding, ChannelFrames, type Holder } from "./channel-frames.ts";
import type { Published, SaidMessage } from "./hub.ts";
import { JudgedMessages, judgeNothing } from "./judged-messages.ts";
import type { Protocol } from "./socket-peer.ts";
import type { WebSocketEndpoint } from "./websocket.ts";

/** The socket, as far as it is spoken to here. */
export interface Speaker {
  readonly protocol: Protocol;
  /** Itself, if channels can come and go. */
  readonly holder: Holder | null;
  /** Channels of the connection, at the moment. */
  names(): readonly Uint8Array[];
  say(payload: string | Uint8Array): void;
  /** Leaves the channels and closes. */
  end(code: number, reason?: string): void;
}

/** How a location publishes what clients say. */
export interface Publishing {
  /** null: messages are published as they are. */
  readonly judge: Judge | null;
  /**
   * The channel that `websocket_publish_channel` names, alone or none at all; null: there is no such option.
   */
  readonly only: readonly Uint8Array[] | null;
  /** What the client may do by its grant; null: nobody asked for one. */
  readonly lease: Lease | null;
  /** How channels are added; null: not at all. */
  readonly adding: Adding | null;
}

/** As most locations have it: to all channels, and no hook judges them. */
export const AS_IT_IS: Publishing = { judge: null, only: null, lease: null, adding: null };
const NO_FRAME: FaultyFrame = {
  kind: "faulty",
  ref: null,
  fault: "That is no frame that a client may send.",
};

/** What its client knows a message by. */
interface Sender {
  /** Not null: it is answered. */
  readonly ref: Ref;
  readonly key: SaidMessage["key"];
  readonly trace: Uint8Array | null;
}

const NOBODY: Sender = { ref: null, key: null, trace: null };

/** What is done with each kind of frame. */
type Actions = {
  readonly [Kind in keyof ClientFrames]: (of: ClientMessages, frame: ClientFrames[Kind]) => void;
};

export class ClientMessages {
  static readonly #ACTIONS: Actions = {
    publish: (of, frame) => of.#publishFrame(frame),
    token: (of, frame) => void of.#renew(frame),
    subscribe: (of, frame) => of.#channelFrames(frame),
    unsubscribe: (of, frame) => of.#channelFrames(frame),
    faulty: (of, { fault, ref }) => of.#refused({ ...FrameRefusals.faultyFrame, explain: fault }, ref),
  };

  readonly #endpoint: WebSocketEndpoint;
  readonly #speaker: Speaker;
  readonly #only: Publishing["only"];
  readonly #lease: Lease | null;
  readonly #adding: Adding | null;
  #changes: ChannelFrames | null = null;
  #isRenewing = false;
  #judged: JudgedMessages<Sender> | null = null;

  constructor(endpoint: WebSocketEndpoint, speaker: Speaker, { judge, only, lease, adding }: Publishing) {
    this.#adding = adding;
    this.#endpoint = endpoint;
    this.#speaker = speaker;
    this.#only = only;
    this.#lease = lease;
    if (judge !== null) this.#judged = this.#judgedBy(judge);
  }

  take(message: string | Uint8Array): void {
    const { hub, location } = this.#endpoint;
    const mayPublish = location.websocketAllowPublish;
    // The listener may take more, for somebody else.
    if (mayPublish && isLonger(message, hub.maxFrameBytes)) {
      this.#speaker.end(CloseCode.TOO_BIG);
      return;
    }
    const frame = this.#frameOf(message);
    if (frame !== null) this.#act(frame.kind, frame);
    // Texts are ignored where nothing can be published (spec 4.13.5); whoever sends a frame wants an answer.
    else if (mayPublish) this.#offer(null, Buffer.from(message), NOBODY);
  }

  /** A text of sluice.json.v1 as it came. False: it is to come as text. Nothing of the bytes is kept. */
  takeBytes(bytes: Uint8Array): boolean {
    if (bytes.length > this.#endpoint.hub.maxFrameBytes) return false;
    const frame = readPlainFrame(bytes);
    if (frame === null) return false;
    this.#publishFrame(frame);
    return true;
  }

  /** The socket stands nowhere any more. */
  left(): void {
    this.#changes?.left();
  }

  #act<Kind extends keyof ClientFrames>(kind: Kind, frame: ClientFrames[Kind]): void {
    ClientMessages.#ACTIONS[kind](this, frame);
  }

  #publishFrame({ channel, data, ref, key, trace }: PublishFrame): void {
    if (!this.#endpoint.location.websocketAllowPublish) this.#refused(FrameRefusals.noPublishing, ref);
    else if (data.length === 0) this.#refused(Refusals.emptyMessage, ref);
    else if (key !== null && (key.length === 0 || key.length > MAX_KEY_BYTES))
      this.#refused(Refusals.faultyKey, ref);
    else this.#offer(channel, data, { ref, key: key === null ? null : { bytes: key, sent: data }, trace });
  }

  #channelFrames(frame: SubscribeFrame | UnsubscribeFrame): void {
    const { holder } = this.#speaker;
    if (this.#adding === null || holder === null) {
      this.#refused({ ...FrameRefusals.noSubscribing, close: false }, frame.ref);
      return;
    }
    this.#changes ??= new ChannelFrames(this.#endpoint, holder, this.#lease, this.#adding, (refusal, ref) =>
      this.#refused({ ...refusal, close: false }, ref),
    );
    this.#changes.take(frame);
  }

  /** A client that would outlive its token sends the next one. One at a time: each costs a signature. */
  async #renew({ token, ref }: TokenFrame): Promise<void> {
    if (this.#lease === null || this.#isRenewing) {
      const refusal = this.#isRenewing ? Refusals.accessBusy : FrameRefusals.noTokens;
      this.#refused({ ...refusal, close: false }, ref);
      return;
    }
    this.#isRenewing = true;
    const outcome = await this.#lease.renew(token, this.#speaker.names());
    this.#isRenewing = false;
    // The connection goes on as it is: with the grant it has, for as long as that counts.
    if ("status" in outcome) this.#refused({ ...outcome, close: false }, ref);
    else this.#answer({ kind: "token", ref, expires: outcome.expiresSec });
  }

  /** null: the message is what came, as it is. */
  #frameOf(message: string | Uint8Array): ClientFrame | null {
    if (typeof message !== "string") return readMsgpackFrame(message) ?? NO_FRAME;
    return this.#speaker.protocol === "json" ? readJsonFrame(message) : null;
  }

  /** The dialect has no words for it. */
  #answer(map: Readonly<Record<string, unknown>>): void {
    const { protocol } = this.#speaker;
    if (protocol === "json") this.#speaker.say(jsonAnswer(map));
    else if (protocol === "msgpack") this.#speaker.say(msgpackAnswer(map));
  }

  #offer(channel: Uint8Array | null, data: Uint8Array, sender: Sender): void {
    const names = this.#channels(channel);
    const refusal = "status" in names ? names : (this.#lease?.refusalOf(names) ?? null);
    if (refusal !== null || "status" in names) {
      this.#refused(refusal ?? Refusals.noChannel, sender.ref);
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
    if (this.#only === null && wanted === null) return standing;
    if (this.#only?.length === 0) return Refusals.noChannel;
    const [only] = this.#only ?? [];
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
      if (ref !== null) this.#refused(Refusals.noChannel, ref);
      return null;
    }
    const { data, eventId, eventType } = draft;
    const { storeMessages: stored } = location;
    const by = this.#lease?.sub ?? null;
    const said = { data, eventId, eventType, stored, key, isTold: ref !== null, by, trace };
    const outcome = hub.publishFrom(names, said);
    if (outcome instanceof Promise) return outcome.then((published) => this.#published(published, ref));
    this.#published(outcome, ref);
    return null;
  }

  #published({ refusal, where, onDisk }: Published, ref: Ref): void {
    if (refusal !== null) this.#notPublished(refusal, ref);
    else if (ref !== null && onDisk === null) this.#told(where, ref);
    else if (ref !== null) void this.#publishedOnDisk(onDisk, where, ref);
  }

  /** Nobody is told that something is done before that is on the disk; those behind it do not wait. */
  async #publishedOnDisk(
    onDisk: Promise<boolean> | null,
    where: Published["where"],
    ref: Ref,
  ): Promise<void> {
    if ((await onDisk) === false) this.#notPublished(Refusals.internal, ref);
    else this.#told(where, ref);
  }

  /** Most of what is said here: without making an object to make text of. */
  #told(where: Published["where"], ref: Ref): void {
    const { position } = where;
    if (this.#speaker.protocol === "json" && typeof ref === "number" && isAlone(where))
      this.#speaker.say(`{"kind":"published","ref":${ref},"position":"${position}"}`);
    else this.#answer({ kind: "published", ref, ...where });
  }

  /** What is no fault, and nothing that passes, is of this message alone. */
  #notPublished(refusal: Refusal, ref: Ref): void {
    if (this.#speaker.protocol !== "template") {
      if (!this.#refused({ ...refusal, close: refusal.status >= 500 }, ref)) this.#judged?.stop();
      return;
    }
    this.#judged?.stop();
    this.#speaker.end(refusal === Refusals.busy ? CloseCode.TRY_AGAIN : CloseCode.INTERNAL);
  }

  /** Tells it, and whether the connection goes on. */
  #refused(refusal: HookRefusal, ref: Ref): boolean {
    const { hub } = this.#endpoint;
    const { code, status, explain } = refusal;
    hub.store.counters.addRefusal(hub.slot, status);
    this.#answer({ kind: "refused", ref, status, code, explain });
    const isOver = refusal.close ?? this.#speaker.protocol === "template";
    if (isOver) this.#speaker.end(closeCode(refusal), closeReason(refusal));
    return !isOver;
  }

  #judgedBy(judge: Judge, before: Promise<void> | null = null): JudgedMessages<Sender> {
    const outcome = {
      publish: (names: readonly Uint8Array[], draft: OfferedDraft, sender: Sender) =>
        this.#publish(names, draft, sender),
      refuse: (refusal: HookRefusal, { ref }: Sender) => this.#refused(refusal, ref),
      overrun: () => this.#speaker.end(CloseCode.TRY_AGAIN),
    };
    return new JudgedMessages(judge, outcome, before);
  }
}

/** Whether the location's option names a channel of the connection, if it names any. */
export const isAmong = (
  only: Publishing["only"],
  standing: readonly { readonly name: Uint8Array }[],
): boolean => only === null || only.every((name) => standing.some((each) => isSame(each.name, name)));

/** One position, which needs no quoting, and nothing else. */
const isAlone = ({ position, duplicate }: Published["where"]): boolean =>
  typeof position === "string" && duplicate === undefined;

/** As bytes; a text of n units has n to 3n of them. */
const isLonger = (message: string | Uint8Array, bytes: number): boolean =>
  message.length > bytes ||
  (typeof message === "string" && 3 * message.length > bytes && Buffer.byteLength(message) > bytes);

const isSame = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;
