/**
 * Which webhook wants to know what: the patterns of the configuration, compiled once a worker. Used by the
 * teller and the senders.
 */

import { compilePatterns, type Patterns } from "../config/grant/patterns.ts";
import type { WebhookConfig } from "../config/model/webhooks.ts";
import { GAP } from "../store/webhook/webhook-log.ts";

export class Interest {
  readonly #kinds: ReadonlySet<string>;
  readonly #channels: Patterns;

  constructor({ events, channels }: Pick<WebhookConfig, "events" | "channels">) {
    this.#kinds = new Set<string>(events);
    this.#channels = compilePatterns(channels, null);
  }

  /** `channel` as a binary string. A gap is for every webhook that is told of publishes or deletions. */
  wants(kind: string, channel: string): boolean {
    if (kind === GAP) return this.#kinds.has("published") || this.#kinds.has("deleted");
    return this.#kinds.has(kind) && this.#channels.covers(channel);
  }

  /** The same; the name is read out of the bytes where it matters. */
  wantsOf(kind: string, bytes: Uint8Array, length: number): boolean {
    const isOfAll = this.#channels.coversAll || kind === GAP;
    return this.wants(kind, isOfAll ? "" : latin1Of(bytes, 0, length));
  }
}

/** A view costs more than the characters of a name. */
export function latin1Of(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

export const binaryName = (name: Uint8Array): string => Buffer.from(name).toString("latin1");
