/**
 * One file of access logs, as one worker writes it: appended to, opened again on demand, and never in the way
 * of a request. What the disk does not take in time is dropped and counted. Called by access-log.ts.
 *
 * Each worker has the file open for itself with O_APPEND; a write of whole lines is not mixed with another's.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { log } from "../log.ts";

/** Not waiting for the reader of a named pipe: a log is no reason to stand still. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
const MODE = 0o644;
/** Lines that wait for the disk, at most. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** One word about a broken log in this time is enough. */
const QUIET_MS = 10_000;

export class LogFile {
  readonly path: string;
  readonly #bufferBytes: number;
  readonly #flushMs: number;
  #lines: string[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  #handle: FileHandle | null = null;
  /** SIGUSR1 came, and there is no new file yet. */
  #mustReopen = false;
  /** What waits is to be written, or the file to be opened. */
  #isAsked = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #work: Promise<void> | null = null;

  /** `bufferBytes` 0 writes without waiting for more; `flushMs` 0 waits until the buffer is full. */
  constructor(path: string, bufferBytes: number, flushMs: number) {
    this.path = path;
    this.#bufferBytes = bufferBytes;
    this.#flushMs = flushMs;
    this.flush();
  }

  /** Takes one line with its line feed, a binary string. */
  write(line: string): void {
    if (this.#waitingBytes + line.length > MAX_WAITING_BYTES) {
      this.#dropped++;
      this.#tell("the disk does not follow");
      return;
    }
    this.#lines.push(line);
    this.#waitingBytes += line.length;
    if (this.#waitingBytes >= this.#bufferBytes) this.flush();
    else if (this.#flushMs > 0) this.#timer ??= this.#startTimer();
  }

  /** Starts writing what waits; one write at a time, so lines keep their order. */
  flush(): void {
    this.#stopTimer();
    this.#isAsked = true;
    this.#work ??= this.#writeAll().finally(() => {
      this.#work = null;
      // Somebody may have asked between the last look and here.
      if (this.#isAsked) this.flush();
    });
  }

  /** The file was moved away: what waits goes into the old one, what comes into a new one of this name. */
  reopen(): void {
    this.#mustReopen = true;
    this.flush();
  }

  /** Resolves when everything is written and the file closed. */
  async close(): Promise<void> {
    this.flush();
    while (this.#work !== null) await this.#work;
    this.#stopTimer();
    await this.#closeHandle();
  }

  async #writeAll(): Promise<void> {
    while (this.#isAsked) {
      this.#isAsked = false;
      const text = this.#lines.join("");
      let unwritten = this.#lines.length;
      this.#lines = [];
      this.#waitingBytes = 0;
      try {
        const handle = this.#handle ?? (await this.#open());
        if (text !== "") await append(handle, text);
        unwritten = 0;
        if (this.#mustReopen) await this.#open();
      } catch (error) {
        this.#dropped += unwritten;
        this.#tell(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** The old file stays open until there is a new one. */
  async #open(): Promise<FileHandle> {
    const fresh = await open(this.path, FLAGS, MODE);
    await this.#closeHandle();
    this.#handle = fresh;
    this.#mustReopen = false;
    return fresh;
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  #startTimer(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => this.flush(), this.#flushMs);
    timer.unref();
    return timer;
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #tell(why: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < QUIET_MS) return;
    this.#toldMs = nowMs;
    log("error", "an access log cannot be written", { path: this.path, lost: this.#dropped, error: why });
  }
}

/** All bytes, in as many writes as the kernel wants. */
async function append(handle: FileHandle, text: string): Promise<void> {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at);
    if (bytesWritten === 0) throw new Error("nothing was written");
    at += bytesWritten;
  }
}
