/**
 * Idempotency keys as publishers say them: a message that comes again with its key is not published again,
 * and answered as the first was. Of a channel: the same key elsewhere is another. Read here from the header;
 * the store knows digests alone (store/message/keys.ts).
 */
import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { MAX_KEY_BYTES } from "../message.ts";
import type { KeyMark } from "../store/message/keys.ts";

export interface Key {
  readonly bytes: Uint8Array;
  /** 64 bits of what was sent with it: the same key with something else is a mistake of the publisher's. */
  readonly sent: bigint;
}

const NOTHING = new Uint8Array(0);
const digest = new Uint8Array(32);
/** Nobody else has a digest of nothing, so an id that is absent differs from one that is empty. */
const ABSENT = 1n;

/** Compared byte by byte, quotes included. null: it has none. */
export function keyOf(located: LocatedRequest): Uint8Array | Refusal | null {
  const value = located.header("idempotency-key");
  if (value === null) return null;
  const bytes = binaryBytes(value);
  return isKey(bytes) ? bytes : Refusals.faultyKey;
}

export const isKey = ({ length }: Uint8Array): boolean => length > 0 && length <= MAX_KEY_BYTES;

/** `data`, id and type are as they were sent, before a hook made something else of them. */
export function keyWith(
  bytes: Uint8Array,
  data: Uint8Array,
  eventId: Uint8Array | null,
  eventType: Uint8Array | null,
): Key {
  let sent = Bun.hash.wyhash(data);
  for (const text of [eventId, eventType])
    sent = Bun.hash.wyhash(text ?? NOTHING, text === null ? sent ^ ABSENT : sent);
  return { bytes, sent };
}

/** A cryptographic digest: who chooses keys for one channel must not meet those of another publisher. */
export function markOf(name: Uint8Array, { bytes, sent }: Key): KeyMark {
  // The length first, so that no name and key run together into those of others.
  const whole = Buffer.allocUnsafe(4 + name.length + bytes.length);
  whole.writeUInt32LE(name.length);
  whole.set(name, 4);
  whole.set(bytes, 4 + name.length);
  Bun.SHA256.hash(whole, digest);
  return {
    digest: new Uint32Array(digest.slice(0, 16).buffer),
    bodyLow: Number(sent & 0xffff_ffffn),
    bodyHigh: Number(sent >> 32n),
  };
}
