/**
 * From what the server sends to messages, and what of them is remembered as position (push-stream spec 9.4).
 * Pure functions, called by client.ts and the connections. Nothing is ever evaluated: texts are JSON or are
 * dropped.
 */
import type { Position, Settings } from "./settings.ts";

/**
 * As the location's message template made it; only the id is looked at, the rest goes to the page as it came.
 */
export interface PushMessage {
  /**
   * > 0: a message; -1 ping, -2 channel deleted, -3 end of a long poll. Strictly a number: "5" is not a
   * message.
   */
  readonly id: unknown;
  readonly channel: unknown;
  readonly text: unknown;
  readonly tag: unknown;
  readonly time: unknown;
  readonly eventId: unknown;
}

export type MessageKeys = Pick<
  Settings,
  "jsonIdKey" | "jsonChannelKey" | "jsonTextKey" | "jsonTagKey" | "jsonTimeKey" | "jsonEventIdKey"
>;

/** Any number of JSON values from one text, and how many pieces were none. */
export interface Parsed {
  readonly items: readonly unknown[];
  readonly badPieces: number;
}

const PIECE_ENDS = /\r\n|\n/;

function parseJson(text: string): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null; // The caller counts it.
  }
}

/**
 * The JSON values of a long poll's body, one after another with or without a line break between them. "}{"
 * inside of a text breaks it, which is why publishers encode their texts.
 */
export function parseBody(body: string): Parsed {
  const items: unknown[] = [];
  let badPieces = 0;
  for (const piece of body.replaceAll("}{", "}\r\n{").split(PIECE_ENDS)) {
    if (piece.trim() === "") continue;
    const json = parseJson(piece);
    if (json === null) badPieces++;
    else items.push(json.value);
  }
  return { items, badPieces };
}

/**
 * One event or frame: one JSON value. An eventsource location makes a value of each line of a text that has
 * several, and the browser hands over those as one event.
 */
export function parseEvent(data: unknown): Parsed {
  if (typeof data !== "string") return { items: [], badPieces: 1 };
  const json = parseJson(data);
  return json === null ? parseBody(data) : { items: [json.value], badPieces: 0 };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** null for what is no object. */
export function readMessage(item: unknown, keys: MessageKeys): PushMessage | null {
  if (!isObject(item)) return null;
  return {
    id: item[keys.jsonIdKey],
    channel: item[keys.jsonChannelKey],
    text: item[keys.jsonTextKey],
    tag: item[keys.jsonTagKey],
    time: item[keys.jsonTimeKey],
    eventId: item[keys.jsonEventIdKey],
  };
}

/**
 * Texts are published URI-encoded. One that was not, and has a stray "%", is taken as it is rather than lost.
 */
export function decodeText(text: unknown): unknown {
  if (typeof text !== "string") return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * How texts are published. Apostrophes too, which encodeURIComponent leaves: the stream mode's template puts
 * texts between apostrophes in a script, and a text that could end there would be a program in every
 * subscriber's page.
 */
export const encodeText = (text: string): string => encodeURIComponent(text).replaceAll("'", "%27");

const isMessage = ({ id }: PushMessage): boolean => typeof id === "number" && id > 0;

/**
 * Messages only: ping, deletion and timeout carry the epoch as time, and the next poll would ask for
 * everything again.
 */
export function rememberLast(message: PushMessage, position: Position, settings: Settings): void {
  if (!isMessage(message)) return;
  const { time, tag, eventId } = message;
  if (time) position.time = String(time);
  if (tag) position.tag = String(tag);
  if (eventId) settings.lastEventId = String(eventId);
}

/**
 * Orders by time, then tag, which counts through one second over all channels. Texts that are no dates keep
 * their order.
 */
const isLater = (message: PushMessage, than: PushMessage): boolean => {
  const difference = Date.parse(String(message.time)) - Date.parse(String(than.time));
  if (Number.isNaN(difference) || difference > 0) return true;
  return difference === 0 && Number(message.tag) >= Number(than.tag);
};

/**
 * Of the messages of a long poll the newest is the position, not the last: they come channel by channel, and
 * asking from the last one would bring newer ones of the channels before it twice. Nothing is skipped,
 * because the server holds back what is newer than the answer's Last-Modified and Etag. False when there is
 * no message in the batch.
 */
export function rememberNewest(
  batch: readonly PushMessage[],
  position: Position,
  settings: Settings,
): boolean {
  let newest: PushMessage | null = null;
  for (const message of batch) {
    if (isMessage(message) && (newest === null || isLater(message, newest))) newest = message;
  }
  if (newest === null) return false;
  rememberLast(newest, position, settings);
  position.isFromServer = true;
  return true;
}
