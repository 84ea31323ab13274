/**
 * What the four transports have in common: `connect` holds one subscription until it ends and tells a sink what comes. The
 * session (session.ts) calls it again and again; each transport keeps its own position between the calls.
 */

/** Upper bound of one message in a client buffer: a server that never ends a line must not eat this machine's memory. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** How long a server may take to accept a subscription before it counts as unreachable. */
export const HANDSHAKE_MS = 30_000;

/** One message. Null: this transport does not tell. */
export interface Delivery {
  readonly channel: string | null;
  readonly id: number | null;
  readonly position: string | null;
  /** Publish time, seconds since the epoch. */
  readonly time: number | null;
  readonly tag: number | null;
  readonly eventId: string | null;
  readonly eventType: string | null;
  /** Good until the call returns: it may be a view of a buffer that is written again. */
  readonly data: Uint8Array;
}

/** Receives what a connection brings. No method may throw. */
export interface Sink {
  /** The server accepted the subscription; called once a connection, before anything else. */
  opened(): void;
  delivered(message: Delivery): void;
  /** Messages were lost for good. Channel or count null: the server cannot tell. */
  missed(channel: string | null, count: number | null): void;
  /** A channel was deleted; `text` is the server's or the deleter's word. */
  deleted(channel: string | null, text: string): void;
  /** A sign of life without content; teaches the quiet watch the server's ping interval. */
  pinged(): void;
}

/** Why one connection ended. */
export type Ending =
  /** It stood and was lost, or the server ended it: connect again. */
  | { readonly kind: "closed"; readonly reason: string }
  /** The server said no. 5xx may pass, 4xx will not. */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly explain: string;
      readonly retryAfterMs: number | null;
    }
  /** No connection at all. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** The other side does not speak our protocol, or breaks its limits: trying again cannot help. */
  | { readonly kind: "broken"; readonly sentence: string };

/** What a transport that hands over nothing but bytes knows of a message. */
export const UNTOLD: Omit<Delivery, "data"> = {
  channel: null,
  id: null,
  position: null,
  time: null,
  tag: null,
  eventId: null,
  eventType: null,
};

export interface Transport {
  readonly name: string;
  /** True when the next `connect` goes on exactly behind the last message. */
  canResume(): boolean;
  /** The server's wish for a pause before reconnecting (SSE `retry:`), in ms; 0 = none. */
  retryMs(): number;
  /** Resolves when the connection is over; never rejects. Ends soon after the signal aborts. */
  connect(sink: Sink, signal: AbortSignal): Promise<Ending>;
}

export const closed = (reason: string): Ending => ({ kind: "closed", reason });
export const broken = (sentence: string): Ending => ({ kind: "broken", sentence });
