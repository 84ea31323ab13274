// What the rows need from a server under test, and the one place that starts and stops them.
// Each contender (ceiling, sluice, Nchan) is a file beside this one exporting a Peer.

import { connect } from "node:net";
import { childrenOf, socketsOf } from "../process-figures.ts";
import type { Certificate } from "./certificate.ts";

export type Transport = "stream" | "ws" | "sse" | "longpoll";

export interface StartOptions {
  /** 1 unless said. */
  readonly workers?: number;
  /** Listens with TLS alone. */
  readonly certificate?: Certificate;
  /** 60 unless said; Nchan: none. */
  readonly pingSec?: number;
  /** With a console at /console/. */
  readonly console?: boolean;
}

export interface Peer {
  readonly name: string;
  /** Why it cannot run here, in one line, or null. Asked once before any row. */
  missing(): Promise<string | null>;
  start(options?: StartOptions): Promise<Server>;
  /** Channels of one connection are joined by "/". */
  subscribePath(transport: Transport, channel: string): string;
}

/** All contenders publish at the same URL. */
export function publishPath(channel: string): string {
  return `/pub?id=${channel}`;
}

const FIRST_PORT = 17200;
const LAST_PORT = 17299;
/** Begins anywhere: two benches that start at once do not follow each other from port to port. */
let nextPort = FIRST_PORT + (process.pid % (LAST_PORT - FIRST_PORT + 1));
const running = new Set<Server>();

/**
 * A new port for each start, so that connections of the last server still in TIME_WAIT are in nobody's way;
 * and one that is free, as another bench may run beside this one.
 */
export function takePort(): number {
  for (let tried = FIRST_PORT; tried <= LAST_PORT; tried++) {
    const port = nextPort;
    nextPort = port === LAST_PORT ? FIRST_PORT : port + 1;
    if (isFree(port)) return port;
  }
  throw new Error(`no port is free from ${FIRST_PORT} to ${LAST_PORT}`);
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }).stop(true);
    return true;
  } catch {
    // Somebody listens there.
    return false;
  }
}

/** One started server: its main process and the worker processes that serve. */
export class Server {
  readonly port: number;
  readonly #process: Bun.Subprocess;
  readonly #cleanUp: () => void;
  #workers: readonly number[] = [];

  constructor(port: number, command: string[], cleanUp: () => void, environment?: Record<string, string>) {
    this.port = port;
    this.#cleanUp = cleanUp;
    const env = { ...process.env, ...environment };
    this.#process = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "inherit", env });
    running.add(this);
  }

  get mainPid(): number {
    return this.#process.pid;
  }

  /** The processes that serve: whose CPU and memory the rows read. */
  get workerPids(): readonly number[] {
    return this.#workers;
  }

  /**
   * Waits until it accepts connections and has `workers` children (0: the main process serves itself). A
   * listening port alone is not enough: nginx's master listens before it forks, and reading the master's
   * memory gives 0.00 kB a connection. Stops the server and throws when it ends first or after 10 s.
   */
  async ready(workers: number): Promise<this> {
    const deadline = performance.now() + 10_000;
    for (;;) {
      const children = childrenOf(this.mainPid);
      if (children.length === workers && (await accepts(this.port))) {
        this.#workers = workers > 0 ? children : [this.mainPid];
        return this;
      }
      if (this.#process.exitCode !== null || performance.now() > deadline) break;
      await Bun.sleep(5);
    }
    const exit = this.#process.exitCode;
    await this.stop();
    if (exit !== null) throw new Error(`server ended with ${exit} before it listened`);
    throw new Error(`server did not listen with ${workers} workers within 10 s`);
  }

  /**
   * Throws unless the workers come to hold at least `sockets` open sockets within 5 s, which proves that they
   * are who serves. It may take a moment: a long poll is connected for the client before the server has
   * accepted it.
   */
  async assertHolds(sockets: number): Promise<void> {
    const deadline = performance.now() + 5000;
    for (;;) {
      const held = this.#workers.reduce((sum, pid) => sum + socketsOf(pid), 0);
      if (held >= sockets) return;
      if (performance.now() > deadline) {
        throw new Error(`workers hold ${held} sockets where ${sockets} are connected`);
      }
      await Bun.sleep(50);
    }
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await this.#process.exited;
    clearTimeout(timer);
    running.delete(this);
    this.#cleanUp();
  }
}

/** For an interrupted bench: no server may outlive it. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
