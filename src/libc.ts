/**
 * The C library of this system, for the few calls the runtime has no function for: locking a file, datagrams
 * to the service manager, the clock systemd counts by; and for one that it makes dear (send(2), the wire
 * listener's). Loaded by whoever calls it, when it does.
 */
import { dlopen, type FFIFunction, FFIType, type Library, ptr, toArrayBuffer } from "bun:ffi";

/** 64 bits that are a number in JavaScript, as lengths are; the others make a BigInt of each. */
export const LENGTH = FFIType.i64_fast;

/** glibc, then musl by processor, then macOS. */
const NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "libSystem.B.dylib"];

/** Opens it with these functions; the caller closes it. Throws when there is none that has them. */
export function openLibc<Functions extends Record<string, FFIFunction>>(
  functions: Functions,
): Library<Functions> {
  let reason: unknown = null;
  for (const name of NAMES) {
    try {
      return dlopen(name, functions);
    } catch (error) {
      reason ??= error;
    }
  }
  throw reason;
}

/** Memory outside the engine's, which stays where it is; whoever mapped it keeps it. */
export const memoryAt = (address: number, bytes: number): ArrayBuffer => toArrayBuffer(address, 0, bytes);

/** Where bytes lie, for as long as their buffer is held and not detached. */
export const addressOf = (bytes: Uint8Array): number => ptr(bytes);
