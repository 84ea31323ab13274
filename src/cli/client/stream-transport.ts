/**
 * The plain held stream from `/sub/…`: one message a line, as the default config's template writes it. For looking at what
 * curl would see; it knows no positions, so it cannot resume, and a message with line feeds comes as several.
 */
import { type ChannelRequest, channelsPath } from "./endpoint.ts";
import { tellGaps } from "./gap-head.ts";
import { networkReason, refusal, request } from "./http.ts";
import { LineSplitter } from "./line-splitter.ts";
import { readBody } from "./stream-body.ts";
import {
  type Ending,
  HANDSHAKE_MS,
  MAX_MESSAGE_BYTES,
  type Sink,
  type Transport,
  UNTOLD,
} from "./transport.ts";

/** A ping is an ordinary message of one space (push-stream spec 4.9), so a published single space is taken for one. */
const PING_BYTE = 32;

export class StreamTransport implements Transport {
  readonly name = "stream";
  readonly #base: string;
  readonly #channels: readonly ChannelRequest[];
  #begun = false;

  constructor(base: string, channels: readonly ChannelRequest[]) {
    this.#base = base;
    this.#channels = channels;
  }

  canResume(): boolean {
    return false;
  }

  retryMs(): number {
    return 0;
  }

  async connect(sink: Sink, signal: AbortSignal): Promise<Ending> {
    // Stored messages are asked for once: a second time they would be duplicates.
    const url = `${this.#base}/sub/${channelsPath(this.#channels, !this.#begun)}`;
    let response: Response;
    try {
      response = await request({ url, signal, headTimeoutMs: HANDSHAKE_MS });
    } catch (error) {
      return { kind: "unreachable", reason: networkReason(error) };
    }
    if (response.status !== 200) return await refusal(response);
    this.#begun = true;
    sink.opened();
    tellGaps(response, sink);
    const lines = new LineSplitter(MAX_MESSAGE_BYTES);
    let first = true;
    return await readBody(response, (chunk) => {
      for (const line of lines.push(chunk)) {
        // The default config's header template is an empty line, which only makes the head of the answer leave at once.
        if (!first || line.length > 0) this.#deliver(line, sink);
        first = false;
      }
    });
  }

  #deliver(line: Uint8Array, sink: Sink): void {
    if (line.length === 1 && line[0] === PING_BYTE) {
      sink.pinged();
      return;
    }
    const channel = this.#channels.length === 1 ? (this.#channels[0]?.name ?? null) : null;
    sink.delivered({ ...UNTOLD, channel, data: line });
  }
}
