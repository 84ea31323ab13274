/** The publish form: one POST a message, the server's answer in one line. */
import { publishPath } from "./channel.js";
import { refusalText } from "./feed.js";
import { pick } from "./lane.js";

/** @typedef {import("./channel.js").Channel} Channel */
/**
 * @typedef {object} Info
 * @property {string} channel
 * @property {number} published_messages
 * @property {number} stored_messages
 * @property {number} subscribers
 */

const BURST = 100;
const PATIENCE_MS = 10_000;

/**
 * What to say when no answer comes: on HTTP/1.1 it is most likely the browser that holds the request back.
 */
const noAnswerText =
  "no answer within 10 s. A browser opens at most six HTTP/1.1 connections to a server, and each open " +
  "copy of this page holds three; disconnect some.";

/** Header values are bytes; fetch takes one character a byte. @param {string} text */
const headerBytes = (text) => String.fromCharCode(...new TextEncoder().encode(text));

/**
 * @param {Channel} channel @param {string} text @param {string} eventId @param {string} eventType
 * @returns {Promise<Info[]>} throws an Error with a sentence when it was not published
 */
async function publishMessage(channel, text, eventId, eventType) {
  /** @type {Record<string, string>} */
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  if (eventId) headers["Event-Id"] = headerBytes(eventId);
  if (eventType) headers["Event-Type"] = headerBytes(eventType);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  /** @type {Response} */
  let response;
  try {
    response = await fetch(publishPath(channel), { method: "POST", body: text, headers, signal });
  } catch (error) {
    throw new Error(signal.aborted ? noAnswerText : "the server does not answer.", { cause: error });
  }
  if (!response.ok) throw new Error(refusalText(response));
  const info = await response.json();
  return info.infos ?? [info];
}

/** @param {Info[]} infos */
function describeInfos(infos) {
  const describe = (/** @type {Info} */ info) =>
    `${info.channel}: published_messages ${info.published_messages}, stored_messages ` +
    `${info.stored_messages}, subscribers ${info.subscribers}`;
  return infos.map(describe).join("; ");
}

export class PublishForm {
  #busy = false;

  /** @param {() => Channel} currentChannel */
  constructor(currentChannel) {
    this.form = /** @type {HTMLFormElement} */ (pick(document, "#publish"));
    this.result = pick(document, "#result");
    this.currentChannel = currentChannel;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    pick(document, "#burst").addEventListener("click", () => this.#sendBurst());
  }

  /** @param {string} name */
  #field(name) {
    return /** @type {HTMLInputElement} */ (this.form.elements.namedItem(name));
  }

  async #send() {
    const text = this.#field("text").value;
    await this.#busyWith(async () => {
      const infos = await this.#publish(text);
      this.#field("text").value = "";
      return describeInfos(infos);
    });
    this.#field("text").focus();
  }

  /** One after the other, so that the lanes can be compared: every one must show 1 to 100 in order. */
  #sendBurst() {
    const text = this.#field("text").value || "burst";
    return this.#busyWith(async () => {
      const startMs = performance.now();
      /** @type {Info[]} */
      let infos = [];
      for (let i = 1; i <= BURST; i++) infos = await this.#publish(`${text} ${i}/${BURST}`);
      return `${BURST} messages in ${Math.round(performance.now() - startMs)} ms. ${describeInfos(infos)}`;
    });
  }

  /** @param {string} text */
  #publish(text) {
    const eventType = this.#field("event-type").value.trim();
    return publishMessage(this.currentChannel(), text, this.#field("event-id").value.trim(), eventType);
  }

  /** Runs one thing at a time and shows how it ended. @param {() => Promise<string>} work */
  async #busyWith(work) {
    if (this.#busy) return;
    this.#setBusy(true);
    try {
      this.#show(await work(), "ok");
    } catch (error) {
      this.#show(`Not published: ${error instanceof Error ? error.message : error}`, "error");
    }
    this.#setBusy(false);
  }

  /** `disabled` would take the focus away from the button just pressed. @param {boolean} busy */
  #setBusy(busy) {
    this.#busy = busy;
    for (const button of this.form.querySelectorAll("button"))
      button.setAttribute("aria-disabled", String(busy));
  }

  /** @param {string} text @param {"ok" | "error"} kind */
  #show(text, kind) {
    this.result.dataset["kind"] = kind;
    this.result.textContent = text;
  }
}
