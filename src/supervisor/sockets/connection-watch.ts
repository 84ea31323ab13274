/**
 * What the kernel knows of the connections to a worker's listening sockets and the runtime does not tell:
 * handshakes that are under way, connections that wait to be accepted, and whether anybody talks on those
 * that are open. Used by worker-doors.ts.
 *
 * Bun's listening sockets have TCP_DEFER_ACCEPT: a client that is connected, as it sees it, and has not
 * spoken yet is a handshake under way here (SYN_RECV), for a second at most; then the kernel gives it to the
 * queue all the same.
 */
import { existsSync, readdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { type OwnSocket, portOf } from "./listening-sockets.ts";
import { TcpSockets } from "./tcp-sockets.ts";

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

  /**
   * The clients of the handshakes under way to these ports, whoever is to get them. Reads the tables of all
   * connections, closed ones for a minute included: some hundred milliseconds, beside the event loop, on a
   * machine with a hundred thousand.
   */
  async handshakes(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const table of ["tcp", "tcp6"])
      for await (const rows of pieces(`/proc/self/net/${table}`))
        for (const [, port = "", client = ""] of rows.matchAll(HANDSHAKE_ROW))
          if (this.#ports.has(Number.parseInt(port, 16))) found.add(client);
    return found;
  }
}

/** Whole lines. None where there is no such table, as on a system without IPv6. */
async function* pieces(path: string): AsyncGenerator<string> {
  if (!existsSync(path)) return;
  const file = await open(path, "r");
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    let rest = "";
    for (;;) {
      const { bytesRead } = await file.read(piece);
      if (bytesRead === 0) return;
      const text = rest + piece.toString("latin1", 0, bytesRead);
      const end = text.lastIndexOf("\n") + 1;
      rest = text.slice(end);
      yield text.slice(0, end);
    }
  } finally {
    await file.close();
  }
}
