/**
 * What the PushStream client uses of a browser, as interfaces: types only, nothing of this reaches the
 * script.
 *
 * Declared here rather than taken from TypeScript's DOM library, which would put `document` in reach of all
 * server code. It also makes the page something a test can play: test/web/ runs the client against an
 * imitation that remembers what was asked of it.
 */

/** An EventSource; readyState 2 is "closed for good", 0 is "connecting again by itself". */
export interface EventSourceLike {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: (() => void) | null;
  close(): void;
}

export interface WebSocketLike {
  /** 1 is open. */
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface HttpRequest {
  readonly status: number;
  readonly responseText: string;
  /** Milliseconds. */
  timeout: number;
  onload: (() => void) | null;
  onerror: (() => void) | null;
  ontimeout: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body?: string): void;
  abort(): void;
}

/** `p(id, channel, text, eventid, time, tag)`, which the stream's message template calls. */
export type StreamReceiver = (
  id: unknown,
  channel?: unknown,
  text?: unknown,
  eventId?: unknown,
  time?: unknown,
  tag?: unknown,
) => void;

/** The window inside the hidden frame of the stream mode. */
export interface FrameWindow {
  readonly location: { readonly href: string };
  p?: StreamReceiver;
}

/** A frame, a script or the log's element: what is set on one is ignored by the others. */
export interface PageElement {
  src: string;
  async: boolean;
  textContent: string | null;
  readonly style: { display: string };
  readonly contentWindow?: FrameWindow | null;
  onload: (() => void) | null;
  onerror: (() => void) | null;
  appendChild(child: PageElement): void;
  remove(): void;
}

export interface PageDocument {
  domain: string;
  readonly readyState: string;
  readonly head: PageElement;
  readonly body: PageElement;
  createElement(name: "iframe" | "script"): PageElement;
  getElementById(id: string): PageElement | null;
}

/** The name of a JSONP callback: instance id and milliseconds (push-stream spec 9.2). */
export type CallbackName = `PushStreamManager_${number}_onmessage_${number}`;

export interface BrowserWindow {
  readonly location: { readonly protocol: string; readonly hostname: string; readonly host: string };
  readonly document: PageDocument;
  readonly console: { log(text: string): void };
  readonly Date: { now(): number };
  readonly XMLHttpRequest: new () => HttpRequest;
  readonly EventSource?: new (url: string) => EventSourceLike;
  readonly WebSocket?: new (url: string) => WebSocketLike;
  setTimeout(action: () => void, delayMs: number): number;
  clearTimeout(timer: number): void;
  addEventListener(type: "load", listener: () => void): void;
  [callback: CallbackName]: ((items: unknown) => void) | undefined;
}
