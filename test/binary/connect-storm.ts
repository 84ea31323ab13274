/**
 * Clients that never stop coming: new connections at a steady rate, one request each, and some that keep
 * theirs and ask again and again. Counts what became of each request. Used by reload-resets.test.ts.
 */
import type { Socket } from "bun";

/** A lost SYN is sent again after a second (RFC 6298 2.1): whoever waited so long met a closed door. */
const LATE_MS = 900;
const GIVE_UP_MS = 15_000;
const TICK_MS = 4;
/** More at once would be a storm of our own making: the machine is behind. */
const MAX_OPEN = 200;

export interface Outcome {
  /** With 200 and its body. */
  answered: number;
  /** The connection was reset, or ended, without an answer. */
  lost: number;
  /**
   * The connect itself failed: nobody listened, or the client had no free port. Bun calls whatever connect(2)
   * says ECONNREFUSED.
   */
  refused: number;
  /** With anything else than 200. */
  turnedAway: number;
  /** Answered, but after a second. */
  late: number;
  /** No word for 15 seconds. */
  silent: number;
}

const nothing = (): Outcome => ({ answered: 0, lost: 0, refused: 0, turnedAway: 0, late: 0, silent: 0 });

interface Visit {
  readonly counts: Outcome;
  /** Asked again on the same connection, until the server says that it ends. */
  readonly keeps: boolean;
  startMs: number;
  text: string;
  isWaiting: boolean;
}

export class ConnectStorm {
  readonly fresh = nothing();
  readonly kept = nothing();
  readonly #target: { readonly hostname: string; readonly port: number };
  readonly #request: (keeps: boolean) => string;
  readonly #open = new Map<Visit, Socket<Visit> | null>();
  #rate = 0;
  #due = 0;
  #lastMs = performance.now();
  #timer: ReturnType<typeof setInterval>;

  /** `path` is asked for; connections go to `hostname`. */
  constructor(port: number, path: string, hostname = "127.0.0.1") {
    this.#target = { hostname, port };
    this.#request = (keeps) =>
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${keeps ? "" : "Connection: close\r\n"}\r\n`;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** New connections per second, and connections that are kept and asked on. */
  blow(perSecond: number, keeping: number): void {
    this.#rate = perSecond;
    this.#lastMs = performance.now();
    for (let i = 0; i < keeping; i++) this.#visit(true);
  }

  /** No more of them; resolves when each request has its outcome. */
  async calm(): Promise<void> {
    this.#rate = 0;
    const asking = () => [...this.#open.keys()].some((visit) => visit.isWaiting);
    while (asking()) await Bun.sleep(10);
    clearInterval(this.#timer);
    for (const socket of this.#open.values()) socket?.terminate();
  }

  #tick(): void {
    const now = performance.now();
    this.#due = Math.min(this.#due + (this.#rate * (now - this.#lastMs)) / 1000, this.#rate / 10);
    this.#lastMs = now;
    for (; this.#due >= 1 && this.#open.size < MAX_OPEN; this.#due--) this.#visit(false);
    for (const [visit, socket] of this.#open)
      if (visit.isWaiting && now - visit.startMs > GIVE_UP_MS) this.#end(visit, "silent", socket);
  }

  #visit(keeps: boolean): void {
    const counts = keeps ? this.kept : this.fresh;
    const visit: Visit = { counts, keeps, startMs: performance.now(), text: "", isWaiting: true };
    this.#open.set(visit, null);
    Bun.connect<Visit>({
      ...this.#target,
      data: visit,
      socket: {
        open: (socket) => {
          this.#open.set(visit, socket);
          socket.write(this.#request(keeps));
        },
        data: (socket, bytes) => this.#read(socket, bytes),
        end: (socket) => void socket.end(),
        close: () => this.#end(visit, "lost", null),
        error: () => this.#end(visit, "lost", null),
        connectError: (_socket, error) => this.#end(visit, kindOf(error), null),
      },
    }).catch((error: unknown) => this.#end(visit, kindOf(error), null));
  }

  #read(socket: Socket<Visit>, bytes: Uint8Array): void {
    const visit = socket.data;
    visit.text += new TextDecoder("latin1").decode(bytes);
    const head = visit.text.indexOf("\r\n\r\n");
    const length = Number(/^content-length: (\d+)/im.exec(visit.text)?.[1] ?? 0);
    if (head < 0 || visit.text.length < head + 4 + length) return;
    const isOk = visit.text.startsWith("HTTP/1.1 200");
    if (isOk && performance.now() - visit.startMs > LATE_MS) visit.counts.late++;
    const ends = !visit.keeps || /^connection: close/im.test(visit.text.slice(0, head));
    if (ends) this.#end(visit, isOk ? "answered" : "turnedAway", socket);
    else this.#again(visit, isOk, socket);
    if (ends && visit.keeps && this.#rate > 0) this.#visit(true);
  }

  #again(visit: Visit, isOk: boolean, socket: Socket<Visit>): void {
    visit.counts[isOk ? "answered" : "turnedAway"]++;
    visit.isWaiting = false;
    visit.text = "";
    setTimeout(() => {
      if (this.#rate === 0 || !this.#open.has(visit)) return;
      visit.isWaiting = true;
      visit.startMs = performance.now();
      socket.write(this.#request(true));
    }, Math.random() * 20);
  }

  #end(visit: Visit, outcome: keyof Outcome, socket: Socket<Visit> | null): void {
    if (!this.#open.delete(visit)) return;
    if (visit.isWaiting) visit.counts[outcome]++;
    socket?.end();
    // Closed between two requests, which is its right: somebody who keeps connections opens another.
    const wasClosed = visit.keeps && outcome === "lost" && this.#rate > 0;
    if (wasClosed) setTimeout(() => this.#rate > 0 && this.#visit(true), 20);
  }
}

const kindOf = (error: unknown): keyof Outcome =>
  error instanceof Error && "code" in error && error.code === "ECONNREFUSED" ? "refused" : "lost";
