/**
 * Tells the kernel which sockets of a SO_REUSEPORT group get new connections, by a classic BPF program on the
 * group (socket(7), SO_ATTACH_REUSEPORT_CBPF), which needs no right. Any socket of the group will do to
 * attach it; it stays when that one closes.
 *
 * Rejected: a socket filter on those that are to get none (SO_ATTACH_FILTER is for root on some kernels, and
 * a client waits a second before it knocks again), and net.ipv4.tcp_migrate_req, which only root can set.
 */
import { ptr } from "bun:ffi";
import { openLibc } from "../../libc.ts";
import type { OwnSocket } from "./listening-sockets.ts";
import type { Steering } from "./socket-groups.ts";

const SOL_SOCKET = 1;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_DETACH_REUSEPORT_BPF = 68;

/** linux/bpf_common.h and linux/filter.h. */
const LOAD_WORD = 0x20;
const RANDOM = 0xffff_f000 + 56;
const MODULO = 0x94;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;

const INSTRUCTION_BYTES = 8;
/** struct sock_fprog: a 16-bit length, padding, a pointer. */
const PROGRAM_HEAD_BYTES = 16;
/** BPF_MAXINSNS is 4096. */
const MOST_PLACES = 1000;

/** Asking again would not help. */
export const REFUSED = "the kernel refuses the program";

type Instruction = readonly [code: number, ifNot: number, value: number];

/** One of these places, each as often as the others. */
export function choiceOf(places: readonly number[]): readonly Instruction[] {
  const [last = 0] = places.slice(-1);
  const rest = places.slice(0, -1);
  const pick: Instruction[] = rest.flatMap((place, i): Instruction[] => [
    [JUMP_IF_EQUAL, 1, i],
    [RETURN, 0, place],
  ]);
  const end: Instruction = [RETURN, 0, last];
  return rest.length === 0 ? [end] : [[LOAD_WORD, 0, RANDOM], [MODULO, 0, places.length], ...pick, end];
}

/** What could not be done; null: nothing. */
export function steer(own: readonly OwnSocket[], steering: readonly Steering[]): string | null {
  const libc = openLibc({
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  } as const);
  try {
    for (const { local, places } of steering) {
      const socket = own.find((each) => each.local === local);
      if (socket === undefined) return "there is no socket to ask";
      const set = (option: number, value: Uint8Array): boolean =>
        libc.symbols.setsockopt(socket.descriptor, SOL_SOCKET, option, ptr(value), value.byteLength) === 0;
      // Nothing to detach is as good.
      if (places.length === 0) set(SO_DETACH_REUSEPORT_BPF, new Uint8Array(4));
      else if (places.length > MOST_PLACES) return "there are too many workers";
      else if (!attach(choiceOf(places), set)) return REFUSED;
    }
    return null;
  } finally {
    libc.close();
  }
}

/** Both buffers live until the call is over, which is all the kernel needs. */
function attach(
  program: readonly Instruction[],
  set: (option: number, value: Uint8Array) => boolean,
): boolean {
  const instructions = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(instructions.buffer);
  for (const [i, [code, ifNot, value]] of program.entries()) {
    view.setUint16(i * INSTRUCTION_BYTES, code, true);
    view.setUint8(i * INSTRUCTION_BYTES + 3, ifNot);
    view.setUint32(i * INSTRUCTION_BYTES + 4, value, true);
  }
  const head = new Uint8Array(PROGRAM_HEAD_BYTES);
  new DataView(head.buffer).setUint16(0, program.length, true);
  new DataView(head.buffer).setBigUint64(8, BigInt(ptr(instructions)), true);
  return set(SO_ATTACH_REUSEPORT_CBPF, head);
}
