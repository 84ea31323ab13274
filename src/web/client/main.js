/** Puts the page together: the channel sentence, four lanes, the publish form, the commands. */
import { channelFromHash, channelToHash, DEFAULT_CHANNEL, DEFAULT_LAST, parseChannel } from "./channel.js";
import { Feed, transports } from "./feed.js";
import { Lane, pick } from "./lane.js";
import { PublishForm } from "./publish.js";
import { showCommands } from "./shell.js";
import { countSiblingConnections } from "./siblings.js";

const channelField = /** @type {HTMLInputElement} */ (pick(document, "#channel"));
const lastField = /** @type {HTMLInputElement} */ (pick(document, "#last"));
const allButton = pick(document, "#all");
const template = /** @type {HTMLTemplateElement} */ (pick(document, "#lane-template"));

/** Most HTTP connections all copies of this page may hold together: six, less one to publish with. */
const MOST_HELD = 5;

/** Two lines at once (all four lanes open together) become one announcement. @type {string[]} */
let announcements = [];
/** @param {string} text */
function announce(text) {
  if (announcements.push(text) > 1) return;
  setTimeout(() => {
    pick(document, "#announcer").textContent = announcements.slice(-6).join(". ");
    announcements = [];
  }, 700);
}

let channel = channelFromHash(location.hash);
if (channel.names.length === 0) channel = { names: [DEFAULT_CHANNEL], last: DEFAULT_LAST };

const feeds = transports.map((transport) => {
  const lane = new Lane(template, transport.name, transport.about, announce);
  const feed = new Feed(transport, laneView(lane));
  lane.toggle.addEventListener("click", () => (feed.wanted ? feed.disconnect() : feed.connect(channel)));
  lane.showAddress(feed.address(channel));
  pick(document, "#lanes").append(lane.element);
  setInterval(() => lane.tick(), 1000);
  return feed;
});

/**
 * The lane, and what the page as a whole wants to know.
 * @param {Lane} lane
 * @returns {import("./feed.js").View}
 */
function laneView(lane) {
  return {
    showState(state, detail) {
      lane.showState(state, detail);
      queueMicrotask(showAllButton);
    },
    showAddress: (address) => lane.showAddress(address),
    addMessage: (message) => lane.addMessage(message),
    addRemark: (text, kind) => lane.addRemark(text, kind),
    addGap: (missed) => lane.addGap(missed),
    clear: () => lane.clear(),
  };
}

function showAllButton() {
  allButton.textContent = feeds.some((feed) => feed.wanted) ? "Disconnect all" : "Connect all";
}

/** @param {import("./channel.js").Channel} next */
function useChannel(next) {
  if (next.names.length === 0) {
    channelField.reportValidity();
    return;
  }
  const changed = channelToHash(next) !== channelToHash(channel);
  channel = next;
  showChannel();
  if (!changed) return;
  for (const feed of feeds) {
    if (feed.wanted) feed.connect(channel);
    else feed.view.showAddress(feed.address(channel));
  }
}

function showChannel() {
  channelField.value = channel.names.join("/");
  lastField.value = String(channel.last);
  document.title = `${channel.names.join("/")} · sluice`;
  // Not a new history entry: going back should leave the page, not walk through what was typed.
  history.replaceState(null, "", `#${channelToHash(channel)}`);
  showCommands(pick(document, "#shell"), channel, announce);
}

function readFields() {
  const last = Math.min(Math.max(Math.trunc(Number(lastField.value)) || 0, 0), 1000);
  useChannel(parseChannel(channelField.value, last));
}

channelField.addEventListener("change", readFields);
lastField.addEventListener("change", readFields);
pick(document, "#where").addEventListener("submit", (event) => {
  event.preventDefault();
  readFields();
});
addEventListener("hashchange", () => useChannel(channelFromHash(location.hash)));
allButton.addEventListener("click", () => {
  const connected = feeds.some((feed) => feed.wanted);
  for (const feed of feeds) connected ? feed.disconnect() : feed.connect(channel);
});

new PublishForm(() => channel);
showChannel();

const countHeld = () => feeds.filter((feed) => feed.holdsHttp).length;
countSiblingConnections(countHeld).then((held) => {
  for (const feed of feeds) {
    if (feed.transport.kind === "websocket" || held + 3 <= MOST_HELD) feed.connect(channel);
    else
      feed.view.addRemark(
        `Not opened by itself: other tabs of this page hold ${held} of the six HTTP connections a ` +
          "browser allows.",
        "aside",
      );
  }
});
