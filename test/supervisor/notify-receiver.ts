/**
 * The other end of NOTIFY_SOCKET, as systemd has it: a unix datagram socket that keeps every message in
 * order. Used by tests of what main tells the service manager.
 */
import { dlopen } from "bun:ffi";
import { rmSync } from "node:fs";
import { socketAddress } from "../../src/supervisor/service/notify.ts";
import { eventually } from "./main-process.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const LOOK_MS = 2;

const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
});

export class NotifyReceiver {
  /** As NOTIFY_SOCKET has it: `/path` or `@name`. */
  readonly address: string;
  readonly messages: string[] = [];
  readonly #descriptor: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #isPaused = false;

  constructor(address: string) {
    this.address = address;
    const bytes = socketAddress(address);
    this.#descriptor = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (bytes === null || libc.bind(this.#descriptor, bytes, bytes.length) !== 0)
      throw new Error(`cannot bind ${address}`);
    this.#timer = setInterval(() => this.#isPaused || this.#read(), LOOK_MS);
  }

  /** The environment of a service that notifies. */
  environment(watchdogMs = 0): Record<string, string> {
    const watchdog: Record<string, string> =
      watchdogMs > 0 ? { WATCHDOG_USEC: String(watchdogMs * 1000) } : {};
    return { NOTIFY_SOCKET: this.address, ...watchdog };
  }

  /** Reads nothing until told to: the kernel's queue fills up. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
  }

  /** Waits until `count` messages hold this text; the last of them. */
  heard(text: string, count = 1): Promise<string> {
    return eventually(`${count} × ${text} in\n${this.messages.join("\n--\n")}`, () => {
      const found = this.messages.filter((message) => message.includes(text));
      return found.length >= count ? (found[count - 1] ?? null) : null;
    });
  }

  /** Lines that are no status and no sign of life, in order. */
  get states(): readonly string[] {
    return this.messages
      .flatMap((message) => message.split("\n"))
      .filter((line) => /^[A-Z]+=1$/.test(line) && line !== "WATCHDOG=1");
  }

  count(text: string): number {
    return this.messages.filter((message) => message.includes(text)).length;
  }

  close(): void {
    clearInterval(this.#timer);
    libc.close(this.#descriptor);
    if (this.address.startsWith("/")) rmSync(this.address, { force: true });
  }

  #read(): void {
    const buffer = new Uint8Array(8192);
    for (;;) {
      const length = Number(libc.recv(this.#descriptor, buffer, buffer.length, MSG_DONTWAIT));
      if (length <= 0) return;
      this.messages.push(new TextDecoder().decode(buffer.subarray(0, length)));
    }
  }
}
