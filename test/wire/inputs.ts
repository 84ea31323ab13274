/** Inputs for the tests of this folder: messages as the store hands them over, and bytes of short texts. */
import type { Renderable } from "../../src/wire/renderable.ts";

export const latin1 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (char) => char.charCodeAt(0));
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
export const asLatin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export interface MessageParts {
  id?: number;
  channel?: string;
  time?: number;
  tag?: number;
  eventId?: string;
  eventType?: string;
  text?: string;
}

/**
 * A message as the store hands it over: texts are binary (one char a byte), and old bytes lie behind its end.
 */
export function message(parts: MessageParts): Renderable {
  const { eventId, eventType, text = "" } = parts;
  const head = `${eventId ?? ""}${eventType ?? ""}`;
  return {
    id: parts.id ?? 7,
    channel: latin1(parts.channel ?? "ch1"),
    time: parts.time ?? 1715289393,
    tag: parts.tag ?? 3,
    bytes: latin1(`${head}${text}\nstale`),
    eventIdLength: eventId?.length ?? -1,
    eventTypeLength: eventType?.length ?? -1,
    dataOffset: head.length,
    dataLength: text.length,
    traceLength: 0,
  };
}
