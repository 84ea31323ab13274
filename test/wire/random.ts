/**
 * Inputs for the tests of this folder: messages as the store hands them over, bytes of short texts, and a
 * seeded random generator, so that a failure can be run again with the printed seed (`FUZZ_SEED=123 bun test
 * test/wire`).
 */
import type { Renderable } from "../../src/wire/renderable.ts";

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= n < limit (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }

  /** Up to maxParts of the given parts in a row. */
  text(parts: readonly [string, ...string[]], maxParts: number): string {
    let text = "";
    for (let count = this.below(maxParts + 1); count > 0; count--) text += this.pick(parts);
    return text;
  }

  bytes(maxLength: number): Uint8Array {
    return Uint8Array.from({ length: this.below(maxLength + 1) }, () => this.below(256));
  }
}

/** A generator for one test; prints what to set FUZZ_SEED to. */
export function seededRandom(label: string): Random {
  const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${label}: FUZZ_SEED=${seed}`);
  return new Random(seed);
}

export const latin1 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (char) => char.charCodeAt(0));
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
export const asLatin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export interface MessageParts {
  id?: number;
  channel?: string;
  time?: number;
  tag?: number;
  eventId?: string;
  eventType?: string;
  text?: string;
}

/**
 * A message as the store hands it over: texts are binary (one char a byte), and old bytes lie behind its end.
 */
export function message(parts: MessageParts): Renderable {
  const { eventId, eventType, text = "" } = parts;
  const head = `${eventId ?? ""}${eventType ?? ""}`;
  return {
    id: parts.id ?? 7,
    channel: latin1(parts.channel ?? "ch1"),
    time: parts.time ?? 1715289393,
    tag: parts.tag ?? 3,
    bytes: latin1(`${head}${text}\nstale`),
    eventIdLength: eventId?.length ?? -1,
    eventTypeLength: eventType?.length ?? -1,
    dataOffset: head.length,
    dataLength: text.length,
    traceLength: 0,
  };
}
