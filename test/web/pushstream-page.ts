/**
 * An imitation of a browser window for the PushStream client: it remembers every connection, request, element
 * and timer, and time passes only when a test says so.
 */
import type {
  BrowserWindow,
  EventSourceLike,
  FrameWindow,
  HttpRequest,
  PageElement,
  WebSocketLike,
} from "../../src/web/pushstream/browser.ts";

/** Thursday, 1970-01-01 00:01:40 GMT. */
export const NOW_MS = 100_000;

export class FakeEventSource implements EventSourceLike {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }
  close(): void {
    this.readyState = 2;
  }
}

export class FakeWebSocket implements WebSocketLike {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: { readonly code: number }) => void) | null = null;
  readonly url: string;
  readonly sent: string[] = [];
  constructor(url: string) {
    this.url = url;
  }
  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.readyState = 3;
  }
}

export class FakeRequest implements HttpRequest {
  status = 0;
  responseText = "";
  timeout = 0;
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  ontimeout: (() => void) | null = null;
  method = "";
  url = "";
  body: string | undefined;
  isAborted = false;
  readonly headers: Record<string, string> = {};
  #answered: Record<string, string> = {};
  open(method: string, url: string): void {
    this.method = method;
    this.url = url;
  }
  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value;
  }
  getResponseHeader(name: string): string | null {
    return this.#answered[name] ?? null;
  }
  send(body?: string): void {
    this.body = body;
  }
  abort(): void {
    this.isAborted = true;
  }
  answer(status: number, body = "", headers: Record<string, string> = {}): void {
    this.status = status;
    this.responseText = body;
    this.#answered = headers;
    this.onload?.();
  }
}

export class FakeElement implements PageElement {
  src = "";
  async = false;
  textContent: string | null = "";
  readonly style = { display: "" };
  contentWindow: FrameWindow | null = null;
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  isRemoved = false;
  readonly children: FakeElement[] = [];
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  appendChild(child: FakeElement): void {
    this.children.push(child);
    if (child.name === "iframe") child.contentWindow = { location: { href: child.src } };
  }
  remove(): void {
    this.isRemoved = true;
  }
}

interface Timer {
  readonly dueMs: number;
  readonly action: () => void;
}

/** The last one made of its kind. */
const last = <T>(all: readonly T[]): T => {
  const item = all.at(-1);
  if (item === undefined) throw new Error("none was made");
  return item;
};

export class FakePage {
  nowMs = NOW_MS;
  readonly eventSources: FakeEventSource[] = [];
  readonly sockets: FakeWebSocket[] = [];
  readonly requests: FakeRequest[] = [];
  readonly logged: string[] = [];
  readonly head = new FakeElement("head");
  readonly body = new FakeElement("body");
  readonly window: BrowserWindow;
  readonly #timers = new Map<number, Timer>();
  #lastTimer = 0;

  constructor(missing: readonly ("EventSource" | "WebSocket")[] = [], origin = "http://push.example.com") {
    const { eventSources, sockets, requests, logged, head, body } = this;
    const { protocol, hostname, host } = new URL(origin);
    this.window = {
      location: { protocol, hostname, host },
      document: {
        domain: hostname,
        readyState: "complete",
        head,
        body,
        createElement: (name) => new FakeElement(name),
        getElementById: () => null,
      },
      console: { log: (text) => void logged.push(text) },
      Date: { now: () => this.nowMs },
      XMLHttpRequest: class extends FakeRequest {
        constructor() {
          super();
          requests.push(this);
        }
      },
      setTimeout: (action, delayMs) => {
        this.#timers.set(++this.#lastTimer, { dueMs: this.nowMs + delayMs, action });
        return this.#lastTimer;
      },
      clearTimeout: (timer) => void this.#timers.delete(timer),
      addEventListener: () => undefined,
      ...(missing.includes("EventSource")
        ? {}
        : {
            EventSource: class extends FakeEventSource {
              constructor(url: string) {
                super(url);
                eventSources.push(this);
              }
            },
          }),
      ...(missing.includes("WebSocket")
        ? {}
        : {
            WebSocket: class extends FakeWebSocket {
              constructor(url: string) {
                super(url);
                sockets.push(this);
              }
            },
          }),
    };
  }

  get eventSource(): FakeEventSource {
    return last(this.eventSources);
  }
  get socket(): FakeWebSocket {
    return last(this.sockets);
  }
  get request(): FakeRequest {
    return last(this.requests);
  }
  get frame(): FakeElement {
    return last(this.body.children);
  }
  get script(): FakeElement {
    return last(this.head.children);
  }
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Lets time pass, running what falls due in its order. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (let steps = 0; steps < 1000; steps++) {
      const due = [...this.#timers].filter(([, timer]) => timer.dueMs <= untilMs);
      const next = due.sort(([, one], [, other]) => one.dueMs - other.dueMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.nowMs = Math.max(this.nowMs, next[1].dueMs);
      next[1].action();
    }
    this.nowMs = untilMs;
  }
}
