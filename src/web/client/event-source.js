/** Server-Sent Events through the browser's own EventSource, which reconnects and sends Last-Event-ID by itself. */
import { channelsPath, ROOT } from "./channel.js";
import { reportRefusal } from "./feed.js";
import { isNews, parsePosition } from "./position.js";

/** @typedef {import("./feed.js").Link} Link */
/** @typedef {import("./feed.js").Transport} Transport */

/** @type {Transport} */
export const eventSourceTransport = {
  name: "SSE",
  about:
    "EventSource. Every event carries its position as id; the browser reconnects by itself and sends the last one back.",
  http: true,
  address(channel, memory) {
    if (!memory["lastId"]) return `${ROOT}ev/${channelsPath(channel, channel.last)}`;
    return `${ROOT}ev/${channelsPath(channel, 0)}?eventid=${encodeURIComponent(memory["lastId"])}`;
  },
  open(link) {
    const address = eventSourceTransport.address(link.channel, link.memory);
    const source = new EventSource(address);
    source.onopen = link.opened;
    source.onmessage = (event) => takeEvent(link, event);
    source.addEventListener("gap", (event) => takeGap(link, event));
    for (const type of link.types) listenFor(source, type, link);
    source.onerror = (event) => {
      // A publisher may have used "error" as an event type.
      if (event instanceof MessageEvent) return takeEvent(link, event);
      takeError(link, source, address);
    };
    return () => source.close();
  },
};

/** A browser hands an event with a type only to listeners for that type. @param {EventSource} source @param {string} type @param {Link} link */
function listenFor(source, type, link) {
  if (["message", "gap", "error", "open"].includes(type)) return;
  source.addEventListener(type, (event) => takeEvent(link, event));
}

/** @param {Link} link @param {MessageEvent} event */
function takeEvent(link, event) {
  const unheard = countUnheard(link, event.lastEventId);
  if (!moveTo(link, event.lastEventId)) return;
  if (unheard > 0) link.note(`${unheard} of a type nobody listened for passed by unheard.`);
  const at = parsePosition(event.lastEventId)?.at.join(",");
  link.received({
    text: event.data,
    type: event.type === "message" ? undefined : event.type,
    label: at ? `@${at}` : event.lastEventId,
    title: event.lastEventId && `id ${event.lastEventId}`,
  });
}

/** @param {Link} link @param {MessageEvent} event */
function takeGap(link, event) {
  let missed = null;
  try {
    missed = JSON.parse(event.data).missed ?? null;
  } catch {
    // Not the server's: a publisher chose the event type "gap".
    return takeEvent(link, event);
  }
  if (moveTo(link, event.lastEventId)) link.gap(typeof missed === "number" ? missed : null);
}

/**
 * Notes the id reached. Reconnecting with both a `?eventid=` of old and a newer Last-Event-ID may bring some events twice.
 * @param {Link} link @param {string} id @returns {boolean} false: seen before
 */
function moveTo(link, id) {
  const next = parsePosition(id);
  const seen = parsePosition(link.memory["lastId"]);
  if (next && !isNews(next, seen)) return false;
  if (id) link.memory["lastId"] = id;
  return true;
}

/**
 * Positions of one channel are consecutive, so a leap without a gap event is events of types that EventSource swallowed.
 * @param {Link} link @param {string} id
 */
function countUnheard(link, id) {
  const [before, after] = [parsePosition(link.memory["lastId"]), parsePosition(id)];
  if (before?.at.length !== 1 || before.epoch !== after?.epoch) return 0;
  return (after.at[0] ?? 0) - (before.at[0] ?? 0) - 1;
}

/** @param {Link} link @param {EventSource} source @param {string} address */
function takeError(link, source, address) {
  if (source.readyState === EventSource.CLOSED) {
    askWhy(link, address);
  } else if (link.memory["lastId"] && link.channel.last > 0 && !address.includes("?eventid=")) {
    // The browser would come back to the same address, and there `.bN` is stronger than Last-Event-ID: the last N again
    // instead of what was missed. So this one time the page opens it anew without `.bN`.
    source.close();
    link.dropped("The connection was lost.");
  } else {
    link.interrupted("The connection was lost; the browser is trying again.");
  }
}

/** EventSource does not tell a status, so the same question is asked in a way that does. @param {Link} link @param {string} address */
async function askWhy(link, address) {
  const abort = new AbortController();
  try {
    const response = await fetch(address, { signal: abort.signal, headers: { Accept: "text/event-stream" } });
    if (response.ok) link.dropped("The answer was not an event stream.");
    else reportRefusal(link, response);
  } catch {
    link.dropped("The server does not answer.");
  } finally {
    abort.abort();
  }
}
