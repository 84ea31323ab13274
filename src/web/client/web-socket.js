/** WebSocket with the subprotocol sluice.json.v1: one JSON object a frame. Resumes with `?eventid=<position>`. */
import { channelsPath, ROOT } from "./channel.js";
import { formatPosition, isNews, parsePosition } from "./position.js";

/** @typedef {import("./feed.js").Link} Link */
/** @typedef {import("./feed.js").Transport} Transport */
/** @typedef {import("./position.js").Position} Position */

/**
 * A frame of sluice.json.v1; which fields are there depends on `kind`.
 * @typedef {object} Frame
 * @property {"hello" | "message" | "gap" | "ping" | "deleted"} kind
 * @property {string} [channel] @property {number} [id] @property {string} [position] @property {number} [time]
 * @property {string} [event_id] @property {string} [event_type] @property {string} [data] @property {string} [data_base64]
 * @property {number | null} [missed] @property {string[]} [channels]
 */

const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;

/** @type {Transport} */
export const webSocketTransport = {
  name: "WebSocket",
  about:
    "Frames of sluice.json.v1 with id, position and time. After a break the page asks for what came since its last position.",
  http: false,
  address(channel, memory) {
    const at = memory["seen"] ?? memory["start"];
    if (!at) return `${ROOT}ws/${channelsPath(channel, channel.last)}`;
    return `${ROOT}ws/${channelsPath(channel, 0)}?eventid=${encodeURIComponent(formatPosition(at))}`;
  },
  open(link) {
    const url = new URL(webSocketTransport.address(link.channel, link.memory), location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, "sluice.json.v1");
    socket.onopen = link.opened;
    // A server that did not choose the subprotocol sends its template's text.
    socket.onmessage = ({ data }) =>
      socket.protocol === "" ? link.received({ text: String(data) }) : takeFrame(link, JSON.parse(data));
    socket.onclose = (event) => takeClose(link, event);
    return () => socket.close();
  },
};

/** @param {Link} link @param {Frame} frame */
function takeFrame(link, frame) {
  if (frame.kind === "hello") return takeHello(link, frame);
  if (frame.kind === "deleted") return link.note(frame.data ?? "Channel deleted");
  if (frame.kind !== "message" && frame.kind !== "gap") return;
  if (!moveTo(link, frame)) return;
  if (frame.kind === "gap") return link.gap(frame.missed ?? null);
  const several = link.channel.names.length > 1;
  link.received({
    text: frame.data ?? `base64 ${frame.data_base64}`,
    type: frame.event_type,
    label: several ? `${frame.channel} #${frame.id}` : `#${frame.id}`,
    title: [`position ${frame.position}`, frame.event_id && `event id ${frame.event_id}`]
      .filter(Boolean)
      .join(", "),
  });
}

/**
 * The server's first frame says where the connection stands. It is only good for resuming a connection that saw no message:
 * stored messages that follow it are older.
 * @param {Link} link @param {Frame} frame
 */
function takeHello(link, frame) {
  const start = parsePosition(frame.position);
  if (start) link.memory["start"] = start;
}

/** Notes the position of a frame. @param {Link} link @param {Frame} frame @returns {boolean} false: seen before */
function moveTo(link, frame) {
  const { memory } = link;
  const next = parsePosition(frame.position);
  if (!next) return true;
  const seen = /** @type {Position | null} */ (memory["seen"] ?? null);
  if (!isNews(next, seen)) return false;
  memory["seen"] = next;
  return true;
}

/** @param {Link} link @param {CloseEvent} event */
function takeClose(link, event) {
  if (event.code === GOING_AWAY) return link.dropped("The server is going away.");
  if (event.code !== POLICY_VIOLATION) return link.dropped("The connection was lost.");
  const reason = /** @type {{ http_status?: number, explain?: string }} */ (parseReason(event.reason));
  link.refused(`${reason.http_status ?? event.code} ${reason.explain ?? event.reason}`.trim());
}

/** A refusal's reason is JSON (push-stream specification, 4.13.6), but a proxy may close with words of its own. @param {string} reason */
function parseReason(reason) {
  try {
    return JSON.parse(reason);
  } catch {
    return { explain: reason };
  }
}
