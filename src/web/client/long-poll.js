/**
 * Long polling with fetch: a request that is answered when there is news, then the next one with the position of that answer
 * (Last-Modified and Etag come back as If-Modified-Since and If-None-Match). One line a message.
 */
import { channelsPath, ROOT } from "./channel.js";
import { reportRefusal } from "./feed.js";
import { readLines } from "./stream.js";

/** @typedef {import("./feed.js").Link} Link */
/** @typedef {import("./feed.js").Transport} Transport */

/** A request that is neither answered nor refused this long is being held, which is what a long poll is for. */
const HELD_AFTER_MS = 250;
/** Asked anew after this, in case the connection died without a word. */
const LONGEST_POLL_MS = 90_000;

/** @type {Transport} */
export const longPollTransport = {
  name: "Long poll",
  about:
    "Plain requests, each held until there is news. The next one carries Last-Modified and Etag of the last answer. Sluice-Gap tells what was lost.",
  http: true,
  address(channel, memory) {
    // `.bN` only until there is a position: it would be answered at once, again and again.
    return `${ROOT}lp/${channelsPath(channel, memory["since"] ? 0 : channel.last)}`;
  },
  open(link) {
    const abort = new AbortController();
    pollUntil(link, abort.signal);
    return () => abort.abort();
  },
};

/** @param {Link} link @param {AbortSignal} signal */
async function pollUntil(link, signal) {
  while (!signal.aborted) {
    const held = setTimeout(link.opened, HELD_AFTER_MS);
    try {
      if (!(await pollOnce(link, signal))) return;
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "TimeoutError"))
        return link.dropped("The connection was lost.");
    } finally {
      clearTimeout(held);
    }
  }
}

/** @param {Link} link @param {AbortSignal} signal @returns {Promise<boolean>} false: refused, ask no more */
async function pollOnce(link, signal) {
  const { memory } = link;
  /** @type {Record<string, string>} */
  const headers = {};
  if (memory["since"]) headers["If-Modified-Since"] = memory["since"];
  if (memory["tag"]) headers["If-None-Match"] = memory["tag"];
  const response = await fetch(longPollTransport.address(link.channel, memory), {
    headers,
    cache: "no-store",
    signal: AbortSignal.any([signal, AbortSignal.timeout(LONGEST_POLL_MS)]),
  });
  if (response.status === 304) {
    // Timed out with nothing new. Its time is only worth keeping when there is no message to count from.
    if (!memory["since"]) keepPosition(memory, response);
    return true;
  }
  if (!response.ok || !response.body) {
    reportRefusal(link, response);
    return false;
  }
  link.opened();
  const tag = (response.headers.get("Etag") ?? "").replace(/^W\/|"/g, "");
  /** @type {string[]} */
  const lines = [];
  await readLines(response.body, (line) => lines.push(line));
  // Only now: an answer that broke off is asked for again.
  keepPosition(memory, response);
  for (const missed of gapsOf(response)) link.gap(missed);
  for (const [i, text] of lines.entries()) {
    link.received({ text, ...labelOf(i === lines.length - 1, tag, memory["since"]) });
  }
  return true;
}

/**
 * `Sluice-Gap: news=3, other=unknown`: how many messages are missing, for each channel that lacks some.
 * @param {Response} response @returns {(number | null)[]}
 */
function gapsOf(response) {
  const items = response.headers.get("Sluice-Gap")?.split(",") ?? [];
  return items
    .map((item) => /=(\d+)\s*$/.exec(item)?.[1])
    .map((missed) => (missed === undefined ? null : Number(missed)));
}

/** The headers are the position of the answer's last message. @param {boolean} isLast @param {string} tag @param {string} since */
function labelOf(isLast, tag, since) {
  return isLast && since ? { label: `tag ${tag}`, title: `${since}, tag ${tag}` } : {};
}

/** @param {Record<string, any>} memory @param {Response} response */
function keepPosition(memory, response) {
  memory["since"] = response.headers.get("Last-Modified");
  memory["tag"] = response.headers.get("Etag");
}
