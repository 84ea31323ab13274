/**
 * The connections that stay open: EventSource, WebSocket, and the hidden frame of the stream mode. client.ts
 * opens one at a time and closes it when it reports a failure; after close() a connection reports nothing
 * more, whatever the browser still delivers.
 *
 * Not the pipes of src/client, which carry frames of sluice.json.v1. Tried in Chromium and Firefox:
 *   - a server that knows no subprotocols, as the module does not, answers a WebSocket that asks for ours
 *     without one; Chromium then fails the connection (1006, RFC 6455 4.1), so such pages would hear nothing;
 *   - a template `"text":~text~` gives pages an object, where a frame has the same bytes as a text, and
 *     `~time~` is a date where a frame has seconds: what onmessage is called with would change.
 * Read from the code of both, not tried: the pipes' event streams and polls are fetches that ask with
 * `sluice_positions`. Pages are promised EventSource, which comes back in silence with Last-Event-ID, polls
 * that say If-None-Match and If-Modified-Since or the arguments that options name, and scripts (JSONP) for
 * another origin.
 * What is left to share is the two constructors, in exchange for a way from frames to templates' keys.
 */
import type { BrowserWindow, EventSourceLike, FrameWindow, PageElement, WebSocketLike } from "./browser.ts";
import { type Parsed, parseEvent } from "./messages.ts";
import type { Position, Settings } from "./settings.ts";

/**
 * "load": it is not there, come back in a minute. "timeout": it was there, come back soon (push-stream spec
 * 9.5).
 */
export type Failure = "load" | "timeout";

/** What a connection is given by the client it works for. */
export interface Owner {
  readonly page: BrowserWindow;
  readonly settings: Settings;
  readonly position: Position;
  /** The time, but never the same twice: for URLs and names that must differ. */
  uniqueMs(): number;
  opened(): void;
  failed(failure: Failure): void;
  received(parsed: Parsed): void;
}

export interface Connection {
  open(): void;
  close(): void;
}

const CLOSED_FOR_GOOD = 2;
const SOCKET_OPEN = 1;
/** No close frame came (RFC 6455 7.1.5). */
const ABNORMAL_CLOSURE = 1006;

export class EventSourceConnection implements Connection {
  readonly #owner: Owner;
  readonly #url: () => string;
  #source: EventSourceLike | null = null;
  #reopening: number | null = null;

  constructor(owner: Owner, url: () => string) {
    this.#owner = owner;
    this.#url = url;
  }

  open(): void {
    const { page } = this.#owner;
    if (page.EventSource === undefined) return;
    const source = new page.EventSource(this.#url());
    this.#source = source;
    source.onopen = () => this.#owner.opened();
    source.onmessage = ({ data }) => this.#owner.received(parseEvent(data));
    source.onerror = () => {
      if (source.readyState === CLOSED_FOR_GOOD) this.#owner.failed("timeout");
      else if (this.#owner.settings.messagesControlByArgument) this.#reopen();
    };
  }

  close(): void {
    if (this.#reopening !== null) this.#owner.page.clearTimeout(this.#reopening);
    this.#reopening = null;
    const source = this.#source;
    if (source === null) return;
    this.#source = null;
    source.onopen = source.onmessage = source.onerror = null;
    source.close();
  }

  /**
   * The browser comes back by itself, with the same URL. When the position is in there it is an old one by
   * now and all messages since would come again; so we do what the browser does, silently and in the same
   * rhythm, with a new URL.
   */
  #reopen(): void {
    this.close();
    const { page, settings } = this.#owner;
    this.#reopening = page.setTimeout(() => {
      this.#reopening = null;
      this.open();
    }, settings.reconnectOnTimeoutInterval);
  }
}

export class WebSocketConnection implements Connection {
  readonly #owner: Owner;
  readonly #url: string;
  #socket: WebSocketLike | null = null;

  constructor(owner: Owner, url: string) {
    this.#owner = owner;
    this.#url = url;
  }

  open(): void {
    const { page } = this.#owner;
    if (page.WebSocket === undefined) return;
    const socket = new page.WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#owner.opened();
    socket.onmessage = ({ data }) => this.#owner.received(parseEvent(data));
    socket.onclose = ({ code }) => this.#owner.failed(code === ABNORMAL_CLOSURE ? "load" : "timeout");
  }

  /** False when it is not open now. */
  send(text: string): boolean {
    if (this.#socket?.readyState !== SOCKET_OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  close(): void {
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/**
 * A document that never ends, in a hidden frame: its head calls `parent.PushStream.register(this)`, each
 * message is a script that calls `p(...)`. Only the server's scripts tell us something, so silence has to be
 * noticed by a timer.
 */
export class StreamConnection implements Connection {
  readonly #owner: Owner;
  readonly #url: string;
  #frame: PageElement | null = null;
  #isRegistered = false;
  #isClosed = false;
  #timer: number | null = null;

  constructor(owner: Owner, url: string) {
    this.#owner = owner;
    this.#url = url;
  }

  /** A frame that never ends would hold up the page's own load event, so it waits for that. */
  open(): void {
    const { page } = this.#owner;
    if (page.document.readyState === "complete") this.#insert();
    else page.addEventListener("load", () => page.setTimeout(() => this.#insert(), 0));
  }

  close(): void {
    this.#isClosed = true;
    this.#watch(null);
    const frame = this.#frame;
    if (frame === null) return;
    this.#frame = null;
    frame.onload = null;
    frame.remove();
  }

  /**
   * The frame's document has begun. False when it is not our frame's: one of a connection before this one.
   */
  adopt(frameWindow: FrameWindow): boolean {
    if (this.#isClosed || this.#frame?.contentWindow !== frameWindow) return false;
    this.#isRegistered = true;
    frameWindow.p = (id, channel, text, eventId, time, tag) => {
      if (this.#isClosed) return;
      this.#watch(this.#owner.settings.pingtimeout);
      const { jsonIdKey, jsonChannelKey, jsonTextKey, jsonEventIdKey, jsonTimeKey, jsonTagKey } =
        this.#owner.settings;
      // As an object of the other modes, so that what follows is the same for all of them.
      const values = [
        [jsonIdKey, id],
        [jsonChannelKey, channel],
        [jsonTextKey, text],
        [jsonEventIdKey, eventId],
        [jsonTimeKey, time],
        [jsonTagKey, tag],
      ];
      this.#owner.received({ items: [Object.fromEntries(values)], badPieces: 0 });
    };
    this.#watch(this.#owner.settings.pingtimeout);
    this.#owner.opened();
    return true;
  }

  #insert(): void {
    if (this.#isClosed) return;
    const { document } = this.#owner.page;
    lowerDomain(this.#owner.page);
    const frame = document.createElement("iframe");
    this.#frame = frame;
    frame.style.display = "none";
    // The load event is the end of the document: the server's, or that of an error page.
    frame.onload = () => this.#owner.failed(this.#isRegistered ? "timeout" : "load");
    frame.src = this.#url;
    this.#watch(this.#owner.settings.timeout);
    document.body.appendChild(frame);
  }

  /** From now on, silence for so long is a failure; null: not any more. */
  #watch(withinMs: number | null): void {
    const { page } = this.#owner;
    if (this.#timer !== null) page.clearTimeout(this.#timer);
    this.#timer = withinMs === null ? null : page.setTimeout(() => this.#owner.failed("timeout"), withinMs);
  }
}

/**
 * What the header template of a stream location does in the frame has to be done here too: a browser that
 * still lets pages lower `document.domain` compares both. The first label goes, but never into a public
 * suffix: two stay, or three for names like example.co.uk. Addresses stay whole, and browsers without it keep
 * the name they have.
 */
function lowerDomain({ document, location }: BrowserWindow): void {
  const labels = location.hostname.split(".");
  const [second = "", top = ""] = labels.slice(-2);
  const isAddress = /^[\d.]+$|:/.test(location.hostname);
  const kept = Math.max(labels.length - 1, second.length > 3 || top.length > 2 ? 2 : 3);
  if (isAddress || labels.length < 2) return;
  try {
    document.domain = labels.slice(-kept).join(".");
  } catch {
    return; // Sandboxed, or a browser that has given it up: the frame must be of the page's own host then.
  }
}
