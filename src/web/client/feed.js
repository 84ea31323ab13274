/**
 * One subscription as the reader sees it: wanted or not, and its state. What carries it, comes back and goes
 * on where it was is a client of src/client, the one that is served as /sluice.js; how it looks is the lane's
 * (lane.js).
 */
import { channelsPath, ROOT } from "./channel.js";
import { Sluice } from "./sluice.js";

/** @typedef {import("./channel.js").Channel} Channel */
/** @typedef {import("./sluice.js").Message} Message */
/** @typedef {import("./sluice.js").StateChange} StateChange */
/** @typedef {"closed" | "connecting" | "open" | "waiting" | "refused"} State */
/** @typedef {{ text: string, type?: string | undefined, label?: string, title?: string }} Received */

/**
 * @typedef {object} Transport
 * @property {string} name
 * @property {string} about
 * @property {import("./sluice.js").TransportName} kind
 * @property {string} path of its location, as in the default configuration
 */

/** @type {Transport[]} */
export const transports = [
  {
    name: "WebSocket",
    about:
      "Frames in both directions. After a break each channel goes on behind the last message that was shown.",
    kind: "websocket",
    path: "ws/",
  },
  {
    name: "SSE",
    about: "The same frames as Server-Sent Events, over one HTTP answer that never ends.",
    kind: "sse",
    path: "ev/",
  },
  {
    name: "Stream",
    about: "The same from a location for plain streams, which curl can read a line a message.",
    kind: "sse",
    path: "sub/",
  },
  {
    name: "Long poll",
    about: "Plain requests, each held until there is news. The next one says where the last one ended.",
    kind: "poll",
    path: "lp/",
  },
];

/**
 * @typedef {object} View
 * @property {(state: State, detail: string) => void} showState
 * @property {(address: string) => void} showAddress
 * @property {(message: Received) => void} addMessage
 * @property {(text: string, kind: "aside" | "refusal") => void} addRemark
 * @property {(missed: number | null) => void} addGap
 * @property {() => void} clear
 */

const LONGEST_DELAY_MS = 15_000;

export class Feed {
  /** @type {State} */
  state = "closed";
  /** @type {Sluice | null} */
  #client = null;
  #wasLost = false;

  /** @param {Transport} transport @param {View} view */
  constructor(transport, view) {
    this.transport = transport;
    this.view = view;
  }

  get wanted() {
    return this.state !== "closed" && this.state !== "refused";
  }

  /** Whether it holds one of the browser's few HTTP connections. */
  get holdsHttp() {
    return this.wanted && this.transport.kind !== "websocket";
  }

  /** @param {Channel} channel */
  address(channel) {
    return `${ROOT}${this.transport.path}${channelsPath(channel, channel.last)}?sluice_positions=`;
  }

  /** Starts anew: no position is kept. @param {Channel} channel */
  connect(channel) {
    this.disconnect();
    this.view.clear();
    this.view.showAddress(this.address(channel));
    const { kind, path } = this.transport;
    const client = new Sluice(new URL(ROOT, location.href), {
      transports: [kind],
      paths: { [kind]: path },
      maxDelay: LONGEST_DELAY_MS,
    });
    this.#client = client;
    this.#wasLost = false;
    client.on("state", (change) => this.#client === client && this.#changed(change));
    const names = new Set(channel.names);
    for (const name of names) this.#subscribe(client, name, channel.last, names.size > 1);
  }

  disconnect() {
    const client = this.#client;
    this.#client = null;
    client?.close();
    this.#show("closed", "");
  }

  /** @param {Sluice} client @param {string} name @param {number} last @param {boolean} isOneOfMany */
  #subscribe(client, name, last, isOneOfMany) {
    client
      .subscribe(name, { last }, (message) => this.view.addMessage(received(message, isOneOfMany)))
      .on("gap", ({ missed }) => this.view.addGap(missed))
      .on("deleted", ({ data }) => this.view.addRemark(data, "aside"))
      .on("error", ({ status, message }) => {
        this.view.addRemark(`${status} ${message}`, "refusal");
        this.#show("refused", "");
      });
  }

  /** @param {State} state @param {string} detail */
  #show(state, detail) {
    this.state = state;
    this.view.showState(state, detail);
  }

  /** @param {StateChange} change */
  #changed({ state, reason, retryMs }) {
    if (state === "waiting") {
      if (!this.#wasLost) this.view.addRemark(`The connection was lost: ${reason}.`, "aside");
      this.#wasLost = true;
      this.#show("waiting", retryMs < 1500 ? "" : `in ${Math.round(retryMs / 1000)} s`);
    } else if (state === "open") {
      if (this.#wasLost) this.view.addRemark("Connected again.", "aside");
      this.#wasLost = false;
      this.#show("open", "");
    } else if (state === "connecting" && !this.#wasLost) this.#show("connecting", "");
  }
}

/** @param {Message} message @param {boolean} isOneOfMany @returns {Received} */
function received({ channel, id, data, position, eventId, eventType }, isOneOfMany) {
  return {
    text: data,
    type: eventType ?? undefined,
    label: isOneOfMany ? `${channel} #${id}` : `#${id}`,
    title: eventId === null ? `position ${position}` : `position ${position}, event id ${eventId}`,
  };
}

/**
 * Why the server said no, in its own words where it gave any.
 * @param {Response} response
 */
export function refusalText(response) {
  const explain = response.headers.get("X-Nginx-PushStream-Explain") ?? response.statusText;
  return `${response.status} ${explain}`.trim();
}
