/**
 * A client's MessagePack map: text keys, and values without an inside (nil, numbers, text, bytes),
 * or lists of texts. Used by client-frame.ts and publish/batch-reader.ts.
 *
 * Not msgpackr, which decodes what servers say: it takes records, an extension of its own, from any sender
 * and compiles a function for each that is defined, so that a megabyte of definitions holds up the worker for
 * half a second. What is read here costs what its bytes cost.
 */
export type FlatValue = null | number | string | Uint8Array | readonly string[];
export type FlatMap = ReadonlyMap<string, FlatValue>;

/** More than any frame has fields. */
const MAX_FIELDS = 16;
/**
 * Where a string is not UTF-8, it is no text; a byte order mark in front is a character (MessagePack
 * specification, str).
 */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What can be thrown here stays here. */
class NotFlat extends Error {}

/** null: something else, or not whole, or with something behind it. */
export function readFlatMap(bytes: Uint8Array): FlatMap | null {
  const first = readNextMap(bytes, 0);
  return first?.end === bytes.length ? first.map : null;
}

/** The map that begins here, and where it ends; null: there is none, or not the whole of it. */
export function readNextMap(bytes: Uint8Array, start: number): { map: FlatMap; end: number } | null {
  try {
    const reader = new FlatReader(bytes, start);
    return { map: reader.map(), end: reader.end };
  } catch (error) {
    // NotFlat; a RangeError of the view, which ends too early; a TypeError of the decoder.
    if (error instanceof NotFlat || error instanceof RangeError || error instanceof TypeError) return null;
    throw error;
  }
}

class FlatReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#at = start;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  map(): FlatMap {
    const count = this.#count();
    if (count > MAX_FIELDS) throw new NotFlat();
    const fields = new Map<string, FlatValue>();
    for (let field = 0; field < count; field++) {
      const key = this.#value();
      if (typeof key !== "string") throw new NotFlat();
      fields.set(key, this.#value());
    }
    return fields;
  }

  get end(): number {
    return this.#at;
  }

  #count(): number {
    const type = this.#uint(1);
    if (type >> 4 === 0x8) return type & 0x0f;
    if (type === 0xde) return this.#uint(2);
    throw new NotFlat();
  }

  #value(): FlatValue {
    const type = this.#uint(1);
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type >> 5 === 0b101) return this.#text(type & 0x1f);
    if (type >> 4 === 0x9) return this.#texts(type & 0x0f);
    switch (type) {
      case 0xc0:
        return null;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(1 << (type - 0xc4)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#texts(this.#uint(type === 0xdc ? 2 : 4));
      default:
        return this.#number(type);
    }
  }

  #number(type: number): number {
    const at = this.#at;
    switch (type) {
      case 0xca:
        this.#at += 4;
        return this.#view.getFloat32(at);
      case 0xcb:
        this.#at += 8;
        return this.#view.getFloat64(at);
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (type - 0xcc));
      case 0xcf:
        this.#at += 8;
        return Number(this.#view.getBigUint64(at));
      case 0xd0:
        this.#at += 1;
        return this.#view.getInt8(at);
      case 0xd1:
        this.#at += 2;
        return this.#view.getInt16(at);
      case 0xd2:
        this.#at += 4;
        return this.#view.getInt32(at);
      case 0xd3:
        this.#at += 8;
        return Number(this.#view.getBigInt64(at));
      default:
        throw new NotFlat();
    }
  }

  #uint(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (size === 1) return this.#view.getUint8(at);
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** Each takes a byte at least, so there cannot be more than the frame has. */
  #texts(count: number): readonly string[] {
    const texts: string[] = [];
    for (let i = 0; i < count; i++) {
      const text = this.#value();
      if (typeof text !== "string") throw new NotFlat();
      texts.push(text);
    }
    return texts;
  }

  #text(length: number): string {
    return decoder.decode(this.#take(length));
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new NotFlat();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
