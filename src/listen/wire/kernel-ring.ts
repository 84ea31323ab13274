/**
 * io_uring(7), of which one thing is used: send(2) to many sockets by one system call, which costs less than
 * a loop of them in C. For volley.ts; where there is no ring (an older
 * kernel, `kernel.io_uring_disabled`, a filter of system calls) it is null, and send(2) does as well.
 *
 *   entries   [ SEND fd 7 ][ SEND fd 9 ][ SEND fd 12 ] ...      by us, up to `tail`
 *   results   [ 2: 118 ][ 0: 118 ][ 1: -EAGAIN ] ...          by the kernel: which entry, bytes or errno
 *
 * Nothing is ever left under way. No entry may wait (MSG_DONTWAIT), so the kernel does each before the call
 * returns, on this thread: there is no order between memory accesses to care for, and a descriptor cannot
 * become another's in between. What is sent lies in memory that the engine does not move.
 */
import { readFileSync } from "node:fs";
import { LENGTH, memoryAt, openLibc } from "../../libc.ts";

/** Sockets a call. */
export const RING_ENTRIES = 128;
/** What is sent lies here; a job of fan-out is a little more only where a single message is large. */
export const RING_BYTES = 160 * 1024;
/** The kernel has taken the entry and said nothing of it. */
export const UNTOLD = -0x7fffffff;

// The same on all processors (asm-generic/unistd.h, linux/io_uring.h, bits/mman.h).
const SYS_IO_URING_SETUP = 425;
const SYS_IO_URING_ENTER = 426;
const OP_SEND = 26;
const ENTER_GETEVENTS = 1;
/** One mapping for both rings; and of the same year as SEND, which came just before it (Linux 5.7). */
const FEATURES = 1 | (1 << 5);
const OFFSET_RINGS = 0;
const OFFSET_ENTRIES = 0x1000_0000;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATED = 0x8001;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MSG_DONTWAIT_NOSIGNAL = 0x4040;

/** struct io_uring_params, in words of 4 bytes. */
const PARAMS_WORDS = 30;
const ParamWord = { SQ_ENTRIES: 0, CQ_ENTRIES: 1, FEATURES: 5, SQ_OFF: 10, CQ_OFF: 20 } as const;
/** Of struct io_sqring_offsets and io_cqring_offsets. */
const OffsetWord = { HEAD: 0, TAIL: 1, MASK: 2, SQ_ORDER: 6, CQ_RESULTS: 5 } as const;
/** struct io_uring_sqe. */
const ENTRY_WORDS = 16;
const EntryWord = { OPCODE: 0, FD: 1, ADDRESS: 4, LENGTH: 6, FLAGS: 7, USER_DATA: 8 } as const;
/** struct io_uring_cqe. */
const RESULT_WORDS = 4;
const ResultWord = { USER_DATA: 0, TAKEN: 2 } as const;
const TWO_32 = 2 ** 32;
/** More than any address that a process has; what mmap(2) gives for a failure is above. */
const MOST_ADDRESS = 2 ** 48;
/** To ask for results that should have been there at once. */
const MOST_CALLS = 8;

const open = () =>
  openLibc({
    syscall: { args: [LENGTH, LENGTH, LENGTH, LENGTH, LENGTH, LENGTH, LENGTH], returns: LENGTH },
    mmap: { args: [LENGTH, LENGTH, "i32", "i32", "i32", LENGTH], returns: LENGTH },
  } as const).symbols;

type Libc = ReturnType<typeof open>;

/** Address and bytes of memory that stays where it is; throws where there is none. */
function mapped(libc: Libc, bytes: number, flags: number, descriptor: number, offset: number) {
  const address = Number(libc.mmap(0, bytes, PROT_READ_WRITE, flags, descriptor, offset));
  if (address <= 0 || address > MOST_ADDRESS) throw new Error("no memory for a ring");
  return { address, buffer: memoryAt(address, bytes) };
}

export class KernelRing {
  /** What is sent lies here. */
  readonly bytes: Uint8Array;
  /** To whom, and what. */
  readonly descriptors = new Int32Array(RING_ENTRIES);
  readonly offsets = new Int32Array(RING_ENTRIES);
  readonly lengths = new Int32Array(RING_ENTRIES);
  /** How many bytes each has taken; an errno below 0; 0: it was not asked; or UNTOLD. */
  readonly taken = new Int32Array(RING_ENTRIES);
  /** It did what it never should: not to be used any more. */
  isBroken = false;
  readonly #libc: Libc;
  readonly #ring: number;
  readonly #address: number;
  readonly #words: Uint32Array;
  readonly #entries: Int32Array;
  readonly #results: Int32Array;
  readonly #at: Readonly<Record<"head" | "tail" | "mask" | "told" | "asked" | "toldMask", number>>;

  /** Throws where there is none. */
  constructor() {
    const libc = open();
    this.#libc = libc;
    const memory = mapped(libc, RING_BYTES, MAP_PRIVATE_ANONYMOUS, -1, 0);
    this.#address = memory.address;
    this.bytes = new Uint8Array(memory.buffer);
    // They lie where bytes will: the address is known.
    const params = new Uint32Array(memory.buffer, 0, PARAMS_WORDS);
    this.#ring = Number(libc.syscall(SYS_IO_URING_SETUP, RING_ENTRIES, memory.address, 0, 0, 0, 0));
    if (this.#ring < 0) throw new Error("the kernel gives no ring");
    const param = (at: number): number => params[at] ?? 0;
    if ((param(ParamWord.FEATURES) & FEATURES) !== FEATURES) throw new Error("a ring of an old kernel");
    const sq = (at: number): number => param(ParamWord.SQ_OFF + at) / 4;
    const cq = (at: number): number => param(ParamWord.CQ_OFF + at) / 4;
    const results = cq(OffsetWord.CQ_RESULTS);
    const order = sq(OffsetWord.SQ_ORDER);
    const resultWords = param(ParamWord.CQ_ENTRIES) * RESULT_WORDS;
    const words = Math.max(results + resultWords, order + param(ParamWord.SQ_ENTRIES));
    const rings = mapped(libc, words * 4, MAP_SHARED_POPULATED, this.#ring, OFFSET_RINGS).buffer;
    this.#words = new Uint32Array(rings);
    this.#results = new Int32Array(rings, results * 4, resultWords);
    this.#at = {
      head: sq(OffsetWord.HEAD),
      tail: sq(OffsetWord.TAIL),
      mask: sq(OffsetWord.MASK),
      asked: cq(OffsetWord.HEAD),
      told: cq(OffsetWord.TAIL),
      toldMask: cq(OffsetWord.MASK),
    };
    const entries = param(ParamWord.SQ_ENTRIES);
    const bytes = entries * ENTRY_WORDS * 4;
    const { buffer } = mapped(libc, bytes, MAP_SHARED_POPULATED, this.#ring, OFFSET_ENTRIES);
    this.#entries = new Int32Array(buffer);
    for (let i = 0; i < entries; i++) {
      this.#words[order + i] = i;
      const at = i * ENTRY_WORDS;
      this.#entries[at + EntryWord.OPCODE] = OP_SEND;
      this.#entries[at + EntryWord.FLAGS] = MSG_DONTWAIT_NOSIGNAL;
    }
  }

  /** To the first `count` descriptors; `taken` tells. */
  send(count: number): void {
    const entries = this.#entries;
    const words = this.#words;
    const { head, tail, mask } = this.#at;
    const from = words[tail] ?? 0;
    for (let i = 0; i < count; i++) {
      const at = ((from + i) & (words[mask] ?? 0)) * ENTRY_WORDS;
      entries[at + EntryWord.FD] = this.descriptors[i] ?? -1;
      const address = this.#address + (this.offsets[i] ?? 0);
      entries[at + EntryWord.ADDRESS] = address % TWO_32;
      entries[at + EntryWord.ADDRESS + 1] = Math.floor(address / TWO_32);
      entries[at + EntryWord.LENGTH] = this.lengths[i] ?? 0;
      entries[at + EntryWord.USER_DATA] = i;
      this.taken[i] = UNTOLD;
    }
    words[tail] = from + count;
    this.#enter(count, count);
    const accepted = ((words[head] ?? 0) - from) >>> 0;
    // Not taken (it had no memory for them, or a signal came): nobody has seen them.
    if (accepted < count) words[tail] = words[head] ?? 0;
    for (let i = accepted; i < count; i++) this.taken[i] = 0;
    let told = this.#reap();
    for (let calls = 0; told < accepted && calls < MOST_CALLS; calls++) {
      this.#enter(0, accepted - told);
      told += this.#reap();
    }
    if (told !== accepted) this.isBroken = true;
  }

  #enter(count: number, results: number): void {
    this.#libc.syscall(SYS_IO_URING_ENTER, this.#ring, count, results, ENTER_GETEVENTS, 0, 0);
  }

  /** How many results there were. */
  #reap(): number {
    const words = this.#words;
    const { asked, told, toldMask } = this.#at;
    const from = words[asked] ?? 0;
    const count = ((words[told] ?? 0) - from) >>> 0;
    for (let i = 0; i < count; i++) {
      const at = ((from + i) & (words[toldMask] ?? 0)) * RESULT_WORDS;
      this.taken[this.#results[at + ResultWord.USER_DATA] ?? 0] = this.#results[at + ResultWord.TAKEN] ?? 0;
    }
    words[asked] = from + count;
    return count;
  }
}

/**
 * A filter of system calls may end a process for asking. It is asked only where there is none, or where
 * whoever set it says that it only refuses (systemd/sluice.service).
 */
function mayAsk(): boolean {
  if (process.platform !== "linux") return false;
  const filter = process.env["SLUICE_SYSCALL_FILTER"] ?? "";
  if (filter !== "") return filter === "refuses";
  return /^Seccomp:\s*0$/m.test(readFileSync("/proc/self/status", "utf8"));
}

/** null: there is none here, and send(2) does as well. */
export function openRing(): KernelRing | null {
  try {
    return mayAsk() ? new KernelRing() : null;
  } catch {
    return null;
  }
}
