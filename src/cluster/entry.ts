/**
 * One entry of the log as it comes from the engine: an id `term-n` and fields, of which `h` is the head that script.ts writes. Read by
 * log-reader.ts. What cannot be read is null: another version wrote it, or somebody else.
 */
import type { Fork, LogMessage, LogPlace } from "../store/replica-store.ts";

export type Entry =
  | { readonly kind: "message"; readonly message: LogMessage; readonly who: string; readonly request: number }
  | {
      readonly kind: "deletion";
      readonly place: LogPlace;
      readonly channel: Uint8Array;
      readonly text: Uint8Array;
      readonly who: string;
      readonly request: number;
    }
  | { readonly kind: "incarnation"; readonly place: LogPlace; readonly fork: Fork; readonly base: number }
  | { readonly kind: "heartbeat"; readonly place: LogPlace; readonly who: string; readonly said: Uint8Array }
  | { readonly kind: "gone"; readonly place: LogPlace; readonly node: string };

export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[]];

const NOTHING = new Uint8Array(0);

/** Of an id: `term-n`. */
export function readId(id: Buffer): { term: number; n: number } {
  const text = id.toString("latin1");
  const dash = text.indexOf("-");
  return { term: Number(text.slice(0, dash)), n: Number(text.slice(dash + 1)) };
}

export function readEntry(shard: number, [id, fields]: RawEntry): Entry | null {
  const { term, n } = readId(id);
  const head = fields[1]?.toString("latin1").split(" ") ?? [];
  const [kind, sec, tag, total, top, ...rest] = head;
  const numbers = [term, n, Number(sec), Number(tag), Number(total), Number(top)];
  if (kind === undefined || !numbers.every(Number.isSafeInteger)) return null;
  const place: LogPlace = {
    shard,
    term,
    n,
    sec: Number(sec),
    tag: Number(tag),
    total: Number(total),
    top: Number(top),
  };
  switch (kind) {
    case "m":
      return readMessage(place, rest, fields);
    case "d":
      return {
        kind: "deletion",
        place,
        channel: fields[3] ?? NOTHING,
        text: fields[5] ?? NOTHING,
        who: rest[0] ?? "",
        request: Number(rest[1]),
      };
    case "i":
      return {
        kind: "incarnation",
        place,
        fork: { term: Number(rest[0]), n: Number(rest[1]), sec: Number(rest[3]), tag: Number(rest[4]) },
        base: Number(rest[2]),
      };
    case "h":
      return { kind: "heartbeat", place, who: rest[0] ?? "", said: fields[3] ?? NOTHING };
    case "g":
      return { kind: "gone", place, node: rest[0] ?? "" };
    default:
      return null;
  }
}

function readMessage(place: LogPlace, rest: readonly string[], fields: readonly Buffer[]): Entry | null {
  const [position, base, published, flags = "", who = "", request] = rest;
  const hasId = flags.includes("i");
  const message: LogMessage = {
    ...place,
    channel: fields[3] ?? NOTHING,
    position: Number(position),
    base: Number(base),
    published: Number(published),
    isStored: flags.includes("s"),
    data: fields[5] ?? NOTHING,
    eventId: hasId ? (fields[7] ?? NOTHING) : null,
    eventType: flags.includes("t") ? (fields[hasId ? 9 : 7] ?? NOTHING) : null,
  };
  const isWhole =
    message.channel.length > 0 && Number.isSafeInteger(message.position) && message.base < message.position;
  return isWhole ? { kind: "message", message, who, request: Number(request) } : null;
}
