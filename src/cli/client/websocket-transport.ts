/**
 * WebSocket from `/ws/…` with the subprotocol `sluice.json.v1`: every message comes with its channel, id and position, and
 * gaps are told. Resumes by `?eventid=<token>`. JSON and not msgpack: it needs no library at start, and bytes that are no text
 * come through it as base64.
 *
 * Bun's client has no limit on the size of a message, so the server's own limit (max_body_size) is the only one here.
 */
import { decodeJsonFrame } from "../../wire/json-message.ts";
import { JSON_SUBPROTOCOL, type MessageFrame, type ServerFrame } from "../../wire/server-frame.ts";
import { type ChannelRequest, channelsPath } from "./endpoint.ts";
import { networkReason } from "./http.ts";
import { Positions } from "./position.ts";
import { broken, closed, type Ending, HANDSHAKE_MS, type Sink, type Transport, UNTOLD } from "./transport.ts";

const CLOSE_NORMAL = 1000;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_POLICY = 1008;
const CLOSE_SERVICE_RESTART = 1012;
/** How long a peer may take to answer our close frame. */
const CLOSE_WAIT_MS = 300;

export class WebSocketTransport implements Transport {
  readonly name = "ws";
  readonly #base: string;
  readonly #channels: readonly ChannelRequest[];
  readonly #positions = new Positions();

  constructor(base: string, channels: readonly ChannelRequest[]) {
    this.#base = base;
    this.#channels = channels;
  }

  canResume(): boolean {
    return this.#positions.token() !== null;
  }

  retryMs(): number {
    return 0;
  }

  connect(sink: Sink, signal: AbortSignal): Promise<Ending> {
    return new Promise((resolve) => {
      const socket = new WebSocket(this.#url(), { protocols: [JSON_SUBPROTOCOL] });
      const connection = new Connection(socket, this.#positions, sink, (ending) => {
        signal.removeEventListener("abort", stop);
        resolve(ending);
      });
      const stop = () => connection.stop();
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop);
    });
  }

  #url(): string {
    const token = this.#positions.token();
    const path = channelsPath(this.#channels, token === null);
    const query = token === null ? "" : `?eventid=${encodeURIComponent(token)}`;
    return `${this.#base.replace(/^http/, "ws")}/ws/${path}${query}`;
  }
}

/** One socket from its handshake to its end. */
class Connection {
  readonly #socket: WebSocket;
  readonly #positions: Positions;
  readonly #sink: Sink;
  readonly #handshake: NodeJS.Timeout;
  readonly #end: (ending: Ending) => void;
  #opened = false;
  #ended = false;
  /** Set when we know better than the close code why it ended. */
  #verdict: Ending | null = null;

  constructor(socket: WebSocket, positions: Positions, sink: Sink, end: (ending: Ending) => void) {
    this.#socket = socket;
    this.#positions = positions;
    this.#sink = sink;
    this.#end = end;
    this.#handshake = setTimeout(
      () => this.#giveUp({ kind: "unreachable", reason: "it did not answer in time" }),
      HANDSHAKE_MS,
    );
    socket.binaryType = "nodebuffer";
    socket.onopen = () => this.#connected();
    socket.onmessage = (event) => this.#received(event.data);
    socket.onerror = (event) => this.#failed(event);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    socket.addEventListener("ping", () => sink.pinged());
  }

  /** We do not want it any more: close politely, but do not wait for a peer that is gone. */
  stop(): void {
    this.#giveUp(closed("stopped"));
  }

  #giveUp(verdict: Ending): void {
    this.#verdict ??= verdict;
    this.#socket.close(CLOSE_NORMAL);
    setTimeout(() => this.#finish(verdict), CLOSE_WAIT_MS);
  }

  #finish(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#handshake);
    this.#end(this.#verdict ?? ending);
  }

  #connected(): void {
    // With the subprotocol the hello frame says that the subscription stands; a refusal would come as a close frame instead.
    if (this.#socket.protocol !== JSON_SUBPROTOCOL) this.#open();
  }

  #open(): void {
    if (this.#opened) return;
    this.#opened = true;
    clearTimeout(this.#handshake);
    this.#sink.opened();
  }

  #received(data: string | Buffer): void {
    if (this.#verdict !== null) return;
    if (this.#socket.protocol !== JSON_SUBPROTOCOL) {
      this.#sink.delivered({ ...UNTOLD, data: typeof data === "string" ? Buffer.from(data) : data });
      return;
    }
    const frame = typeof data === "string" ? decodeJsonFrame(data) : null;
    if (frame === null) {
      this.#giveUp(broken(`the server agreed to ${JSON_SUBPROTOCOL} but sent a frame that is none of it.`));
      return;
    }
    if (frame.kind === "hello") this.#positions.begin(frame.channels, frame.position);
    this.#open();
    this.#tell(frame);
  }

  #tell(frame: ServerFrame): void {
    if (frame.kind === "message") this.#deliver(frame);
    else if (frame.kind === "ping") this.#sink.pinged();
    else if (frame.kind === "deleted")
      this.#sink.deleted(frame.channel, new TextDecoder().decode(frame.data));
    else if (frame.kind === "gap") {
      this.#positions.skipTo(frame.position);
      this.#sink.missed(frame.channel, frame.missed);
    }
  }

  #deliver(frame: MessageFrame): void {
    if (!this.#positions.receive(frame.channel, frame.position)) return;
    this.#sink.delivered(frame);
  }

  /** The handshake failed; the close event that follows says nothing more. */
  #failed(event: ErrorEvent): void {
    if (this.#opened) return;
    const status = /status code: (\d{3})/.exec(event.message)?.[1];
    this.#verdict ??=
      status === undefined
        ? { kind: "unreachable", reason: networkReason(event.error ?? new Error(event.message)) }
        : { kind: "refused", status: Number(status), explain: "", retryAfterMs: null };
  }

  #closed(code: number, reason: string): void {
    const refused = code === CLOSE_POLICY ? parseRefusal(reason) : null;
    if (refused !== null) this.#finish({ kind: "refused", ...refused, retryAfterMs: null });
    else if (code === CLOSE_GOING_AWAY) this.#finish(closed("the server is shutting down"));
    else if (code === CLOSE_SERVICE_RESTART) this.#finish(closed("the server is reloading"));
    else this.#finish(closed(code === CLOSE_NORMAL ? "the server ended it" : `closed with code ${code}`));
  }
}

/** The reason of a 1008 close: `{"http_status": 403, "explain":"…"}` (push-stream spec 4.13.6). */
function parseRefusal(reason: string): { status: number; explain: string } | null {
  const match = /"http_status":\s*(\d{3})/.exec(reason);
  if (match === null) return null;
  const explain = /"explain":\s*"((?:[^"\\]|\\.)*)"/.exec(reason)?.[1] ?? "";
  return { status: Number(match[1]), explain };
}
