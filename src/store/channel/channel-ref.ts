/**
 * Which channel: the number of its record and the incarnation in which the record is that channel. The number
 * alone says nothing, because another process may collect the channel at any moment and give the record to
 * another one. So find() and open() read the two as one pair, and whoever goes on with a channel goes on with
 * both; what is read by the number is believed if the incarnation is still the same afterwards.
 */

/**
 * What find() and open() fill in: one a caller, used again and again, so that looking a channel up allocates
 * nothing.
 */
export class ChannelRef {
  /** -1: no channel. */
  index = -1;
  /** 0 is even, and no channel lives in an even one. */
  incarnation = 0;

  set(index: number, incarnation: number): void {
    this.index = index;
    this.incarnation = incarnation;
  }
}

/** A channel as whoever asked for it by name holds it. */
export interface NamedChannel {
  readonly index: number;
  readonly incarnation: number;
  readonly name: Uint8Array;
}
