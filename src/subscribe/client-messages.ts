/**
 * What a WebSocket client says, frame by frame: the text of a dialect's client, or the frames of our
 * subprotocols, each brought to who acts on it: messages to client-offers.ts, channels that come and go to
 * channel-frames.ts, tokens to the grant. Made by socket-peer.ts for sockets that say something; most never
 * do.
 */

import type { HookRefusal } from "../front/location-hooks.ts";
import { CloseCode } from "../http/close-codes.ts";
import { Refusals } from "../http/errors.ts";
import { FrameRefusals } from "../http/frame-refusals.ts";
import { MAX_KEY_BYTES } from "../message.ts";
import {
  type ClientFrame,
  type ClientFrames,
  type FaultyFrame,
  type PublishFrame,
  type Ref,
  readJsonFrame,
  readMsgpackFrame,
  type SubscribeFrame,
  type TokenFrame,
  type UnsubscribeFrame,
} from "../wire/client-frame.ts";
import { readPlainFrame } from "../wire/plain-frame.ts";
import { ChannelFrames } from "./channel-frames.ts";
import { answer, tellRefused } from "./client-answers.ts";
import { ClientOffers, type Sender } from "./client-offers.ts";
import { namesOf, type Publishing, type Speaker } from "./speaker.ts";
import type { WebSocketEndpoint } from "./websocket.ts";

const NO_FRAME: FaultyFrame = {
  kind: "faulty",
  ref: null,
  fault: "That is no frame that a client may send.",
};

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
    faulty: (of, { fault, ref }) => of.#refuse({ ...FrameRefusals.faultyFrame, explain: fault }, ref),
  };

  readonly #endpoint: WebSocketEndpoint;
  readonly #speaker: Speaker;
  readonly #terms: Publishing;
  #changes: ChannelFrames | null = null;
  #isRenewing = false;
  #hasLeft = false;
  /** null: it has published nothing yet. */
  #offered: ClientOffers | null = null;

  constructor(endpoint: WebSocketEndpoint, speaker: Speaker, terms: Publishing) {
    this.#endpoint = endpoint;
    this.#speaker = speaker;
    this.#terms = terms;
  }

  take(message: string | Uint8Array): void {
    // We have ended it; the native door may still tell what came before (listen/message-turns.ts).
    if (this.#hasLeft) return;
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
    else if (mayPublish) this.#offers.offer(null, Buffer.from(message), NOBODY);
  }

  /** Only where a frame may be: it has a subprotocol, and its channels. */
  get readsBytes(): boolean {
    return this.#speaker.protocol === "json" && this.#speaker.channelAt(0) !== undefined;
  }

  /** Nearly all that is said on sluice.json.v1. False: it is to come as text. */
  takesText(bytes: Buffer, length: number): boolean {
    if (this.#hasLeft || length > this.#endpoint.hub.maxFrameBytes) return false;
    const frame = readPlainFrame(bytes, length);
    if (frame === null) return false;
    this.#publishFrame(frame);
    return true;
  }

  pieceRead(): void {
    this.#endpoint.hub.clients.run.end();
  }

  /** The socket stands nowhere any more. */
  left(): void {
    this.#hasLeft = true;
    this.#changes?.left();
  }

  #act<Kind extends keyof ClientFrames>(kind: Kind, frame: ClientFrames[Kind]): void {
    if (kind !== "publish") this.#endpoint.hub.clients.run.end();
    ClientMessages.#ACTIONS[kind](this, frame);
  }

  #publishFrame({ channel, data, ref, key, trace }: PublishFrame): void {
    if (!this.#endpoint.location.websocketAllowPublish) this.#refuse(FrameRefusals.noPublishing, ref);
    else if (data.length === 0) this.#refuse(Refusals.emptyMessage, ref);
    else if (key !== null && (key.length === 0 || key.length > MAX_KEY_BYTES))
      this.#refuse(Refusals.faultyKey, ref);
    else
      this.#offers.offer(channel, data, {
        ref,
        key: key === null ? null : { bytes: key, sent: data },
        trace,
      });
  }

  #channelFrames(frame: SubscribeFrame | UnsubscribeFrame): void {
    const { holder } = this.#speaker;
    if (this.#terms.adding === null || holder === null) {
      this.#refuse({ ...FrameRefusals.noSubscribing, close: false }, frame.ref);
      return;
    }
    this.#changes ??= new ChannelFrames(
      this.#endpoint,
      holder,
      this.#terms.lease,
      this.#terms.adding,
      (refusal, ref) => this.#refuse({ ...refusal, close: false }, ref),
    );
    this.#changes.take(frame);
  }

  /** A client that would outlive its token sends the next one. One at a time: each costs a signature. */
  async #renew({ token, ref }: TokenFrame): Promise<void> {
    if (this.#terms.lease === null || this.#isRenewing) {
      const refusal = this.#isRenewing ? Refusals.accessBusy : FrameRefusals.noTokens;
      this.#refuse({ ...refusal, close: false }, ref);
      return;
    }
    this.#isRenewing = true;
    const outcome = await this.#terms.lease.renew(token, namesOf(this.#speaker));
    this.#isRenewing = false;
    // The connection goes on as it is: with the grant it has, for as long as that counts.
    if ("status" in outcome) this.#refuse({ ...outcome, close: false }, ref);
    else answer(this.#speaker, { kind: "token", ref, expires: outcome.expiresSec });
  }

  get #offers(): ClientOffers {
    this.#offered ??= new ClientOffers(this.#endpoint, this.#speaker, this.#terms);
    return this.#offered;
  }

  #refuse(refusal: HookRefusal, ref: Ref): void {
    // It is answered behind those that came before.
    this.#endpoint.hub.clients.run.end();
    tellRefused(this.#endpoint.hub, this.#speaker, refusal, ref);
  }

  /** null: the message is what came, as it is. */
  #frameOf(message: string | Uint8Array): ClientFrame | null {
    if (typeof message !== "string") return readMsgpackFrame(message) ?? NO_FRAME;
    return this.#speaker.protocol === "json" ? readJsonFrame(message) : null;
  }
}

/** As bytes; a text of n units has n to 3n of them. */
const isLonger = (message: string | Uint8Array, bytes: number): boolean =>
  message.length > bytes ||
  (typeof message === "string" && 3 * message.length > bytes && Buffer.byteLength(message) > bytes);
