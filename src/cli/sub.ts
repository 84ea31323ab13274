/**
 * `sluice sub`: prints messages as they come. Called by program.ts.
 *
 * stdout has nothing but messages: their bytes and a line feed, or with --json one object a line. Everything about the
 * connection goes to stderr, so `sluice sub x > file` collects messages only.
 */
import { isUtf8 } from "node:buffer";
import { type ChannelRequest, parseBaseUrl, parseChannels, shownUrl } from "./client/endpoint.ts";
import { refusedSentence, unreachableSentence } from "./client/http.ts";
import { keepSubscribed, type SessionListener } from "./client/session.ts";
import type { Delivery, Ending, Sink, Transport } from "./client/transport.ts";
import { CommandFailure, ExitCode } from "./failure.ts";
import { OutputClosed, writeNote, writeOut } from "./output.ts";
import { plural, printable, stderrStyle, stdoutIsTerminal, stdoutStyle } from "./style.ts";

export const TRANSPORTS = ["ws", "sse", "stream", "long-poll"] as const;
export type TransportName = (typeof TRANSPORTS)[number];

export interface SubOptions {
  readonly url: string;
  readonly transport: TransportName;
  readonly last: number;
  readonly json?: boolean;
  /** Exit after this many messages. */
  readonly count?: number;
  /** Seconds. */
  readonly timeout?: number;
}

/** Resolves to the exit code: 0 after --count messages or a signal, 3 when --timeout came first. Throws CommandFailure. */
export async function subCommand(args: readonly string[], options: SubOptions): Promise<number> {
  const base = parseBaseUrl(options.url);
  const channels = parseChannels(args, options.last);
  const transport = await makeTransport(options.transport, base, channels);
  const stop = new AbortController();
  const printer = new Printer(options, shownUrl(base), channels.length > 1, () => stop.abort());
  let timedOut = false;
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          stop.abort();
        }, options.timeout * 1000);
  const onSignal = () => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const ending = await keepSubscribed(transport, printer, printer, stop.signal);
  clearTimeout(timer);
  process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  if (printer.fault !== null) throw printer.fault;
  if (ending !== null) throw endingFailure(ending, base);
  return timedOut && !printer.complete ? timeoutReached(options, printer.printed) : ExitCode.OK;
}

/** Loaded when asked for: a subscriber needs one of the four. */
async function makeTransport(
  name: TransportName,
  base: string,
  channels: readonly ChannelRequest[],
): Promise<Transport> {
  switch (name) {
    case "ws":
      return new (await import("./client/websocket-transport.ts")).WebSocketTransport(base, channels);
    case "sse":
      return new (await import("./client/sse-transport.ts")).SseTransport(base, channels);
    case "stream":
      return new (await import("./client/stream-transport.ts")).StreamTransport(base, channels);
    case "long-poll":
      return new (await import("./client/long-poll-transport.ts")).LongPollTransport(base, channels);
  }
}

function endingFailure(ending: Ending, base: string): CommandFailure {
  switch (ending.kind) {
    case "refused":
      return new CommandFailure(
        ExitCode.FAILURE,
        refusedSentence(base, ending.status, printable(ending.explain)),
      );
    case "broken":
      return new CommandFailure(ExitCode.FAILURE, printable(ending.sentence));
    default:
      return new CommandFailure(ExitCode.FAILURE, unreachableSentence(base, ending.reason));
  }
}

function timeoutReached(options: SubOptions, printed: number): number {
  const wanted = options.count === undefined ? "" : ` of ${options.count}`;
  const noun = (options.count ?? printed) === 1 ? "message" : "messages";
  writeNote(`sluice: the timeout of ${options.timeout} s came after ${printed}${wanted} ${noun}.\n`);
  return ExitCode.TIMEOUT;
}

/** Turns what the session tells into output. Its methods never throw; a fault of stdout is kept in `fault` and ends the run. */
class Printer implements Sink, SessionListener {
  printed = 0;
  complete = false;
  fault: unknown = null;
  readonly #options: SubOptions;
  readonly #url: string;
  readonly #severalChannels: boolean;
  readonly #stop: () => void;
  readonly #onTerminal = stdoutIsTerminal();
  readonly #out = stdoutStyle();
  readonly #note = stderrStyle();

  constructor(options: SubOptions, url: string, severalChannels: boolean, stop: () => void) {
    this.#options = options;
    this.#url = url;
    this.#severalChannels = severalChannels;
    this.#stop = stop;
  }

  connected(again: boolean, resumed: boolean): void {
    const by = `${this.#url} by ${this.#options.transport}`;
    const how = again && resumed ? ", going on where it stopped" : "";
    writeNote(`${this.#note.green("*")} ${again ? "connected again" : "connected"} to ${by}${how}\n`);
    if (again && !resumed) {
      const why =
        this.#options.transport === "stream" ? "a plain stream cannot resume" : "no position is known yet";
      this.#warn(`${why}: messages published while the connection was lost were missed`);
    }
  }

  lost(reason: string, delayMs: number): void {
    const seconds = (delayMs / 1000).toFixed(1);
    writeNote(`${this.#note.red("*")} connection lost: ${printable(reason)}; trying again in ${seconds} s\n`);
  }

  opened(): void {
    // `connected` has said it.
  }

  pinged(): void {
    // Nothing to print.
  }

  delivered(message: Delivery): void {
    if (this.complete || this.fault !== null) return;
    try {
      writeOut(this.#options.json ? jsonLine(message) : this.#plain(message));
    } catch (error) {
      this.#endWith(error);
      return;
    }
    this.printed++;
    if (this.printed === this.#options.count) {
      this.complete = true;
      this.#stop();
    }
  }

  missed(channel: string | null, count: number | null): void {
    if (this.complete) return;
    const what = count === null ? "an unknown number of messages" : plural(count, "message");
    const verb = count === 1 ? "was" : "were";
    this.#warn(`${what}${channel === null ? "" : ` of ${printable(channel)}`} ${verb} missed`);
    this.#jsonNotice({ kind: "gap", channel, missed: count });
  }

  deleted(channel: string | null, text: string): void {
    if (this.complete) return;
    const name = channel === null ? "" : ` ${printable(channel)}`;
    this.#warn(`channel${name} was deleted: ${printable(text)}`);
    this.#jsonNotice({ kind: "deleted", channel, data: text });
  }

  /** A machine that reads --json must learn of losses too; a person has read it on stderr. */
  #jsonNotice(notice: object): void {
    if (!this.#options.json) return;
    try {
      writeOut(`${JSON.stringify(notice)}\n`);
    } catch (error) {
      this.#endWith(error);
    }
  }

  #warn(sentence: string): void {
    writeNote(`${this.#note.yellow(`! ${sentence}`)}\n`);
  }

  /** A reader that has seen enough (`| head`) is no fault. */
  #endWith(error: unknown): void {
    if (error instanceof OutputClosed) this.complete = true;
    else this.fault = error;
    this.#stop();
  }

  #plain({ channel, data }: Delivery): Uint8Array | string {
    if (!this.#onTerminal) return Buffer.concat([data, LINE_FEED]);
    const prefix = this.#severalChannels && channel !== null ? `${this.#out.cyan(printable(channel))} ` : "";
    return `${prefix}${printable(decoder.decode(data), true)}\n`;
  }
}

const LINE_FEED = Uint8Array.of(10);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** One object a line, the names of sluice.json.v1; what the transport does not tell is left out. */
function jsonLine(message: Delivery): string {
  const { channel, id, position, time, tag, eventId, eventType, data } = message;
  const known = { channel, id, position, time, tag, event_id: eventId, event_type: eventType };
  const fields = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null));
  const content = isUtf8(data) ? { data: decoder.decode(data) } : { data_base64: data.toBase64() };
  return `${JSON.stringify({ kind: "message", ...fields, ...content })}\n`;
}
