/**
 * Where a WebSocket subscription stands, channel by channel. Used by the websocket transport; the other transports get one
 * ready-made position from the server (SSE id, Last-Modified + Etag) and only hand it back.
 *
 * Positions only grow inside an epoch; another epoch means that the store lost its content, so what was known is void.
 */
import { formatPosition, parsePosition } from "../../wire/position.ts";

export class Positions {
  #epoch = -1;
  #channels: readonly string[] = [];
  /** Where to go on: behind the last message, or where the server said the subscription began. */
  readonly #resume = new Map<string, number>();
  /** The last message that was really received; only this decides what is a duplicate. */
  readonly #received = new Map<string, number>();

  /** The server's first frame: the channels in path order and where each begins. Known positions of the same epoch are kept. */
  begin(channels: readonly string[], tokens: readonly string[]): void {
    this.#channels = channels;
    channels.forEach((channel, index) => {
      const position = this.#read(tokens[index] ?? "");
      if (position !== null && !this.#resume.has(channel)) this.#resume.set(channel, position);
    });
  }

  /** Takes the position of a message; false when it was received before and must not be shown again. */
  receive(channel: string, token: string): boolean {
    const position = this.#read(token);
    if (position === null) return true;
    if (position <= (this.#received.get(channel) ?? -1)) return false;
    this.#received.set(channel, position);
    this.#advance(channel, position);
    return true;
  }

  /** A gap was told: go on behind it. */
  skipTo(channel: string, token: string): void {
    const position = this.#read(token);
    if (position !== null) this.#advance(channel, position);
  }

  /** The token for the next connection; null when some channel's position is not known yet. */
  token(): string | null {
    const positions: number[] = [];
    for (const channel of this.#channels) {
      const position = this.#resume.get(channel);
      if (position === undefined) return null;
      positions.push(position);
    }
    return positions.length === 0 ? null : formatPosition(this.#epoch, positions);
  }

  #advance(channel: string, position: number): void {
    if (position > (this.#resume.get(channel) ?? -1)) this.#resume.set(channel, position);
  }

  /** The position in a one-channel token, entering its epoch; null when it is no token. */
  #read(text: string): number | null {
    const token = parsePosition(text, 1);
    const position = token?.positions[0];
    if (token === null || position === undefined) return null;
    if (token.epoch !== this.#epoch) {
      this.#epoch = token.epoch;
      this.#resume.clear();
      this.#received.clear();
    }
    return position;
  }
}
