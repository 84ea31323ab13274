/**
 * What an encoder needs to know of a message: the store's message plus the name of its channel. fanout fills
 * one and hands it to every wire form in turn; the server's own messages (ping, deletion, long-poll timeout)
 * are made here.
 */
export interface Renderable {
  /** 1, 2, 3 … per channel; below zero for the server's own messages. */
  readonly id: number;
  /** Channel name; empty for ping and timeout (push-stream spec 4.5). */
  readonly channel: Uint8Array;
  /** Publish time in whole seconds since 1970. */
  readonly time: number;
  readonly tag: number;
  /**
   * event id | event type | data; the event id starts at 0. May be longer than the message: a scratch buffer
   * is reused.
   */
  readonly bytes: Uint8Array;
  /** -1: the publish had none; 0: it had an empty one. */
  readonly eventIdLength: number;
  readonly eventTypeLength: number;
  readonly dataOffset: number;
  readonly dataLength: number;
}

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
  };
}
