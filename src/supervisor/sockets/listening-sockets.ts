/**
 * Listening TCP sockets: those of the whole system, in their order, as /proc/self/net/tcp and tcp6 list them,
 * for main, who keeps book (socket-groups.ts); and which descriptors of this process they are, for workers,
 * who tune, steer and empty their own. The runtime tells neither.
 *
 * The tables begin with the listening sockets, so that a machine with a hundred thousand connections is no
 * reason to read them all.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { isIPv6 } from "node:net";
import { parseAddress } from "./addresses.ts";
import { TcpSockets } from "./tcp-sockets.ts";

const LISTENING = "0A";
const IPV6_DIGITS = 32;
/** Of a table that is read at a time: some ten rows, as much as the kernel gives. */
const PIECE_BYTES = 4096;

export interface ListeningSocket {
  /**
   * Where it listens, as in the table: hexadecimal "address:port", words in the machine's byte order. Same
   * place, same text.
   */
  readonly local: string;
  readonly inode: string;
}

export interface OwnSocket extends ListeningSocket {
  readonly descriptor: number;
}

/**
 * Those that listen in these places, or in places beside them. They stand in the order in which they began to
 * listen: the kernel puts IPv4 sockets at the front of its chain, and IPv6 ones that share their port at the
 * end (__inet_hash; tried on Linux 6.18). A table that nobody asks for is not read: one without rows costs
 * the kernel milliseconds.
 */
export function listeningSockets(locals: readonly string[]): readonly ListeningSocket[] {
  const some = (isSix: boolean): boolean => locals.some((local) => isIPv6Local(local) === isSix);
  return [
    ...(some(false) ? listeningRows("tcp").toReversed() : []),
    ...(some(true) ? listeningRows("tcp6") : []),
  ];
}

/** Those of this process. Throws where there is no C library to ask. */
export function ownListeningSockets(): readonly OwnSocket[] {
  const sockets = new TcpSockets();
  try {
    return readdirSync("/proc/self/fd").flatMap((name) => {
      const descriptor = Number(name);
      const local = sockets.listensAt(descriptor);
      return local === null ? [] : [{ local, inode: inodeOf(name), descriptor }];
    });
  } finally {
    sockets.close();
  }
}

function listeningRows(table: string): ListeningSocket[] {
  const found: ListeningSocket[] = [];
  for (const row of tableRows(table)) {
    const [, local = "", , state, , , , , , inode = ""] = row.trim().split(/\s+/);
    if (state !== LISTENING) break;
    found.push({ local: local.toLowerCase(), inode });
  }
  return found;
}

/** Without the heading. Read as far as somebody asks. */
function* tableRows(table: string): Generator<string> {
  const descriptor = openTable(table);
  if (descriptor < 0) return;
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    let rest = "";
    let isHeading = true;
    for (let bytes = readSync(descriptor, piece); bytes > 0; bytes = readSync(descriptor, piece)) {
      const lines = (rest + piece.toString("latin1", 0, bytes)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!isHeading) yield line;
        isHeading = false;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

/** -1: there is none, as on a system without IPv6, or it is not for us to see. */
function openTable(name: string): number {
  try {
    return openSync(`/proc/self/net/${name}`, "r");
  } catch {
    return -1;
  }
}

const inodeOf = (descriptor: string): string =>
  /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1] ?? "";

export const portOf = ({ local }: ListeningSocket): number => Number.parseInt(local.split(":")[1] ?? "", 16);

const isIPv6Local = (local: string): boolean => local.indexOf(":") === IPV6_DIGITS;

/**
 * By port, and by address where it is written as one; a host name's addresses are the resolver's business.
 */
export function isFor(text: string, socket: ListeningSocket): boolean {
  const address = parseAddress(text);
  if (address === null || address.kind === "unix" || address.port !== portOf(socket)) return false;
  const { hostname } = address;
  const [hex = ""] = socket.local.split(":");
  if (/^[\d.]+$/.test(hostname)) {
    const bytes = hostname.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
    const little = bytes.toReversed().join("");
    return hex === little || hex.endsWith(`ffff0000${little}`);
  }
  return !isIPv6(hostname) || isIPv6Local(socket.local);
}
