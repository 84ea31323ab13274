/**
 * Tells the kernel that memory may lose what is in it: its pages are no longer the process's until somebody
 * writes there again. For bytes that are about to be freed, which the allocator would keep resident. Used by
 * spent-bytes.ts. A leaf.
 */
import { addressOf, LENGTH, openLibc } from "../libc.ts";

const PAGE_BYTES = 4096;
/** Of Linux, on each of its processors (bits/mman.h). Elsewhere it means something else. */
const MADV_DONTNEED = 4;

type Advise = (address: number, length: number) => void;

function load(): Advise {
  if (process.platform !== "linux") return () => undefined;
  try {
    const { madvise } = openLibc({
      madvise: { args: [LENGTH, LENGTH, "i32"], returns: "i32" },
    } as const).symbols;
    // What fails (pages of another size) leaves everything as it was.
    return (address, length) => madvise(address, length, MADV_DONTNEED);
  } catch {
    // No C library that can be opened: the allocator gives it back when it does.
    return () => undefined;
  }
}

let advise: Advise | null = null;

/** All whole pages of theirs; the bytes are anything from now on. */
export function forgetPages(bytes: Uint8Array): void {
  const address = addressOf(bytes);
  const start = Math.ceil(address / PAGE_BYTES) * PAGE_BYTES;
  const end = Math.floor((address + bytes.byteLength) / PAGE_BYTES) * PAGE_BYTES;
  advise ??= load();
  if (end > start) advise(start, end - start);
}
