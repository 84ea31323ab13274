import type { Renderable } from "../../src/wire/renderable.ts";

const NO_CHANNEL = new Uint8Array(0);

/**
 * A message the server makes for one connection: time and tag 0, no event id or type (push-stream spec 2.7,
 * 4.9, 4.10).
 */
export function serverMessage(id: number, text: Uint8Array, channel: Uint8Array = NO_CHANNEL): Renderable {
  return {
    id,
    channel,
    time: 0,
    tag: 0,
    bytes: text,
    eventIdLength: -1,
    eventTypeLength: -1,
    dataOffset: 0,
    dataLength: text.length,
    traceLength: 0,
  };
}
