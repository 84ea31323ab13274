/**
 * Keeps a worker without file descriptors from spinning. The kernel says again and again that somebody waits
 * to be accepted, accept(2) fails again and again, and a core is busy with it until a descriptor is free. So
 * the listening sockets are asked about no more for that long: in the event loop's own epoll instance, whose
 * entries /proc/self/fdinfo tells. Who waits stays in the kernel's queue. Used by worker-doors.ts.
 *
 * Looked up while there are descriptors, as looking takes some. Where it cannot be had (another system) the
 * worker spins, and serves all the same.
 */
import { ptr } from "bun:ffi";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { openLibc } from "../../libc.ts";
import { log } from "../../log.ts";

const EPOLL_CTL_MOD = 3;
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
/** struct epoll_event is packed on x86-64 alone (epoll_ctl(2)). */
const IS_PACKED = process.arch === "x64";
const DATA_OFFSET = IS_PACKED ? 4 : 8;
const EVENT_BYTES = DATA_OFFSET + 8;

const FUNCTIONS = {
  epoll_ctl: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
} as const;

/** A row of /proc/self/fdinfo of an epoll instance. */
const ENTRY = /^tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)/gm;

interface Entry {
  readonly epoll: number;
  readonly descriptor: number;
  readonly events: number;
  readonly data: bigint;
}

export class ParkedListeners {
  readonly #libc = openLibc(FUNCTIONS);
  readonly #entries: readonly Entry[];
  readonly #event = new DataView(new ArrayBuffer(EVENT_BYTES));
  #isParked = false;

  /** Those of this process that listen now. Throws where they cannot be found. */
  constructor() {
    this.#entries = epollEntries().filter(({ descriptor }) => this.#listens(descriptor));
  }

  park(isParked: boolean): void {
    if (isParked === this.#isParked) return;
    this.#isParked = isParked;
    for (const entry of this.#entries) this.#change(entry, isParked ? 0 : entry.events);
  }

  #change({ epoll, descriptor, data }: Entry, events: number): void {
    this.#event.setUint32(0, events, true);
    this.#event.setBigUint64(DATA_OFFSET, data, true);
    const event = ptr(new Uint8Array(this.#event.buffer));
    if (this.#libc.symbols.epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, event) !== 0)
      log("debug", "a listening socket could not be parked", { descriptor });
  }

  #listens(descriptor: number): boolean {
    const value = new Int32Array(1);
    const length = new Uint32Array([value.byteLength]);
    const { getsockopt } = this.#libc.symbols;
    const known = getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, ptr(value), ptr(length)) === 0;
    return known && value[0] === 1;
  }
}

function epollEntries(): Entry[] {
  return readdirSync("/proc/self/fd").flatMap((name) => {
    if (!isEpoll(name)) return [];
    const rows = readFileSync(`/proc/self/fdinfo/${name}`, "latin1").matchAll(ENTRY);
    return [...rows].map(([, descriptor, events, data]) => ({
      epoll: Number(name),
      descriptor: Number(descriptor),
      events: Number(`0x${events}`),
      data: BigInt(`0x${data}`),
    }));
  });
}

function isEpoll(name: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${name}`).includes("[eventpoll]");
  } catch {
    // The descriptor of the folder that was read, which is closed by now.
    return false;
  }
}
