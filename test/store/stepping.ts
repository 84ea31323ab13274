/**
 * A store, or a shared dictionary, whose every write to shared memory is a step: to stop an operation before
 * its n-th one, as a kill would, and to see what was written in which order. Used by every-step.test.ts and
 * shared-every-step.test.ts. The arrays are proxies; Atomics and the native copy, which take none, are
 * replaced by ones that see through them.
 */

import { JOURNAL_KIND, NOTHING } from "../../src/store/lock/journal.ts";
import type { Lockable } from "../../src/store/memory/arena.ts";

export class Died extends Error {}

/**
 * One write: to which array, where, what. An atomic one is visible after all before it, and before all behind
 * it.
 */
export interface Write {
  readonly bytes: Uint8Array;
  readonly byteOffset: number;
  readonly isAtomic: boolean;
}

type Words = Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
type Memory = Words | Uint8Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

const realAtomics = globalThis.Atomics;
const realCopy = Buffer.prototype.copy;
const behind = new WeakMap<object, { words: Words; steps: Steps }>();
const bytesBehind = new WeakMap<object, { bytes: Uint8Array<ArrayBuffer>; steps: Steps }>();

/** What is mapped: of the store, or of a dictionary. */
interface Mapped extends Pick<Lockable, "u32" | "i32"> {
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;
}

export class Steps<Arena extends Mapped = Mapped> {
  readonly arena: Arena;
  readonly writes: Write[] = [];
  #left: number;
  readonly #idle: () => void;

  /** Dies before the step after `limit`; `idle` is called whenever the journal has been disarmed. */
  constructor(arena: Arena, limit = Number.POSITIVE_INFINITY, idle: () => void = () => undefined) {
    this.#left = limit;
    this.#idle = idle;
    this.arena = {
      ...arena,
      u32: this.#over(arena.u32),
      i32: this.#over(arena.i32),
      u8: this.#over(arena.u8),
      f64: this.#over(arena.f64),
    };
  }

  /** Runs `work` with Atomics that know these arrays; true: it died. */
  run(work: () => void): boolean {
    globalThis.Atomics = steppingAtomics;
    Buffer.prototype.copy = steppingCopy;
    try {
      work();
      return false;
    } catch (error) {
      if (error instanceof Died) return true;
      throw error;
    } finally {
      globalThis.Atomics = realAtomics;
      Buffer.prototype.copy = realCopy;
    }
  }

  write(memory: Memory, first: number, count: number, isAtomic: boolean, write: () => void): void {
    if (this.#left-- <= 0) throw new Died();
    write();
    const byteOffset = first * memory.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(
      memory.buffer,
      memory.byteOffset + byteOffset,
      count * memory.BYTES_PER_ELEMENT,
    );
    this.writes.push({ bytes: bytes.slice(), byteOffset, isAtomic });
    if (isAtomic && first === JOURNAL_KIND && memory[first] === NOTHING) this.#idle();
  }

  #over<T extends Memory>(memory: T): T {
    const proxy = new Proxy(memory, {
      get: (target, key) => this.#get(target, key),
      set: (target, key, value: number) => {
        this.write(target, Number(key), 1, false, () => {
          target[Number(key)] = value;
        });
        return true;
      },
    });
    if (memory instanceof Uint32Array || memory instanceof Int32Array)
      behind.set(proxy, { words: memory, steps: this });
    if (memory instanceof Uint8Array) bytesBehind.set(proxy, { bytes: memory, steps: this });
    return proxy;
  }

  #get(memory: Memory, key: string | symbol): unknown {
    if (typeof key === "string" && /^\d+$/.test(key)) return memory[Number(key)];
    if (key === "fill") {
      return (value: number, from: number, to: number) => {
        for (let at = from; at < to; at++)
          this.write(memory, at, 1, false, () => memory.fill(value, at, at + 1));
      };
    }
    if (key === "set") {
      return (from: Uint8Array, at: number) =>
        this.write(memory, at, from.length, false, () => memory.set(from, at));
    }
    const found: unknown = Reflect.get(memory, key, memory);
    return typeof found === "function" ? found.bind(memory) : found;
  }
}

function stepped(words: Words, at: number, work: (words: Words) => number): number {
  const known = behind.get(words);
  if (known === undefined) return work(words);
  let result = 0;
  known.steps.write(known.words, at, 1, true, () => {
    result = work(known.words);
  });
  return result;
}

/** As Buffer's own, out of what is mapped or into it. */
function steppingCopy(this: Uint8Array, to: Uint8Array, at = 0, start = 0, end = this.length): number {
  const from = bytesBehind.get(this)?.bytes ?? this;
  const known = bytesBehind.get(to);
  if (known === undefined) return realCopy.call(from, to, at, start, end);
  known.steps.write(known.bytes, at, end - start, false, () => {
    realCopy.call(from, known.bytes, at, start, end);
  });
  return end - start;
}

const steppingAtomics = Object.create(realAtomics, {
  load: { value: (words: Words, at: number) => realAtomics.load(behind.get(words)?.words ?? words, at) },
  store: {
    value: (words: Words, at: number, value: number) =>
      stepped(words, at, (real) => realAtomics.store(real, at, value)),
  },
  compareExchange: {
    value: (words: Words, at: number, expected: number, value: number) =>
      stepped(words, at, (real) => realAtomics.compareExchange(real, at, expected, value)),
  },
}) as typeof Atomics;
