/**
 * One connection to the engine that carries the log: what a worker writes, or what the node reads. Commands
 * of one turn leave in one write, replies are read in place (resp.ts), in the order of the commands. Made by
 * engine-link.ts. Connecting again, and what becomes of a command without an answer, is not decided here
 * (publisher.ts).
 *
 * ioredis (connect.ts) stays for whatever is asked once: finding the primary, the checks at the start,
 * leases. On node:net and not on Bun.connect, because TLS must check the server's name.
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ClusterConfig, EngineAddress } from "../config/model/cluster.ts";
import { ByteWriter } from "../wire/byte-writer.ts";
import { type Host, tlsOf } from "./connect.ts";
import {
  asBuffers,
  asText,
  beginCommand,
  pushWord,
  type ReadReply,
  ReplyGatherer,
  refusalAt,
} from "./resp.ts";
import { readSecret } from "./secret.ts";

/** What this folder asks of whatever leads to the engine; ioredis has it as well. */
export interface Calls {
  /** Strings come as text. */
  call(command: string, ...words: string[]): Promise<unknown>;
  /** Strings come as bytes. */
  callBuffer(command: string, ...words: (string | Buffer)[]): Promise<unknown>;
}

interface Waiting {
  readonly answer: (bytes: Buffer, from: number) => void;
  readonly fail: (error: Error) => void;
}

const KEEP_ALIVE_MS = 10_000;
/** For the last words of a connection that is given up. */
const LAST_WORDS_MS = 1000;
/** The server wants none: `check` tells of it (start.ts). */
const NEEDS_NO_PASSWORD = /without any password configured/;

export class EngineConnection implements Calls {
  readonly #socket: Socket;
  readonly #out = new ByteWriter();
  readonly #replies = new ReplyGatherer();
  /** Commands that were written, in their order; those before `#answered` are. */
  #waiting: Waiting[] = [];
  #answered = 0;
  #isLeaving = false;
  #isOver = false;
  #cause: Error | null = null;
  #ended: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error: Error) => {
      this.#cause ??= error;
    });
    socket.on("close", () => this.#end());
  }

  /** Connected and let in; rejects with the cause. */
  static async open(
    config: ClusterConfig,
    { tls }: EngineAddress,
    { host, port }: Host,
  ): Promise<EngineConnection> {
    const socket = tls ? connectTls({ host, port, ...tlsOf(config) }) : connect({ host, port });
    const connection = new EngineConnection(socket);
    const timer = setTimeout(() => connection.#fail(new Error("no answer in time")), config.engineTimeoutMs);
    try {
      await connection.#up(tls ? "secureConnect" : "connect");
      await connection.#enter(config);
      return connection;
    } catch (error) {
      connection.disconnect();
      throw connection.#cause ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  get isOpen(): boolean {
    return !this.#isOver;
  }

  /** Called once, before those who wait are told. */
  onEnd(ended: () => void): void {
    this.#ended = ended;
  }

  call(command: string, ...words: string[]): Promise<unknown> {
    return this.sendWords(asText, command, ...words);
  }

  callBuffer(command: string, ...words: (string | Buffer)[]): Promise<unknown> {
    return this.sendWords(asBuffers, command, ...words);
  }

  /** `read`: the reply, where it lies. */
  sendWords<T>(read: ReadReply<T>, command: string, ...words: readonly (string | Buffer)[]): Promise<T> {
    return this.send((out) => pushCommand(out, command, words), read);
  }

  /** `write`s one command. Rejects with an EngineRefusal where the engine refuses it. */
  send<T>(write: (out: ByteWriter) => void, read: ReadReply<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) {
        reject(this.#closed());
        return;
      }
      write(this.#out);
      this.#waiting.push({
        answer: (bytes, from) => {
          const refusal = refusalAt(bytes, from);
          if (refusal === null) resolve(read(bytes, from));
          else reject(refusal);
        },
        fail: reject,
      });
      if (this.#isLeaving) return;
      this.#isLeaving = true;
      queueMicrotask(() => this.#leave());
    });
  }

  /** The bytes of the last reply, which were read where they lie: nobody looks at them any more. */
  giveBack(bytes: Buffer): void {
    this.#replies.giveBack(bytes);
  }

  /** Who waits is told at once; what was written may still be carried out. */
  disconnect(): void {
    this.#leave();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), LAST_WORDS_MS);
    timer.unref();
    this.#socket.once("close", () => clearTimeout(timer));
    this.#end();
  }

  #up(event: "connect" | "secureConnect"): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once(event, () => resolve());
      this.onEnd(() => reject(this.#closed()));
    });
  }

  async #enter({ user, password, node }: ClusterConfig): Promise<void> {
    const secret = readSecret(password);
    if (secret !== undefined) {
      try {
        await this.call("AUTH", ...(user === null ? [] : [user]), secret);
      } catch (error) {
        if (!NEEDS_NO_PASSWORD.test(String(error))) throw error;
      }
    }
    // A user may not be let do this; it is for whoever looks at CLIENT LIST.
    await this.call("CLIENT", "SETNAME", `sluice-${node}`).catch(() => undefined);
    await this.call("PING");
  }

  #leave(): void {
    this.#isLeaving = false;
    if (this.#out.length === 0) return;
    // The socket keeps what the kernel does not take at once.
    this.#socket.write(this.#out.copy());
    this.#out.reset();
  }

  #take(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#replies.push(chunk);
      for (let from = this.#replies.next(); from >= 0; from = this.#replies.next()) {
        const waiting = this.#waiting[this.#answered];
        if (waiting === undefined) throw new Error("the engine answers what nobody asked");
        waiting.answer(this.#replies.bytes, from);
        this.#answered++;
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#answered < MOST_ANSWERED && this.#answered < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#answered);
    this.#answered = 0;
  }

  #fail(cause: Error): void {
    this.#cause ??= cause;
    this.#socket.destroy();
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended();
    const waiting = this.#waiting.slice(this.#answered);
    this.#waiting = [];
    this.#answered = 0;
    for (const { fail } of waiting) fail(this.#closed());
  }

  #closed(): Error {
    return this.#cause ?? new Error("the connection is closed");
  }
}

/** Answered commands that are kept in the list before it is made shorter. */
const MOST_ANSWERED = 64;

function pushCommand(out: ByteWriter, command: string, words: readonly (string | Buffer)[]): void {
  beginCommand(out, words.length + 1);
  pushWord(out, command);
  for (const word of words) pushWord(out, word);
}
