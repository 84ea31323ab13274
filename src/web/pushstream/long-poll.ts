/**
 * Long polling: one request after another, by XMLHttpRequest or, where that may not go, by script tags
 * (JSONP). A poll's answer holds messages and where to go on: in headers, or in the messages when positions
 * go by argument (push-stream spec 9.2, 9.4).
 */
import type { CallbackName, PageElement } from "./browser.ts";
import type { Connection, Owner } from "./held-connections.ts";
import { type Parsed, parseBody, readMessage, rememberNewest } from "./messages.ts";

const OPEN_AFTER_MS = 150;
const PAUSE_AFTER_NOTHING_MS = 100;
/** How much longer than the server's limit we wait for its answer. */
const GRACE_MS = 2000;

/** What came of one poll. 304: nothing new. */
interface Reply {
  readonly status: number;
  readonly parsed: Parsed | null;
  readonly time: string | null;
  readonly etag: string | null;
}

const NOTHING: Reply = { status: 304, parsed: null, time: null, etag: null };
const REFUSED: Reply = { status: 403, parsed: null, time: null, etag: null };

/** Starts one poll; returns what ends it. */
type Poll = (done: (reply: Reply) => void) => () => void;

export class LongPollConnection implements Connection {
  readonly #owner: Owner;
  readonly #poll: Poll;
  readonly #isByArgument: boolean;
  #stopPoll: (() => void) | null = null;
  #opening: number | null = null;
  #pause: number | null = null;
  #isClosed = false;

  /** `urlOf` makes the next poll's URL, with the JSONP callback's name if there is one. */
  constructor(
    owner: Owner,
    isByScript: boolean,
    urlOf: (callback: CallbackName | null) => string,
    id: number,
  ) {
    this.#owner = owner;
    this.#isByArgument = isByScript || owner.settings.messagesControlByArgument;
    this.#poll = isByScript
      ? (done) => pollByScript(owner, urlOf, id, done)
      : (done) => pollByRequest(owner, urlOf(null), done);
  }

  /** Nobody tells that a poll waits at the server; that no error came so far has to do. */
  open(): void {
    this.#opening = this.#owner.page.setTimeout(() => this.#owner.opened(), OPEN_AFTER_MS);
    this.#next();
  }

  close(): void {
    this.#isClosed = true;
    const { page } = this.#owner;
    for (const timer of [this.#opening, this.#pause]) if (timer !== null) page.clearTimeout(timer);
    this.#stopPoll?.();
    this.#stopPoll = null;
  }

  #next(): void {
    this.#stopPoll = this.#poll((reply) => {
      this.#stopPoll = null;
      if (!this.#isClosed) this.#settle(reply);
    });
  }

  #settle(reply: Reply): void {
    const { status, parsed } = reply;
    if (status !== 200 && status !== 304) {
      this.#owner.failed(status === 403 ? "load" : "timeout");
      return;
    }
    this.#owner.opened();
    const hasMessages = this.#remember(reply);
    if (parsed !== null && !this.#isClosed) this.#owner.received(parsed);
    if (this.#isClosed) return; // by one of the page's callbacks
    this.#pause = this.#owner.page.setTimeout(() => this.#next(), hasMessages ? 0 : PAUSE_AFTER_NOTHING_MS);
  }

  /** True if there was a message; what is none must not make us ask again at once. */
  #remember({ parsed, time, etag }: Reply): boolean {
    const { position, settings } = this.#owner;
    const batch = (parsed?.items ?? []).map((item) => readMessage(item, settings));
    const hasMessages = rememberNewest(
      batch.filter((message) => message !== null),
      position,
      settings,
    );
    if (hasMessages && !this.#isByArgument) {
      position.time = time ?? position.time;
      position.etag = etag ?? (position.tag === null ? null : `W/${position.tag}`);
    } else if (!hasMessages) this.#rememberNow(time, etag);
    return hasMessages;
  }

  /**
   * An answer without messages tells the server's time. Without it the next poll would know nothing and miss
   * what is published between the two; with a position of our own it is not needed, and (now, tag 0) could
   * bring the last second's messages twice.
   */
  #rememberNow(time: string | null, etag: string | null): void {
    const { position, settings } = this.#owner;
    const timeMs = Date.parse(time ?? "");
    if (position.time !== null || settings.lastEventId || Number.isNaN(timeMs)) return;
    // Tag 0 cannot be said by argument; "after the second before" is the same.
    position.time = this.#isByArgument ? new Date(timeMs - 1000).toUTCString() : time;
    position.etag = etag;
    position.isFromServer = true;
  }
}

function pollByRequest(owner: Owner, url: string, done: (reply: Reply) => void): () => void {
  const { page, position, settings } = owner;
  const request = new page.XMLHttpRequest();
  request.open("GET", url);
  if (!settings.messagesControlByArgument) {
    request.setRequestHeader("If-None-Match", position.etag ?? "0");
    request.setRequestHeader("If-Modified-Since", position.time ?? "null");
    if (position.time === null && settings.lastEventId)
      request.setRequestHeader("Last-Event-Id", settings.lastEventId);
  }
  request.timeout = settings.timeout + GRACE_MS;
  request.ontimeout = () => done(NOTHING);
  request.onerror = () => done({ ...NOTHING, status: 0 });
  request.onload = () =>
    done({
      status: request.status,
      parsed: request.status === 200 ? parseBody(request.responseText) : null,
      time: request.getResponseHeader("Last-Modified"),
      etag: request.getResponseHeader("Etag"),
    });
  request.send();
  return () => {
    request.onload = request.onerror = request.ontimeout = null;
    request.abort();
  };
}

/**
 * A script tag tells no status: one that fails early was refused, one that fails late was a 304 (push-stream
 * spec 9.3). A script on its way runs even when its tag is gone, so the callback stays for a while as one
 * that does nothing.
 */
function pollByScript(
  owner: Owner,
  urlOf: (callback: CallbackName | null) => string,
  id: number,
  done: (reply: Reply) => void,
): () => void {
  const { page, settings } = owner;
  const startedMs = page.Date.now();
  const name: CallbackName = `PushStreamManager_${id}_onmessage_${owner.uniqueMs()}`;
  const script: PageElement = page.document.createElement("script");
  const timer = page.setTimeout(() => finish(NOTHING), settings.timeout + GRACE_MS);
  let isOver = false;
  let hasRun = false;
  const stop = () => {
    if (isOver) return;
    isOver = true;
    page.clearTimeout(timer);
    script.onload = script.onerror = null;
    script.remove();
    page[name] = () => undefined;
    page.setTimeout(() => delete page[name], hasRun ? 0 : settings.timeout + GRACE_MS);
  };
  const finish = (reply: Reply) => {
    if (isOver) return;
    stop();
    done(reply);
  };
  page[name] = (items) => {
    hasRun = true;
    finish({ ...NOTHING, status: 200, parsed: parsedItems(items) });
  };
  script.onload = script.onerror = () =>
    finish(page.Date.now() - startedMs < settings.timeout / 2 ? REFUSED : NOTHING);
  script.async = true;
  script.src = urlOf(name);
  page.document.head.appendChild(script);
  return stop;
}

const parsedItems = (items: unknown): Parsed =>
  Array.isArray(items) ? { items, badPieces: 0 } : { items: [], badPieces: 1 };
