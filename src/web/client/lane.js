/**
 * A lane of the page: state, the latest messages with the newest on top, count and rate. Made once for each
 * transport.
 */

/** @typedef {import("./feed.js").State} State */
/** @typedef {import("./feed.js").Received} Received */

/** Rows in the document; more would make a busy channel slow to draw and help nobody. */
const MOST_ROWS = 200;
/** Characters of one message in the document. The rest is counted, not drawn. */
const MOST_CHARACTERS = 2000;
const RATE_SECONDS = 4;

const stateWords = {
  closed: "closed",
  connecting: "connecting",
  open: "open",
  waiting: "reconnecting",
  refused: "refused",
};

/** @param {ParentNode} root @param {string} selector @returns {HTMLElement} */
export function pick(root, selector) {
  const element = root.querySelector(selector);
  if (!(element instanceof HTMLElement)) throw new Error(`page without ${selector}`);
  return element;
}

/**
 * Message text only ever becomes a text node.
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
export function makeElement(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

export class Lane {
  #count = 0;
  #missed = 0;
  #missedUnknown = false;
  /** Arrivals of the last seconds, the current one last. */
  #seconds = new Array(RATE_SECONDS).fill(0);
  /** Rows waiting for the next frame, oldest first. @type {HTMLElement[]} */
  #waiting = [];
  #frame = 0;
  /** @type {Animation | null} */
  #drop = null;

  /**
   * @param {HTMLTemplateElement} template
   * @param {string} name
   * @param {string} about
   * @param {(text: string) => void} announce
   */
  constructor(template, name, about, announce) {
    const copy = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.name = name;
    this.announce = announce;
    this.element = pick(copy, ".lane");
    this.toggle = pick(copy, ".toggle");
    this.list = pick(copy, "ol");
    pick(copy, "h3").textContent = name;
    pick(copy, ".about").textContent = about;
    const log = pick(copy, ".log");
    log.setAttribute("aria-label", `${name}: messages, newest first`);
    // Whoever has no mouse scrolls it with the arrow keys.
    log.tabIndex = 0;
    this.dropElement = this.element.appendChild(makeElement("span", "drop", ""));
    this.showState("closed", "");
  }

  /** @param {State} state @param {string} detail */
  showState(state, detail) {
    const before = this.element.dataset["state"];
    const wanted = state !== "closed" && state !== "refused";
    this.element.dataset["state"] = state;
    pick(this.element, ".state-word").textContent = stateWords[state];
    pick(this.element, ".state-detail").textContent = detail;
    this.toggle.textContent = wanted ? "Disconnect" : "Connect";
    this.toggle.setAttribute("aria-label", `${wanted ? "Disconnect" : "Connect"} ${this.name}`);
    // "connecting" is left out: it is over before it is read.
    if (before !== state && state !== "connecting") this.announce(`${this.name} ${stateWords[state]}`);
  }

  /** @param {string} address */
  showAddress(address) {
    const code = pick(this.element, ".address code");
    code.textContent = address;
    code.title = address;
  }

  /** @param {Received} message */
  addMessage(message) {
    this.#count++;
    this.#seconds[RATE_SECONDS - 1]++;
    const row = document.createElement("li");
    row.append(makeElement("time", "when", clock.format(new Date())));
    const cut = message.text.length > MOST_CHARACTERS;
    const shown = cut
      ? `${message.text.slice(0, MOST_CHARACTERS)}… (${message.text.length} characters)`
      : message.text;
    const text = makeElement("span", "text", "");
    if (message.type) text.append(makeElement("span", "type", message.type));
    text.append(shown);
    row.append(text);
    if (message.label) row.append(makeElement("span", "position", message.label));
    if (message.title) row.title = message.title;
    this.#add(row);
  }

  /** @param {string} text @param {"aside" | "refusal"} kind */
  addRemark(text, kind) {
    if (kind === "refusal") this.announce(`${this.name}: ${text}`);
    this.#add(makeElement("li", kind === "refusal" ? "aside refusal" : kind, text));
  }

  /** Also kept in the tally, where no later message pushes it out of sight. @param {number | null} missed */
  addGap(missed) {
    this.#missed += missed ?? 0;
    this.#missedUnknown ||= missed === null;
    const text = gapText(missed);
    this.announce(`${this.name}: ${text}`);
    this.#add(makeElement("li", "gap", text));
  }

  clear() {
    this.#count = 0;
    this.#missed = 0;
    this.#missedUnknown = false;
    this.#seconds.fill(0);
    this.#waiting = [];
    this.list.replaceChildren();
    this.#showTally();
  }

  /** Once a second, from main.js. */
  tick() {
    const idle = this.#seconds.every((n) => n === 0);
    this.#seconds.push(0);
    this.#seconds.shift();
    if (!idle) this.#showTally();
  }

  /**
   * A burst is drawn once a frame. In a hidden tab no frame comes, so what waits is bounded as well.
   * @param {HTMLElement} row
   */
  #add(row) {
    this.#waiting.push(row);
    if (this.#waiting.length > MOST_ROWS) this.#waiting.shift();
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const rows = this.#waiting.reverse();
    this.#waiting = [];
    this.list.prepend(...rows);
    while (this.list.childElementCount > MOST_ROWS) this.list.lastElementChild?.remove();
    this.#showTally();
    this.#letDropFall();
  }

  #showTally() {
    const rate = this.#seconds.reduce((sum, n) => sum + n, 0) / RATE_SECONDS;
    pick(this.element, ".count").textContent = `${this.#count} ${this.#count === 1 ? "message" : "messages"}`;
    const missed = this.#missedUnknown ? "some missed" : this.#missed > 0 ? `${this.#missed} missed` : "";
    pick(this.element, ".missed").textContent = missed;
    pick(this.element, ".rate").textContent =
      `${rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate)} /s`;
  }

  /** One drop runs down to the gate; never two at a time, so a burst stays calm. */
  #letDropFall() {
    if (this.#drop?.playState === "running" || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const gate = pick(this.element, ".dot").offsetTop + 4;
    this.#drop = this.dropElement.animate(
      [
        { opacity: 1, transform: "translateY(-4px)" },
        { opacity: 1, transform: `translateY(${gate}px)` },
      ],
      { duration: 320, easing: "ease-in" },
    );
  }
}

/** @param {number | null} missed null: how many cannot be known */
function gapText(missed) {
  if (missed === null) return "Gap: messages were missed; how many cannot be known.";
  return missed === 1
    ? "Gap: 1 message is no longer stored."
    : `Gap: ${missed} messages are no longer stored.`;
}
