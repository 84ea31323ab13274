/**
 * Log lines for people and machines, one line on stderr each: `time level process message key=value …`, or a
 * JSON object. Used by every process of sluice; those of the daemon may send it to a file
 * (supervisor/service/log-file.ts). A leaf.
 *
 * Under systemd stderr is the journal, which has the time already and takes the level as a number in front of
 * the line (sd-daemon(3)).
 *
 * Why not a library: a daemon under systemd needs nothing but lines on stderr with a level; rotation, files
 * and shipping are the journal's work.
 */
import { fstatSync } from "node:fs";

export type LogLevel = "debug" | "info" | "warn" | "error";
/** `auto` is text. */
export type LogStyle = "auto" | "text" | "json";
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export type LogWatcher = (level: LogLevel, process: string, message: string, fields: LogFields) => void;

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
/** syslog(3)'s numbers. */
const PRIORITY: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
const STDERR = 2;

let threshold = ORDER.info;
let processName = "main";
let isJson = false;
/** null: stderr. */
let sink: ((line: string) => void) | null = null;
/** Told of warnings and errors beside the log itself; null: nobody is. */
let watcher: LogWatcher | null = null;
/** null: nobody looked yet. */
let stderrIsJournal: boolean | null = null;

/**
 * Sets the least level that is written and the name of this process ("main", "worker 0") for every later
 * line.
 */
export function configureLog(level: LogLevel, name: string, style: LogStyle = "auto"): void {
  threshold = ORDER[level];
  processName = name;
  isJson = style === "json";
}

/** Sends every later line, its newline included, to `to`; null: to stderr again. */
export function sendLogTo(to: ((line: string) => void) | null): void {
  sink = to;
}

/** Tells somebody of every later warning and error; it must log nothing itself. null: nobody any more. */
export function watchLog(to: LogWatcher | null): void {
  watcher = to;
}

/**
 * Writes one line. Values with spaces, quotes or control characters are JSON-quoted, so one event stays one
 * line.
 */
export function log(level: LogLevel, message: string, fields: LogFields = {}): void {
  if (watcher !== null && ORDER[level] >= ORDER.warn) watcher(level, processName, oneLine(message), fields);
  if (ORDER[level] < threshold) return;
  const toJournal = sink === null && isJournal();
  const line = isJson ? jsonLine(level, message, fields) : textLine(level, message, fields, toJournal);
  if (sink !== null) sink(`${line}\n`);
  else process.stderr.write(`${toJournal ? `<${PRIORITY[level]}>` : ""}${line}\n`);
}

/** Whether stderr goes to the journal and nowhere else: systemd.exec(5), JOURNAL_STREAM. */
export function isJournal(): boolean {
  stderrIsJournal ??= namesStderr(process.env["JOURNAL_STREAM"]);
  return stderrIsJournal;
}

/** `device:inode`. Inherited by programs whose stderr was sent elsewhere since, so it is compared. */
function namesStderr(stream: string | undefined): boolean {
  if (!stream) return false;
  try {
    const { dev, ino } = fstatSync(STDERR);
    return stream === `${dev}:${ino}`;
  } catch {
    return false; // closed
  }
}

/**
 * An error in one line: what it says, and where it was thrown. Not its stack: of a compiled program that is
 * minified text, and more than one line; it is logged as a field where somebody asks for it (debug).
 */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  const place = /^\s+at (?:.*\()?([^()]*)\)?$/m.exec(error.stack ?? "")?.[1];
  return oneLine(place === undefined ? error.message : `${error.message} (at ${place})`);
}

function textLine(level: LogLevel, message: string, fields: LogFields, toJournal: boolean): string {
  const head = toJournal ? "" : `${new Date().toISOString()} ${level.padEnd(5)} `;
  let line = `${head}${processName}: ${oneLine(message)}`;
  for (const [key, value] of Object.entries(fields)) line += ` ${key}=${fieldText(value)}`;
  return line;
}

const jsonLine = (level: LogLevel, message: string, fields: LogFields): string =>
  JSON.stringify({ time: new Date().toISOString(), level, process: processName, message, ...fields });

const fieldText = (value: string | number | boolean | null): string =>
  typeof value === "string" && /[\s"=\p{Cc}]/u.test(value) ? JSON.stringify(value) : String(value);

/** Untrusted text may reach a message through an error: control characters must not forge lines. */
const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, " ");
