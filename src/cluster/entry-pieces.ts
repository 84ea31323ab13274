/**
 * Where the pieces of one entry of the log lie: its id, and the fields that mean something here. Filled where
 * an entry comes from (entries.ts, and `piecesOf` for what came as a list), read by entry.ts.
 */

/** An entry as ioredis, or a generic reply, has it. */
export type RawEntry = readonly [id: Buffer, fields: readonly Buffer[]];

/** Places in an entry's list of fields and values. */
export const HEAD = 0;
export const DATA = 1;
export const EVENT_ID = 2;
export const EVENT_TYPE = 3;
/** Of somebody else's entry there may be any number. */
const MOST_FIELDS = 4;

const NOTHING = Buffer.alloc(0);

export class EntryPieces {
  bytes: Buffer = NOTHING;
  /** Those that came, the id included. */
  #count = 0;
  /** Of the id and the fields: where each begins, and ends. */
  readonly #places = new Uint32Array(2 * (1 + MOST_FIELDS));

  begin(bytes: Buffer): void {
    this.bytes = bytes;
    this.#count = 0;
  }

  /** The id first. */
  add(from: number, to: number): void {
    if (this.#count > MOST_FIELDS) return;
    this.#places[this.#count * 2] = from;
    this.#places[this.#count * 2 + 1] = to;
    this.#count++;
  }

  get idFrom(): number {
    return this.#places[0] ?? 0;
  }

  get idTo(): number {
    return this.#places[1] ?? 0;
  }

  /** Where a field begins; one that is not there is empty. */
  from(field: number): number {
    return field + 1 < this.#count ? (this.#places[field * 2 + 2] ?? 0) : 0;
  }

  to(field: number): number {
    return field + 1 < this.#count ? (this.#places[field * 2 + 3] ?? 0) : 0;
  }

  has(field: number): boolean {
    return field + 1 < this.#count;
  }

  /** Bytes of its own: those it lies in may be written again. */
  copy(field: number): Buffer {
    return Buffer.from(this.bytes.subarray(this.from(field), this.to(field)));
  }

  get id(): string {
    return this.bytes.toString("latin1", this.idFrom, this.idTo);
  }
}

export function piecesOf([id, fields]: RawEntry): EntryPieces {
  const pieces = new EntryPieces();
  const all = [id, ...fields.slice(0, MOST_FIELDS)];
  pieces.begin(Buffer.concat(all));
  let at = 0;
  for (const { length } of all) {
    pieces.add(at, at + length);
    at += length;
  }
  return pieces;
}
