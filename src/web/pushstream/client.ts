/**
 * One PushStream instance: channels, state, and what happens after a failure (push-stream spec 9.1, 9.5).
 * globals.ts makes the class that pages see of it. It holds at most one connection; which one is decided at
 * each connect() by the option `modes`.
 */
import type { BrowserWindow, CallbackName, FrameWindow } from "./browser.ts";
import {
  type Connection,
  EventSourceConnection,
  type Failure,
  type Owner,
  StreamConnection,
  WebSocketConnection,
} from "./held-connections.ts";
import { LongPollConnection } from "./long-poll.ts";
import { decodeText, encodeText, type Parsed, readMessage, rememberLast } from "./messages.ts";
import {
  heldUrl,
  isOtherOrigin,
  type Mode,
  type Position,
  pollUrl,
  publishUrl,
  resolveSettings,
  type Settings,
  type Subscription,
  startTime,
  supportedModes,
} from "./settings.ts";

export const CLOSED: number = 0;
export const CONNECTING: number = 1;
export const OPEN: number = 2;

/** More digits than this would not be written as digits. */
const MOST_BACKTRACK = 2 ** 31;

export interface Callbacks {
  onmessage:
    | ((
        text: unknown,
        id: unknown,
        channel: unknown,
        eventId: unknown,
        isLastMessageFromBatch: boolean,
        time: unknown,
      ) => void)
    | null;
  onerror: ((error: { readonly type: Failure }) => void) | null;
  onstatuschange: ((status: number) => void) | null;
  onchanneldeleted: ((channel: unknown) => void) | null;
}

export type GivenOptions = Partial<Settings & Callbacks>;

/** Of a sent message: the answer's body and status; both empty when there was none, as on a WebSocket. */
export type SendResult = (text: string, status: number) => void;

/** What the client needs besides the page; globals.ts gives it. */
export interface Surroundings {
  readonly page: BrowserWindow;
  readonly id: number;
  log(level: "error" | "info" | "debug", text: string): void;
  /** POSTs a text; see globals.ts. */
  post(url: string, text: string, ok?: SendResult | null, err?: SendResult | null): void;
}

export class Client implements Callbacks {
  readonly id: number;
  readyState = CLOSED;
  readonly channels = new Map<string, { readonly backtrack: number }>();
  onmessage: Callbacks["onmessage"];
  onerror: Callbacks["onerror"];
  onstatuschange: Callbacks["onstatuschange"];
  onchanneldeleted: Callbacks["onchanneldeleted"];

  readonly #around: Surroundings;
  /** This object itself: pages may read and assign options on the instance. */
  readonly #settings: Settings;
  readonly #position: Position = { time: null, tag: null, etag: null, isFromServer: false };
  #connection: Connection | null = null;
  #reconnecting: number | null = null;
  #lastMs = 0;

  constructor(around: Surroundings, given: GivenOptions = {}) {
    this.id = around.id;
    this.#around = around;
    this.#settings = Object.assign(this, resolveSettings(given, around.page));
    this.onmessage = given.onmessage ?? null;
    this.onerror = given.onerror ?? null;
    this.onstatuschange = given.onstatuschange ?? null;
    this.onchanneldeleted = given.onchanneldeleted ?? null;
  }

  /**
   * Throws on a name that would need encoding, since it goes into URLs as it is. Connects again unless
   * closed.
   */
  addChannel(name: string, options: { readonly backtrack?: number } = {}): void {
    if (name === "" || encodeURIComponent(name) !== name)
      throw new Error(`Invalid channel name "${name}": it must be its own encodeURIComponent`);
    const backtrack = Math.floor(Number(options.backtrack)) || 0;
    this.channels.set(name, { backtrack: Math.min(Math.max(backtrack, 0), MOST_BACKTRACK) });
    this.#around.log("debug", `channel ${name} added`);
    if (this.readyState === CLOSED) return;
    this.disconnect();
    this.connect();
  }

  /** From the next connect on. */
  removeChannel(name: string): void {
    this.channels.delete(name);
  }

  /** From the next connect on. */
  removeAllChannels(): void {
    this.channels.clear();
  }

  /**
   * Throws when there is no channel, or no mode of `modes` that this browser can do. Does nothing unless
   * closed.
   */
  connect(): void {
    if (this.readyState !== CLOSED) return;
    if (this.channels.size === 0) throw new Error("No channel was added");
    const [mode] = supportedModes(this.#settings.modes, this.#around.page);
    if (mode === undefined) throw new Error(`No mode of "${this.#settings.modes}" is supported here`);
    this.#stop();
    const now = this.#around.page.Date.now();
    this.#position.time ??= startTime(this.#settings.messagesPublishedAfter, now);
    this.#setStatus(CONNECTING);
    // The page's callback may have changed its mind.
    if (this.readyState !== CONNECTING || this.#connection !== null) return;
    this.#around.log("info", `connecting by ${mode}`);
    try {
      this.#connection = this.#newConnection(mode);
      this.#connection.open();
    } catch (error) {
      // What a URL that this page may not open throws, as ws: from an https: page.
      this.#around.log("error", String(error));
      this.#failed("load");
    }
  }

  disconnect(): void {
    this.#stop();
    this.#setStatus(CLOSED);
  }

  /** As a frame while a WebSocket is open, else by POST. */
  sendMessage(text: string, ok?: SendResult | null, err?: SendResult | null): void {
    const connection = this.#connection;
    if (connection instanceof WebSocketConnection && connection.send(encodeText(text))) {
      ok?.("", 0);
      return;
    }
    const { channels } = this;
    const url = publishUrl({ settings: this.#settings, channels, nowMs: this.#uniqueMs() });
    this.#around.post(url, text, ok, err);
  }

  /** For PushStream.register: a frame of ours has begun. */
  adoptFrame(frame: FrameWindow): boolean {
    return this.#connection instanceof StreamConnection && this.#connection.adopt(frame);
  }

  #newConnection(mode: Mode): Connection {
    const owner = this.#newOwner();
    const subscription = (): Subscription => ({
      settings: this.#settings,
      channels: this.channels,
      position: this.#position,
      nowMs: this.#uniqueMs(),
    });
    if (mode === "longpolling") {
      const isByScript = this.#settings.useJSONP || isOtherOrigin(this.#settings, this.#around.page);
      const urlOf = (callback: CallbackName | null) => pollUrl(subscription(), callback);
      return new LongPollConnection(owner, isByScript, urlOf, this.id);
    }
    const url = () => heldUrl(subscription(), mode, this.id);
    if (mode === "eventsource") return new EventSourceConnection(owner, url);
    return mode === "websocket" ? new WebSocketConnection(owner, url()) : new StreamConnection(owner, url());
  }

  #newOwner(): Owner {
    return {
      page: this.#around.page,
      settings: this.#settings,
      position: this.#position,
      uniqueMs: () => this.#uniqueMs(),
      opened: () => this.#setStatus(OPEN),
      failed: (failure) => this.#failed(failure),
      received: (parsed) => this.#received(parsed),
    };
  }

  #received({ items, badPieces }: Parsed): void {
    if (badPieces > 0) this.#around.log("error", "something came that is not JSON; look at message_template");
    items.forEach((item, index) => {
      const message = readMessage(item, this.#settings);
      if (message === null) return;
      const { id, channel, text, eventId, time } = message;
      // Long polls have done so for the whole batch, and their order of channels would spoil it.
      if (!(this.#connection instanceof LongPollConnection))
        rememberLast(message, this.#position, this.#settings);
      if (typeof id === "number" && id > 0) {
        const isLast = index === items.length - 1;
        this.#tell(() => this.onmessage?.(decodeText(text), id, channel, eventId, isLast, time));
      } else if (id === -2) this.#tell(() => this.onchanneldeleted?.(channel));
    });
  }

  /** The timer is set before the page hears of it, so that a callback can still connect or disconnect. */
  #failed(failure: Failure): void {
    const type = this.readyState === CONNECTING ? "load" : failure;
    const { autoReconnect, reconnectOnChannelUnavailableInterval, reconnectOnTimeoutInterval } =
      this.#settings;
    const afterMs = type === "load" ? reconnectOnChannelUnavailableInterval : reconnectOnTimeoutInterval;
    this.#stop();
    if (autoReconnect) this.#reconnecting = this.#around.page.setTimeout(() => this.#reconnect(), afterMs);
    this.#around.log("info", `failure: ${type}`);
    this.#setStatus(CLOSED);
    this.#tell(() => this.onerror?.({ type }));
  }

  /** All channels may have been removed meanwhile. */
  #reconnect(): void {
    this.#reconnecting = null;
    if (this.channels.size > 0) this.connect();
  }

  #stop(): void {
    if (this.#reconnecting !== null) this.#around.page.clearTimeout(this.#reconnecting);
    this.#reconnecting = null;
    const connection = this.#connection;
    this.#connection = null;
    connection?.close();
  }

  #setStatus(status: number): void {
    if (this.readyState === status) return;
    this.readyState = status;
    this.#tell(() => this.onstatuschange?.(status));
  }

  /** A callback that throws is the page's fault and shows in its console; the connection goes on. */
  #tell(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#around.page.setTimeout(() => {
        throw error;
      }, 0);
    }
  }

  #uniqueMs(): number {
    this.#lastMs = Math.max(this.#around.page.Date.now(), this.#lastMs + 1);
    return this.#lastMs;
  }
}
