/**
 * Long polling: one request after another, each answered by the next message. Resumes by Last-Modified and Etag, sent back as
 * If-Modified-Since and If-None-Match (push-stream spec 4.12).
 *
 * Asks the eventsource location in long-polling mode (spec 4.2, X-Nginx-PushStream-Mode) and not `/lp/`: an answer may carry
 * several stored messages, and with the plain template of `/lp/` nothing says where one ends and the next begins.
 */
import { type ChannelRequest, channelsPath } from "./endpoint.ts";
import { EventStreamParser, type ServerEvent } from "./event-source.ts";
import { tellGaps } from "./gap-head.ts";
import { networkReason, refusal, request } from "./http.ts";
import { pause } from "./pause.ts";
import { deliverEvent } from "./sse-transport.ts";
import { BODY_COMPLETE, readBody } from "./stream-body.ts";
import { broken, closed, type Ending, MAX_MESSAGE_BYTES, type Sink, type Transport } from "./transport.ts";

/** A server that answers at once with nothing to say (a polling location, a broken proxy) is asked no more often than this. */
const EMPTY_ANSWER_PAUSE_MS = 1_000;
/** A poll that is not refused within this time stands. */
const STANDING_MS = 250;
/** What a held event costs besides its data, so that a flood of empty ones is bounded as well. */
const EVENT_OVERHEAD_BYTES = 256;

interface PollPosition {
  readonly modified: string;
  readonly etag: string;
}

export class LongPollTransport implements Transport {
  readonly name = "long-poll";
  readonly #base: string;
  readonly #channels: readonly ChannelRequest[];
  #position: PollPosition | null = null;

  constructor(base: string, channels: readonly ChannelRequest[]) {
    this.#base = base;
    this.#channels = channels;
  }

  canResume(): boolean {
    return this.#position !== null;
  }

  retryMs(): number {
    return 0;
  }

  /** Polls until something goes wrong; `opened` is told once, although each poll is a request of its own. */
  async connect(sink: Sink, signal: AbortSignal): Promise<Ending> {
    const opened = new Once(() => sink.opened());
    while (!signal.aborted) {
      const startedMs = performance.now();
      // A held poll has no answer yet, so "subscribed" is concluded from the absence of a refusal.
      const timer = setTimeout(() => opened.run(), STANDING_MS);
      const outcome = await this.#poll(sink, signal, opened);
      clearTimeout(timer);
      if (typeof outcome !== "number") return outcome;
      const quick = performance.now() - startedMs < EMPTY_ANSWER_PAUSE_MS;
      if (outcome === 0 && quick) await pause(EMPTY_ANSWER_PAUSE_MS, signal);
    }
    return closed("stopped");
  }

  /** One request. A number: how many messages the answer had. */
  async #poll(sink: Sink, signal: AbortSignal, opened: Once): Promise<Ending | number> {
    const url = `${this.#base}/ev/${channelsPath(this.#channels, !this.canResume())}`;
    let response: Response;
    try {
      response = await request({ url, headers: this.#headers(), signal, headTimeoutMs: 0 });
    } catch (error) {
      const reason = networkReason(error);
      return opened.done ? closed(reason) : { kind: "unreachable", reason };
    }
    if (response.status !== 200 && response.status !== 304) return await refusal(response);
    const answered = pollPosition(response);
    if (answered === null && response.status === 200) {
      await response.body?.cancel();
      return broken(`${url} answered without Last-Modified and Etag: it is no long-polling location.`);
    }
    opened.run();
    tellGaps(response, sink);
    if (response.status === 304) {
      // "now, tag 0" (spec 4.10): good as a beginning, but a position we have is never traded for it, since in that very second
      // it would bring back what was delivered.
      this.#position ??= answered;
      return 0;
    }
    const result = await this.#read(response, sink);
    // Only now: an answer that was cut is asked for again.
    if (typeof result === "number") this.#position = answered;
    return result;
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { "X-Nginx-PushStream-Mode": "long-polling" };
    if (this.#position !== null) {
      headers["If-Modified-Since"] = this.#position.modified;
      headers["If-None-Match"] = this.#position.etag;
    }
    return headers;
  }

  /**
   * Tells the messages when the answer is complete: told earlier and then cut, they would come again with the next poll, as the
   * position covers the whole answer. An answer too large to hold is told as it comes.
   */
  async #read(response: Response, sink: Sink): Promise<Ending | number> {
    const channel = this.#channels.length === 1 ? (this.#channels[0]?.name ?? null) : null;
    let held: { readonly event: ServerEvent; readonly id: string }[] = [];
    let heldBytes = 0;
    let count = 0;
    const tellHeld = () => {
      for (const { event, id } of held) deliverEvent(event, id, channel, sink);
      held = [];
      heldBytes = 0;
    };
    const visitor = {
      event: (event: ServerEvent) => {
        count++;
        held.push({ event, id: parser.lastEventId });
        heldBytes += event.data.length + EVENT_OVERHEAD_BYTES;
        if (heldBytes > MAX_MESSAGE_BYTES) tellHeld();
      },
      // Header and footer templates; long polls are never pinged (spec 4.9).
      comment: () => undefined,
    };
    const parser = new EventStreamParser(visitor, MAX_MESSAGE_BYTES);
    const ending = await readBody(response, (chunk) => parser.push(chunk));
    if (ending !== BODY_COMPLETE) return ending;
    tellHeld();
    return count;
  }
}

/** Runs something the first time only. */
class Once {
  done = false;
  readonly #action: () => void;
  constructor(action: () => void) {
    this.#action = action;
  }
  run(): void {
    if (this.done) return;
    this.done = true;
    this.#action();
  }
}

function pollPosition(response: Response): PollPosition | null {
  const modified = response.headers.get("Last-Modified");
  const etag = response.headers.get("Etag");
  return modified === null || etag === null ? null : { modified, etag };
}
