/**
 * Server-Sent Events from `/ev/…`. Resumes by Last-Event-Id, as a browser's EventSource does: with `event_ids = "auto"` every
 * message carries a position token that covers all channels of the connection.
 */
import { parsePosition } from "../../wire/position.ts";
import { type ChannelRequest, channelsPath } from "./endpoint.ts";
import { EventStreamParser, type ServerEvent } from "./event-source.ts";
import { tellGaps } from "./gap-head.ts";
import { networkReason, refusal, request } from "./http.ts";
import { readBody } from "./stream-body.ts";
import {
  broken,
  type Ending,
  HANDSHAKE_MS,
  MAX_MESSAGE_BYTES,
  type Sink,
  type Transport,
  UNTOLD,
} from "./transport.ts";

export class SseTransport implements Transport {
  readonly name = "sse";
  readonly #base: string;
  readonly #channels: readonly ChannelRequest[];
  #lastEventId = "";
  #retryMs = 0;

  constructor(base: string, channels: readonly ChannelRequest[]) {
    this.#base = base;
    this.#channels = channels;
  }

  canResume(): boolean {
    return this.#lastEventId !== "";
  }

  retryMs(): number {
    return this.#retryMs;
  }

  async connect(sink: Sink, signal: AbortSignal): Promise<Ending> {
    const url = `${this.#base}/ev/${channelsPath(this.#channels, this.#lastEventId === "")}`;
    const headers: Record<string, string> = { Accept: "text/event-stream", "Cache-Control": "no-cache" };
    if (this.#lastEventId !== "") {
      headers["Last-Event-Id"] = Buffer.from(this.#lastEventId, "utf8").toString("latin1");
    }
    let response: Response;
    try {
      response = await request({ url, headers, signal, headTimeoutMs: HANDSHAKE_MS });
    } catch (error) {
      return { kind: "unreachable", reason: networkReason(error) };
    }
    if (response.status !== 200) return await refusal(response);
    const type = response.headers.get("Content-Type") ?? "";
    if (!type.startsWith("text/event-stream")) {
      await response.body?.cancel();
      return broken(`${url} answered ${type || "without a content type"} instead of text/event-stream.`);
    }
    sink.opened();
    tellGaps(response, sink);
    return await this.#read(response, sink);
  }

  async #read(response: Response, sink: Sink): Promise<Ending> {
    const visitor = {
      event: (event: ServerEvent) => deliverEvent(event, parser.lastEventId, this.#onlyChannel(), sink),
      comment: (text: string) => {
        if (text === PING_COMMENT) sink.pinged();
      },
    };
    const parser = new EventStreamParser(visitor, MAX_MESSAGE_BYTES, this.#lastEventId);
    return await readBody(response, (chunk) => {
      parser.push(chunk);
      this.#lastEventId = parser.lastEventId;
      this.#retryMs = parser.retryMs ?? this.#retryMs;
    });
  }

  #onlyChannel(): string | null {
    return this.#channels.length === 1 ? (this.#channels[0]?.name ?? null) : null;
  }
}

/** The server's ping is exactly `: -1` (push-stream spec 4.9); any other comment is a header or footer template. */
const PING_COMMENT = " -1";

const OPENING = "position";

/**
 * Tells the sink what an event is: `event: gap` (data `{"channel":…,"missed":…}`) or a message. The server's word that a channel
 * was deleted is a message as well: nothing in its bytes sets it apart (spec 4.14), and to guess could hide a real one.
 */
export function deliverEvent(
  event: ServerEvent,
  lastEventId: string,
  channel: string | null,
  sink: Sink,
): void {
  // Where the stream begins; the parser has its id.
  if (event.type === OPENING && event.data.length === 0) return;
  const gap = event.type === "gap" ? parseGap(event.data) : null;
  if (gap !== null) {
    sink.missed(gap.channel, gap.missed);
    return;
  }
  const ownId = event.hasId ? lastEventId : "";
  const isToken = parsePosition(ownId, Number.POSITIVE_INFINITY) !== null;
  sink.delivered({
    ...UNTOLD,
    channel,
    position: isToken ? ownId : null,
    eventId: event.hasId && !isToken ? ownId : null,
    eventType: event.type === "message" ? null : event.type,
    data: event.data,
  });
}

/** Null when a publisher merely chose the event type "gap" for a message of its own. */
function parseGap(data: Uint8Array): { channel: string; missed: number | null } | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    if (typeof value !== "object" || value === null || !("channel" in value) || !("missed" in value))
      return null;
    const { channel, missed } = value;
    if (typeof channel !== "string" || (typeof missed !== "number" && missed !== null)) return null;
    return { channel, missed };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
