/**
 * Where a WebSocket subscription stands. Used by the websocket transport; the other transports get one ready-made position from the
 * server as well (SSE id, Last-Modified + Etag) and only hand it back, but here it is seen what was received of each channel, too.
 *
 * Positions only grow inside a life; another life means that the store lost its content, so what was known is void.
 */
import { parsePosition } from "../../wire/position.ts";

export class Positions {
  #life = "";
  #token: string | null = null;
  #channels: readonly string[] = [];
  /** The last message that was really received of each channel; only this decides what is a duplicate. */
  readonly #received = new Map<string, number>();

  /** The server's first frame: the channels in path order and where the connection begins. What is known of the same life is kept. */
  begin(channels: readonly string[], token: string): void {
    this.#channels = channels;
    const isNew = this.#positionsIn(token).isNew;
    if (isNew || this.#token === null) this.#token = token;
  }

  /** Takes the position of a message; false when it was received before and must not be shown again. */
  receive(channel: string, token: string): boolean {
    const { positions } = this.#positionsIn(token);
    if (positions.length > 0) this.#token = token;
    const position = positions[this.#channels.indexOf(channel)];
    if (position === undefined) return true;
    if (position <= (this.#received.get(channel) ?? -1)) return false;
    this.#received.set(channel, position);
    return true;
  }

  /** A gap was told: go on behind it. */
  skipTo(token: string): void {
    if (this.#positionsIn(token).positions.length > 0) this.#token = token;
  }

  /** The token for the next connection; null before the first. */
  token(): string | null {
    return this.#token;
  }

  /** The numbers of a token, entering its life. */
  #positionsIn(text: string): { positions: readonly number[]; isNew: boolean } {
    const token = parsePosition(text, Number.MAX_SAFE_INTEGER);
    if (token === null) return { positions: [], isNew: false };
    const isNew = token.life !== this.#life;
    if (isNew) {
      this.#life = token.life;
      this.#received.clear();
    }
    return { positions: token.positions, isNew };
  }
}
