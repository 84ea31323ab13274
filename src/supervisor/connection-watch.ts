/**
 * What the kernel knows of the connections to a worker's listening sockets and the runtime does not tell: handshakes that are under way,
 * connections that wait to be accepted, and whether anybody talks on those that are open. Used by worker-doors.ts.
 *
 * Bun's listening sockets have TCP_DEFER_ACCEPT: a client that is connected, as it sees it, and has not spoken yet is a handshake under
 * way here (SYN_RECV), for a second at most; then the kernel gives it to the queue all the same.
 */
import { readdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { type OwnSocket, portOf } from "./listening-sockets.ts";
import { TcpSockets } from "./tcp-sockets.ts";

/** A table that is longer, as with tens of thousands of closed connections, is not read for a few handshakes. */
const MOST_TABLE_BYTES = 2 << 20;
const PIECE_BYTES = 65_536;
/** Local port and client of each row in state 03, SYN_RECV. */
const HANDSHAKE_ROW = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+:[0-9A-F]{4}) 03 /gm;

export class ConnectionWatch {
  readonly #tcp = new TcpSockets();
  readonly #sockets: readonly OwnSocket[];
  readonly #ports: ReadonlySet<number>;

  constructor(sockets: readonly OwnSocket[]) {
    this.#sockets = sockets;
    this.#ports = new Set(sockets.map(portOf));
  }

  close(): void {
    this.#tcp.close();
  }

  acceptSilent(): void {
    for (const { descriptor } of this.#sockets) this.#tcp.acceptSilent(descriptor);
  }

  /** Connections that are established and not accepted. */
  get waiting(): number {
    return this.#sockets.reduce((sum, { descriptor }) => sum + this.#tcp.waitingAt(descriptor), 0);
  }

  /** Whether a client has sent anything within `ms` on any open connection. */
  isTalkedTo(ms: number): boolean {
    return readdirSync("/proc/self/fd").some((name) => {
      const silentMs = this.#tcp.silentFor(Number(name), this.#ports);
      return silentMs >= 0 && silentMs < ms;
    });
  }

  /** The clients of the handshakes under way to these ports, whoever is to get them; null: too many to look. */
  async handshakes(): Promise<ReadonlySet<string> | null> {
    const found = new Set<string>();
    for (const table of ["tcp", "tcp6"]) {
      const text = await readStart(`/proc/self/net/${table}`);
      if (text === null) return null;
      for (const [, port = "", client = ""] of text.matchAll(HANDSHAKE_ROW))
        if (this.#ports.has(Number.parseInt(port, 16))) found.add(client);
    }
    return found;
  }
}

/** "" when there is none, null when it is too long. */
async function readStart(path: string): Promise<string | null> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
  try {
    let text = "";
    const piece = Buffer.alloc(PIECE_BYTES);
    while (text.length < MOST_TABLE_BYTES) {
      const { bytesRead } = await file.read(piece);
      if (bytesRead === 0) return text;
      text += piece.toString("latin1", 0, bytesRead);
    }
    return null;
  } finally {
    await file.close();
  }
}
