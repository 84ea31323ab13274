/**
 * A chunked HTTP answer that never ends, read with fetch: one line a message.
 *
 * Lines carry no position, so after a break the page resumes by time: it asks for everything since a second before the last
 * line it saw and leaves out what it recognises. Exact resuming needs a transport with positions.
 */
import { channelsPath, ROOT } from "./channel.js";
import { reportRefusal } from "./feed.js";

/** @typedef {import("./feed.js").Link} Link */
/** @typedef {import("./feed.js").Transport} Transport */

/** What the default config sends as a ping on a stream: its text is one space (push-stream specification, 4.9). */
const PING = " ";
/** Longest line kept while its end has not come. */
const MOST_PENDING = 8 * 1024 * 1024;
/** How long after resuming lines are collected before they are compared with what was seen. */
const SETTLE_MS = 250;
const MOST_REMEMBERED = 200;

/** @type {Transport} */
export const streamTransport = {
  name: "Stream",
  about:
    "One HTTP answer that never ends, one line a message: curl can read it. Resumes by time, and cannot see gaps.",
  http: true,
  address(channel, memory) {
    return `${ROOT}sub/${channelsPath(channel, memory["recent"] ? 0 : channel.last)}`;
  },
  open(link) {
    const abort = new AbortController();
    follow(link, abort.signal);
    return () => abort.abort();
  },
};

/** @param {Link} link @param {AbortSignal} signal */
async function follow(link, signal) {
  const { memory } = link;
  /** @type {Record<string, string>} */
  const headers = {};
  if (memory["recent"]) {
    headers["If-Modified-Since"] = new Date(resumeSec(memory) * 1000).toUTCString();
    // Tag 0: from the first message of that second on.
    headers["If-None-Match"] = "W/0";
  }
  const intake = makeIntake(link, signal);
  try {
    const response = await fetch(streamTransport.address(link.channel, memory), {
      signal,
      headers,
      cache: "no-store",
    });
    if (!response.ok || !response.body) return reportRefusal(link, response);
    noteServerClock(memory, response);
    link.opened();
    await readLines(response.body, intake.take);
    intake.settle();
    link.dropped("The server ended the stream.");
  } catch {
    // Lines that came before the break have been seen: the next attempt counts on them.
    intake.settle();
    link.dropped("The connection was lost.");
  }
}

/**
 * Also used for a long poll's answer, whose last line may have no end.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body @param {(line: string) => void} take
 */
export async function readLines(body, take) {
  let pending = "";
  const offer = (/** @type {string} */ line) => line !== "" && line !== PING && take(line);
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (pending + value).split("\n");
    pending = lines.pop() ?? "";
    if (pending.length > MOST_PENDING) lines.push(pending.slice(0, MOST_PENDING));
    if (pending.length > MOST_PENDING) pending = "";
    lines.forEach(offer);
  }
  offer(pending);
}

/** @param {Link} link @param {string} line */
function takeLine(link, line) {
  const recent = /** @type {{ line: string, sec: number }[]} */ (link.memory["recent"]);
  recent.push({ line, sec: Date.now() / 1000 + link.memory["skewSec"] });
  if (recent.length > MOST_REMEMBERED) recent.shift();
  link.received({ text: line });
}

/** Times are the server's, so its Date header is compared with the clock here. @param {Record<string, any>} memory @param {Response} response */
function noteServerClock(memory, response) {
  const dateMs = Date.parse(response.headers.get("Date") ?? "");
  memory["skewSec"] = Number.isNaN(dateMs) ? 0 : (dateMs - Date.now()) / 1000;
  memory["recent"] ??= [];
  memory["connectedSec"] ??= Date.now() / 1000 + memory["skewSec"];
}

/** @param {Record<string, any>} memory @returns {number} */
function resumeSec(memory) {
  return Math.floor(memory["recent"].at(-1)?.sec ?? memory["connectedSec"]) - 1;
}

/**
 * Where lines go. After resuming, the first ones may have been seen before, so they are held and compared.
 * @param {Link} link @param {AbortSignal} signal
 */
function makeIntake(link, signal) {
  const isResuming = link.memory["recent"] !== undefined;
  const fromSec = isResuming ? resumeSec(link.memory) : 0;
  /** @type {string[] | null} */
  let held = isResuming ? [] : null;
  function settle() {
    if (!held || signal.aborted) return;
    const lines = held;
    held = null;
    for (const line of lines.slice(countSeen(link.memory["recent"], fromSec, lines))) takeLine(link, line);
  }
  /** @param {string} line */
  function take(line) {
    if (!held) return takeLine(link, line);
    if (held.length === 0) setTimeout(settle, SETTLE_MS);
    held.push(line);
  }
  return { take, settle };
}

/**
 * How many of the first `lines` are the last ones already shown: order is the same for everybody, so the answer begins with an
 * end of what was seen since then.
 * @param {{ line: string, sec: number }[]} recent @param {number} fromSec @param {string[]} lines
 */
function countSeen(recent, fromSec, lines) {
  const seen = recent.filter((entry) => entry.sec >= fromSec).map((entry) => entry.line);
  for (let length = Math.min(seen.length, lines.length); length > 0; length--) {
    if (seen.slice(-length).every((line, i) => line === lines[i])) return length;
  }
  return 0;
}
