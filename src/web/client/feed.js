/**
 * One subscription as the reader sees it: wanted or not, its state, and reconnecting with back-off. How bytes travel is the
 * transport's business (web-socket.js, event-source.js, stream.js, long-poll.js); how it looks is the lane's (lane.js).
 */

/** @typedef {import("./channel.js").Channel} Channel */
/** @typedef {"closed" | "connecting" | "open" | "waiting" | "refused"} State */
/** @typedef {{ text: string, type?: string | undefined, label?: string, title?: string }} Received */

/**
 * What a transport is given for one attempt. Calls after the attempt is over do nothing.
 * @typedef {object} Link
 * @property {Channel} channel
 * @property {Record<string, any>} memory kept from attempt to attempt, empty after Connect: positions live here
 * @property {Set<string>} types event types known on this page
 * @property {() => void} opened
 * @property {(message: Received) => void} received
 * @property {(missed: number | null) => void} gap null: how many cannot be known
 * @property {(text: string) => void} note
 * @property {(text: string) => void} interrupted the transport is reconnecting by itself
 * @property {(text: string, retryAfterSec?: number) => void} dropped this attempt is over, try again
 * @property {(text: string) => void} refused the server said no; trying again would not help
 */

/**
 * @typedef {object} Transport
 * @property {string} name
 * @property {string} about
 * @property {boolean} http holds one of the browser's few HTTP connections
 * @property {(channel: Channel, memory: Record<string, any>) => string} address
 * @property {(link: Link) => () => void} open returns what closes it
 */

/**
 * @typedef {object} View
 * @property {(state: State, detail: string) => void} showState
 * @property {(address: string) => void} showAddress
 * @property {(message: Received) => void} addMessage
 * @property {(text: string, kind: "aside" | "refusal") => void} addRemark
 * @property {(missed: number | null) => void} addGap
 * @property {() => void} clear
 */

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** A connection that lived this long was a good one: the next drop starts at the first delay again. */
const GOOD_AFTER_MS = 5_000;

export class Feed {
  /** @type {State} */
  state = "closed";
  /** @type {Channel | null} */
  #channel = null;
  /** @type {Record<string, any>} */
  #memory = {};
  #attempt = 0;
  #delayMs = FIRST_DELAY_MS;
  #openedAt = 0;
  #wasInterrupted = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry = undefined;
  /** @type {(() => void) | null} */
  #close = null;

  /** @param {Transport} transport @param {View} view @param {Set<string>} types */
  constructor(transport, view, types) {
    this.transport = transport;
    this.view = view;
    this.types = types;
    // A machine that comes back from sleep or a tunnel should not wait out its back-off.
    addEventListener("online", () => this.state === "waiting" && this.#open());
  }

  get wanted() {
    return this.state !== "closed" && this.state !== "refused";
  }

  /** Starts anew: no position is kept. @param {Channel} channel */
  connect(channel) {
    this.disconnect();
    this.#channel = channel;
    this.#memory = {};
    this.#delayMs = FIRST_DELAY_MS;
    this.#wasInterrupted = false;
    this.view.clear();
    this.#open();
  }

  disconnect() {
    this.#end();
    this.#show("closed", "");
  }

  /** Closes and opens again at the position reached, at once. */
  renew() {
    if (this.wanted) this.#open();
  }

  #end() {
    this.#attempt++;
    clearTimeout(this.#retry);
    this.#close?.();
    this.#close = null;
  }

  /** @param {State} state @param {string} detail */
  #show(state, detail) {
    this.state = state;
    this.view.showState(state, detail);
  }

  #open() {
    this.#end();
    const channel = this.#channel;
    if (!channel) return;
    this.#show("connecting", "");
    this.view.showAddress(this.transport.address(channel, this.#memory));
    this.#close = this.transport.open(this.#makeLink(channel, this.#attempt));
  }

  /** @param {Channel} channel @param {number} attempt @returns {Link} */
  #makeLink(channel, attempt) {
    /** @template {any[]} A @param {(...args: A) => void} call @returns {(...args: A) => void} */
    const whileCurrent =
      (call) =>
      (...args) => {
        if (attempt === this.#attempt) call(...args);
      };
    return {
      channel,
      memory: this.#memory,
      types: this.types,
      opened: whileCurrent(() => this.#opened()),
      received: whileCurrent((message) => this.view.addMessage(message)),
      gap: whileCurrent((missed) => this.view.addGap(missed)),
      note: whileCurrent((text) => this.view.addRemark(text, "aside")),
      interrupted: whileCurrent((text) => this.#interrupted(text)),
      dropped: whileCurrent((text, retryAfterSec) => this.#dropped(text, retryAfterSec ?? 0)),
      refused: whileCurrent((text) => this.#refused(text)),
    };
  }

  #opened() {
    if (this.state === "open") return;
    if (this.#wasInterrupted) this.view.addRemark("Connected again.", "aside");
    this.#wasInterrupted = false;
    this.#openedAt = Date.now();
    this.#show("open", "");
  }

  /** @param {string} text */
  #interrupted(text) {
    if (!this.#wasInterrupted) this.view.addRemark(text, "aside");
    this.#wasInterrupted = true;
    if (this.state === "open" && Date.now() - this.#openedAt > GOOD_AFTER_MS) this.#delayMs = FIRST_DELAY_MS;
    this.#show("waiting", "");
  }

  /** @param {string} text @param {number} retryAfterSec */
  #dropped(text, retryAfterSec) {
    this.#interrupted(text);
    this.#end();
    // Spread over ±25 %, so that a thousand pages do not come back in the same millisecond.
    const delayMs = Math.max(this.#delayMs * (0.75 + Math.random() / 2), retryAfterSec * 1000);
    this.#delayMs = Math.min(this.#delayMs * 2, LONGEST_DELAY_MS);
    this.#retry = setTimeout(() => this.#open(), delayMs);
    this.#show("waiting", delayMs < 1500 ? "" : `in ${Math.round(delayMs / 1000)} s`);
  }

  /** @param {string} text */
  #refused(text) {
    this.#end();
    this.view.addRemark(text, "refusal");
    this.#show("refused", "");
  }
}

/**
 * Why the server said no, in its own words where it gave any.
 * @param {Response} response
 */
export function refusalText(response) {
  const explain = response.headers.get("X-Nginx-PushStream-Explain") ?? response.statusText;
  return `${response.status} ${explain}`.trim();
}

/** Sends a failed answer where it belongs: 4xx will not get better, 5xx may. @param {Link} link @param {Response} response */
export function reportRefusal(link, response) {
  const text = refusalText(response);
  if (response.status < 500 && response.status !== 429) return link.refused(text);
  link.dropped(text, Number(response.headers.get("Retry-After")) || 0);
}
