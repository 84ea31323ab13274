/**
 * What the reader typed as a channel, and the ways it is written: in the address after `#`, in a subscriber's
 * path, in the publisher's query. Used by every other file of the page.
 */

/**
 * @typedef {{ names: string[], last: number }} Channel one or more names, and how many stored messages to ask
 * for first
 */

export const DEFAULT_CHANNEL = "lobby";
export const DEFAULT_LAST = 10;

/**
 * Reads `a/b`, also with the `.bN` of the channels path ("room.b5": the last five stored): a reader may paste
 * what a log shows.
 * @param {string} text
 * @param {number} last
 * @returns {Channel}
 */
export function parseChannel(text, last) {
  const channel = { names: /** @type {string[]} */ ([]), last };
  for (const part of text.split("/")) {
    const backtrack = /^(.*)\.b(\d+)$/.exec(part.trim());
    if (backtrack) channel.last = Math.min(Number(backtrack[2]), 1000);
    const name = backtrack ? (backtrack[1] ?? "") : part.trim();
    if (name !== "") channel.names.push(name);
  }
  return channel;
}

/**
 * The path below which the server is, as the browser sees it: "/", or "/push/" where a proxy has it there.
 * The server knows how deep below that the page stands, and says so.
 */
export const ROOT = new URL(document.documentElement.dataset["root"] ?? "./", location.href).pathname;

/** `'` stays literal in encodeURIComponent and would end a shell's quotes. @param {string} name */
const encodeName = (name) => encodeURIComponent(name).replaceAll("'", "%27");

/** The channels path `a.b5/b.b5`; without `.bN` for 0. @param {Channel} channel @param {number} last */
export function channelsPath(channel, last) {
  return channel.names.map((name) => encodeName(name) + (last > 0 ? `.b${last}` : "")).join("/");
}

/** @param {Channel} channel */
export function publishPath(channel) {
  return `${ROOT}pub?id=${channelsPath(channel, 0)}`;
}

/** The part after `#`; the usual number of stored messages is left out. @param {Channel} channel */
export function channelToHash(channel) {
  return channelsPath(channel, channel.last === DEFAULT_LAST ? 0 : channel.last);
}

/** @param {string} hash as in location.hash */
export function channelFromHash(hash) {
  let text = hash.slice(1);
  try {
    text = decodeURIComponent(text);
  } catch {
    // A stray % in an address typed by hand: then it means itself.
    text = hash.slice(1);
  }
  return parseChannel(text, DEFAULT_LAST);
}
