/**
 * What main tells systemd about itself, in the words of sd_notify(3), and how often: states at once and for
 * certain, its status when there is room, its sign of life at half of the watchdog's interval. Used by
 * herald.ts. Without NOTIFY_SOCKET every call is nothing.
 */
import { constants } from "node:os";
import { log } from "../../log.ts";
import type { NotifySocket } from "./notify.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that are for main alone: a worker that heard of the socket could speak for the service. */
export const NOTIFY_VARIABLES: readonly string[] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

const RETRY_MS = 50;
/** A manager that does not read for so long has other worries. */
const MAX_WAITING = 64;
const MAX_STATUS_LENGTH = 400;

export class ServiceManager {
  /** How long until systemd would kill main; 0: it does not watch. */
  readonly watchdogMs: number;
  readonly #socket: NotifySocket | null;
  /** What could not be sent yet; order matters. */
  #waiting: string[] = [];
  #retry: ReturnType<typeof setInterval> | null = null;
  #aliveAt = Number.NEGATIVE_INFINITY;

  constructor(socket: NotifySocket | null, watchdogMs: number) {
    this.#socket = socket;
    this.watchdogMs = watchdogMs;
  }

  /** The manager this process was started by; one that hears nothing when there is none. Never throws. */
  static async of(environment: Environment): Promise<ServiceManager> {
    const address = environment["NOTIFY_SOCKET"];
    if (!address) return new ServiceManager(null, 0);
    try {
      const { openNotifySocket } = await import("./notify.ts");
      return new ServiceManager(openNotifySocket(address), watchdogMsOf(environment, process.pid));
    } catch (error) {
      log("warn", `the service manager cannot be told anything: ${(error as Error).message}`);
      return new ServiceManager(null, 0);
    }
  }

  get isThere(): boolean {
    return this.#socket !== null;
  }

  ready(status: string): void {
    this.#tell("READY=1", `MAINPID=${process.pid}`, statusLine(status));
  }

  /** `Type=notify-reload` compares the time with that of its signal. */
  reloading(): void {
    const us = this.#socket?.monotonicUs() ?? 0n;
    this.#tell("RELOADING=1", `MONOTONIC_USEC=${us}`, statusLine("Reloading"));
  }

  stopping(status: string): void {
    this.#tell("STOPPING=1", statusLine(status));
  }

  /** Why the service ends badly. */
  failed(faults: readonly string[]): void {
    this.#tell(`ERRNO=${errnoOf(faults)}`, statusLine(faults.join("; ")));
  }

  /** What `systemctl status` shows; lost when the manager is busy. */
  status(text: string): void {
    if (this.#waiting.length === 0) this.#socket?.send(statusLine(text));
  }

  /** Asks for patience: the limit of the present state is at least `ms` away from now. */
  extend(ms: number, status: string): void {
    if (this.#waiting.length === 0)
      this.#socket?.send(`EXTEND_TIMEOUT_USEC=${Math.round(ms * 1000)}\n${statusLine(status)}`);
  }

  /**
   * A sign of life, sent when half of the watchdog's time is over; call it several times in that time.
   * `isNow`: the next may be late.
   */
  alive(nowMs: number, isNow = false): void {
    if (this.watchdogMs === 0 || (!isNow && nowMs - this.#aliveAt < this.watchdogMs / 2)) return;
    if (this.#socket?.send("WATCHDOG=1") === true) this.#aliveAt = nowMs;
  }

  #tell(...lines: readonly string[]): void {
    if (this.#socket === null) return;
    const message = lines.join("\n");
    if (this.#waiting.length === 0 && this.#socket.send(message)) return;
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
    this.#retry ??= setInterval(() => this.#sendWaiting(), RETRY_MS);
  }

  #sendWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#socket?.send(next) !== true) return;
      this.#waiting.shift();
    }
    if (this.#retry !== null) clearInterval(this.#retry);
    this.#retry = null;
  }
}

/** The watchdog's time in ms; 0 when nobody watches this process (sd_watchdog_enabled(3)). */
export function watchdogMsOf(environment: Environment, pid: number): number {
  const forPid = environment["WATCHDOG_PID"];
  if (forPid !== undefined && forPid !== String(pid)) return 0;
  const us = Number(environment["WATCHDOG_USEC"]);
  return Number.isSafeInteger(us) && us > 0 ? us / 1000 : 0;
}

/**
 * One line: a message of sd_notify is lines of assignments, and parts of a status may come from a
 * configuration.
 */
function statusLine(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, " ");
  return `STATUS=${line.length > MAX_STATUS_LENGTH ? `${line.slice(0, MAX_STATUS_LENGTH)}…` : line}`;
}

/** Sentences that name no code of the system (addresses.ts has turned it into words). */
const WORDS: readonly (readonly [string, string])[] = [
  ["is in use", "EADDRINUSE"],
  ["needs more rights", "EACCES"],
  ["is not an address of this machine", "EADDRNOTAVAIL"],
  ["not enough memory", "ENOSPC"],
  ["is using", "EBUSY"],
];

/** The number `systemctl status` puts a word to: that of the first fault that has one, else EINVAL. */
export function errnoOf(faults: readonly string[]): number {
  const codes: Readonly<Record<string, number | undefined>> = constants.errno;
  for (const fault of faults) {
    for (const [word] of fault.matchAll(/\bE[A-Z]{2,15}\b/g)) {
      const number = codes[word];
      if (number !== undefined) return number;
    }
    const name = WORDS.find(([words]) => fault.includes(words))?.[1];
    if (name !== undefined) return codes[name] ?? constants.errno.EINVAL;
  }
  return constants.errno.EINVAL;
}
