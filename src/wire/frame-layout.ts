/**
 * A frame of the WebSocket protocol (RFC 6455 5.2), for the two that know its bytes: frame-decoder.ts reads
 * those of clients, frame-encoder.ts makes those of the server. The mask stands in frames of clients only.
 *
 *    0               1               2 …                 mask      payload
 *   +-+-+-+-+-------+-+-------------+-------------------+---------+--------
 *   |F|R|R|R|opcode |M| length (7)  | 126: 2, 127: 8    | M: 4    |
 *   +-+-+-+-+-------+-+-------------+-------------------+---------+--------
 */
export const FINAL = 0x80;
/** Extensions give them a meaning. */
export const RESERVED = 0x70;
/**
 * Of them the one that says of a message's first frame that it is compressed, where that was agreed on
 * (permessage-deflate, RFC 7692 6).
 */
export const COMPRESSED = 0x40;
export const OPCODE = 0x0f;
/** Opcodes with it are of control frames. */
export const CONTROL = 0x08;
export const MASKED = 0x80;
export const MASK_BYTES = 4;

/**
 * Lengths up to here stand in the second byte; the next two say that 2 and 8 bytes with the length follow.
 */
export const SHORT = 125;
export const IN_TWO_BYTES = 126;
export const IN_EIGHT_BYTES = 127;
export const MAX_IN_TWO = 0xffff;

/** Plain constants: an object's members are not inlined, and these are compared for every frame. */
export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;
