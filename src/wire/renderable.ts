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
   * event id | event type | data | trace; the event id starts at 0. May be longer than the message: a scratch
   * buffer is reused.
   */
  readonly bytes: Uint8Array;
  /** -1: the publish had none; 0: it had an empty one. */
  readonly eventIdLength: number;
  readonly eventTypeLength: number;
  readonly dataOffset: number;
  readonly dataLength: number;
  /** Of its `traceparent` right behind the data; 0: it has none. */
  readonly traceLength: number;
}
