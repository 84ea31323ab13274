/** A TCP proxy of tests: passes on, holds up, and cuts in the middle of whatever is under way. */
import type { Socket } from "bun";

interface End {
  other: Socket<End> | null;
  /** What came before the other end was there. */
  early: Buffer[];
}

export class Cutter {
  readonly url: string;
  /** Where the next connections lead. */
  port: number;
  /** Bytes after which each connection is cut from now on; infinite: never. */
  cutAfter = Number.POSITIVE_INFINITY;
  /** So many times what a server says is lost, and its connections with it. */
  lostAnswers = 0;
  /** Nothing is passed on, and nothing closed. */
  isHeld = false;
  readonly #listener: Bun.TCPSocketListener<End>;
  readonly #open = new Set<Socket<End>>();

  constructor(port: number) {
    const handlers = (isClient: boolean): Bun.SocketHandler<End> => ({
      open: (socket) => {
        this.#open.add(socket);
        if (isClient) this.#connect(socket, this.port);
      },
      data: (socket, bytes) => {
        if (isClient || this.lostAnswers === 0) this.#pass(socket, Buffer.from(bytes));
        else {
          this.lostAnswers--;
          this.cut();
        }
      },
      close: (socket) => {
        this.#open.delete(socket);
        socket.data.other?.end();
      },
      error: (socket) => void socket.end(),
    });
    this.port = port;
    this.#handlers = handlers(false);
    this.#listener = Bun.listen<End>({
      hostname: "127.0.0.1",
      port: 0,
      socket: handlers(true),
      data: { other: null, early: [] },
    });
    this.url = `http://127.0.0.1:${this.#listener.port}`;
  }

  readonly #handlers: Bun.SocketHandler<End>;

  #connect(client: Socket<End>, port: number): void {
    client.data = { other: null, early: [] };
    const data: End = { other: client, early: [] };
    Bun.connect<End>({ hostname: "127.0.0.1", port, socket: this.#handlers, data }).then(
      (server) => {
        const { early } = client.data;
        client.data = { other: server, early: [] };
        for (const bytes of early) server.write(bytes);
      },
      () => client.terminate(),
    );
  }

  /** Tests send little: what a full socket would leave over is not passed on later. */
  #pass(socket: Socket<End>, bytes: Buffer): void {
    const { other, early } = socket.data;
    if (this.isHeld) return;
    if (other === null) early.push(bytes);
    else other.write(bytes.subarray(0, this.cutAfter));
    if (bytes.length > this.cutAfter) this.cut();
  }

  /** All connections, without a word. */
  cut(): number {
    const count = this.#open.size;
    for (const socket of [...this.#open]) socket.terminate();
    this.#open.clear();
    return count;
  }

  stop(): void {
    this.cut();
    this.#listener.stop(true);
  }
}
