/**
 * send(2) itself, for outlet.ts: the way through the runtime's own `write` took as long as all the rest that
 * a delivery costs outside the kernel.
 *
 * A descriptor says nothing of who has it: closed, its number is the next connection's. It is used only while
 * the outlet that holds it is not marked CLOSED, and whatever ends a socket marks it before any other code of
 * ours runs: `end`, `close` and `terminate` are followed by `closed()` on the spot, and what the client or
 * the kernel ends is told by the callback that the runtime makes right behind close(2), on this one thread.
 */
import { LENGTH, openLibc } from "../../libc.ts";

/** Of Linux, on each of its processors (bits/socket.h). */
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL;

type Send = (descriptor: number, bytes: Uint8Array, length: number) => number;

function load(): Send | null {
  if (process.platform !== "linux") return null;
  try {
    const { send } = openLibc({
      send: { args: ["i32", "buffer", LENGTH, "i32"], returns: LENGTH },
    } as const).symbols;
    return (descriptor, bytes, length) => Number(send(descriptor, bytes, length, FLAGS));
  } catch {
    // No C library that can be opened: the runtime writes everything.
    return null;
  }
}

const loaded = load();

/** The first bytes, as many as `length`: how many the kernel took, or -1. It says nothing of the rest. */
export const kernelSend: Send = loaded ?? (() => -1);

/** Of a socket of the runtime's that sends its bytes as they are (no TLS); -1: it is not to be used. */
export function descriptorOf(socket: object): number {
  // Its types do not have it.
  const told: unknown = loaded === null ? -1 : Reflect.get(socket, "fd");
  return typeof told === "number" ? told : -1;
}
