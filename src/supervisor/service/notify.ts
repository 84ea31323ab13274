/**
 * The wire to the service manager, sd_notify(3): text in one datagram to the unix socket that NOTIFY_SOCKET
 * names. Loaded by service-manager.ts, and only where that variable is set; the runtime has no unix
 * datagrams, so libc is asked.
 */
import { openLibc } from "../../libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;
/** sun_path is 108 bytes, the last of them a zero unless the address is abstract. */
const MAX_PATH_BYTES = 107;
const FAMILY_BYTES = 2;

const FUNCTIONS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
} as const;

/**
 * The address as the kernel takes it (unix(7)): `/path`, or `@name` for the abstract name space, where a zero
 * byte stands in the place of the `@` and none at the end. null for what is neither; systemd also knows
 * vsock, which is for virtual machines.
 */
export function socketAddress(text: string): Uint8Array<ArrayBuffer> | null {
  const path = new TextEncoder().encode(text);
  const isAbstract = text.startsWith("@");
  if (!(isAbstract || text.startsWith("/")) || path.length < 2 || path.length > MAX_PATH_BYTES) return null;
  const address = new Uint8Array(FAMILY_BYTES + path.length + (isAbstract ? 0 : 1));
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(path, FAMILY_BYTES);
  if (isAbstract) address[FAMILY_BYTES] = 0;
  return address;
}

export interface NotifySocket {
  /**
   * One datagram. False: it could not be taken now; the kernel's queue may be full, or the manager just
   * starting again.
   */
  send(text: string): boolean;
  /** CLOCK_MONOTONIC in microseconds, which is what MONOTONIC_USEC is. */
  monotonicUs(): bigint;
}

/** Throws when the address is none, or there are no sockets to be had. Lives as long as the process. */
export function openNotifySocket(text: string): NotifySocket {
  const address = socketAddress(text);
  if (address === null) throw new Error(`NOTIFY_SOCKET=${text} is neither a path nor an abstract name`);
  const { symbols } = openLibc(FUNCTIONS);
  const descriptor = symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw new Error("no socket for NOTIFY_SOCKET");
  const encoder = new TextEncoder();
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return {
    send(message) {
      const bytes = encoder.encode(message);
      return (
        Number(symbols.sendto(descriptor, bytes, bytes.length, flags, address, address.length)) ===
        bytes.length
      );
    },
    monotonicUs() {
      const time = new BigInt64Array(2);
      symbols.clock_gettime(CLOCK_MONOTONIC, time);
      return (time[0] ?? 0n) * 1_000_000n + (time[1] ?? 0n) / 1000n;
    },
  };
}
