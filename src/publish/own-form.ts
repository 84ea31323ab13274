/**
 * What sluice itself answers to publishers, beside the push stream module's words: where each message is, as
 * JSON or MessagePack. For batches, and for whoever asks by `Accept: application/vnd.sluice+json` (or
 * `+msgpack`).
 *
 *   {"position":"8z4i41cj12-7"}                                in one channel
 *   {"positions":["8z4i41cj12-7","9abc-2"],"duplicate":true}   in several, in the order they were named; a
 *                                                              key that was known
 *   {"status":409,"code":"key_reused","explain":"…"}           refused; with `positions`, null where it is
 *                                                              not in, if it is in some
 */
import type { Store } from "../store/store.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { packMap } from "../wire/msgpack-message.ts";
import { lifeOf } from "../wire/position.ts";
import type { Fault } from "./batch-line.ts";
import { type Place, refusalOf } from "./put.ts";

export type OwnForm = "json" | "msgpack";
export type Result = Readonly<Record<string, unknown>>;

const OWN = "application/vnd.sluice+";
const DASH = 0x2d;
const encoder = new TextEncoder();

/** null: the client wants what the location has for all. */
export function ownForm(accept: string | null): OwnForm | null {
  const at = accept?.indexOf(OWN) ?? -1;
  if (accept === null || at < 0) return null;
  const form = accept.slice(at + OWN.length);
  return form.startsWith("json") ? "json" : form.startsWith("msgpack") ? "msgpack" : null;
}

export const typeOf = (form: OwnForm): string => `${OWN}${form}`;

export function encoded(form: OwnForm, map: Result): Uint8Array<ArrayBuffer> {
  return form === "json" ? encoder.encode(`${JSON.stringify(map)}\n`) : new Uint8Array(packMap(map));
}

/** What became of a line of a batch: it got as far as the store, or not. */
export type LineOutcome = readonly Place[] | Fault;

const POSITION = '{"position":"';
const END = '"}\n';
/** Of answers; never held while others have their turn. */
const writer = new ByteWriter();

/** One behind the other, as lines of JSON. */
function lines(results: Results, outcomes: readonly LineOutcome[]): Uint8Array<ArrayBuffer> {
  writer.reset();
  let before: Place | null = null;
  let start = 0;
  for (const outcome of outcomes) {
    const only = "status" in outcome || outcome.length !== 1 ? undefined : outcome[0];
    // Nearly all of them: without an object, and without a string that is none but theirs.
    if (only !== undefined && only.position > 0 && only.refusal === null && !only.isDuplicate) {
      const end = writer.length;
      if (before === null || !isNext(before, only) || !writer.pushSuccessor(start, END.length))
        pushPosition(results, only);
      before = only;
      start = end;
    } else {
      writer.pushUtf8(`${JSON.stringify(resultOf(results, outcome))}\n`);
      before = null;
    }
  }
  return writer.copy();
}

/** Of the same channel, where the next message is. */
const isNext = (before: Place, { name, position }: Place): boolean =>
  name === before.name && position === before.position + 1;

function pushPosition(results: Results, { name, position }: Place): void {
  writer.pushLatin1(POSITION);
  writer.pushLatin1(results.lifeOf(name));
  writer.pushByte(DASH);
  writer.pushInteger(position);
  writer.pushLatin1(END);
}

const resultOf = (results: Results, outcome: LineOutcome): Result =>
  "status" in outcome ? resultOfFault(outcome) : results.of(outcome);

export function encodedAll(
  form: OwnForm,
  results: Results,
  outcomes: readonly LineOutcome[],
): Uint8Array<ArrayBuffer> {
  if (form === "json") return lines(results, outcomes);
  return new Uint8Array(Buffer.concat(outcomes.map((outcome) => packMap(resultOf(results, outcome)))));
}

export const resultOfFault = ({ status, code, explain }: Fault): Result => ({ status, code, explain });

const MOST_LIVES = 1024;

export class Results {
  readonly #store: Store;
  /** What the positions of a channel count, by its name; of the epoch. */
  readonly #lives = new Map<string, string>();
  #epoch = -1;
  #lastName: Uint8Array | null = null;
  #lastLife = "";

  constructor(store: Store) {
    this.#store = store;
  }

  /** Of one message, in all its channels. */
  of(places: readonly Place[]): Result {
    const [first, second] = places;
    if (first !== undefined && second === undefined && first.refusal === null && !first.isDuplicate)
      return { position: this.position(first) };
    const refusal = refusalOf(places);
    const [only] = places;
    const where =
      only !== undefined && places.length === 1
        ? { position: this.position(only) }
        : { positions: this.positions(places) };
    if (refusal === null)
      return places.every(({ isDuplicate }) => isDuplicate) ? { ...where, duplicate: true } : where;
    const isNowhere = places.every((place) => place.refusal !== null);
    return isNowhere ? resultOfFault(refusal) : { ...resultOfFault(refusal), ...where };
  }

  positions(places: readonly Place[]): (string | null)[] {
    return places.map((place) => this.position(place));
  }

  /** As a connection to this channel alone comes back with it; null: it is not in, or nobody knows where. */
  position({ name, position, refusal }: Place): string | null {
    return refusal !== null || position === 0 ? null : `${this.lifeOf(name)}-${position}`;
  }

  /** What the positions of a channel count (wire/position.ts). */
  lifeOf(name: Uint8Array): string {
    const { epoch } = this.#store;
    if (name === this.#lastName && epoch === this.#epoch) return this.#lastLife;
    if (epoch !== this.#epoch || this.#lives.size >= MOST_LIVES) this.#lives.clear();
    this.#epoch = epoch;
    const key = Buffer.from(name.buffer, name.byteOffset, name.length).toString("latin1");
    const known = this.#lives.get(key) ?? lifeOf(epoch, [name]);
    this.#lives.set(key, known);
    this.#lastName = name;
    this.#lastLife = known;
    return known;
  }
}
