/**
 * What a connection knows of itself by yes or no, and its state: bits of one number (outlet.ts). A field for
 * each would be 0.16 kB more for every subscriber that only waits. Used by the classes that connection.ts is
 * made of, and by those that take its socket over.
 */

/** The two lowest bits: what receiving.ts calls its state, or the `readyState` of a WebSocket. */
export const STATE = 3;

// outlet.ts
/** Nothing can be written any more. */
export const CLOSED = 1 << 2;
/** Corked until the end of the turn. */
export const LATE = 1 << 3;
/** What it was given is to leave with what others are given (volleys.ts). */
export const AIMED = 1 << 18;

// answering.ts
/** The answer is the connection's last. */
export const LAST = 1 << 4;
/** The request is a HEAD, whose answer has no body. */
export const HEAD = 1 << 5;
/** HTTP/1.0: no chunks, the end of the connection is the end of the body. */
export const OLD = 1 << 6;
/** Each write of the held stream leaves at once, without a flush. */
export const DIRECT = 1 << 7;
/** Its pieces are chunks: nobody has said how long it is. */
export const CHUNKED = 1 << 8;

// receiving.ts
/** In the middle of reading. */
export const READING = 1 << 9;
/** The client has closed its end. */
export const ENDED = 1 << 10;
/** At the end what may still come is waited for. */
export const LINGERS = 1 << 11;
/** It is not read from. */
export const PAUSED = 1 << 12;
/** Its first request is here, and waits for its turn (newcomers.ts). */
export const NEXT = 1 << 13;

// connection.ts
/** There are as many as may be; it is told so. */
export const EXTRA = 1 << 14;
/** The socket is another's. */
export const UPGRADED = 1 << 15;

/** It has asked for something. */
export const ASKED = 1 << 17;

// wire-socket.ts
/** Its peer knows that it is closed. */
export const TOLD = 1 << 16;
