/**
 * Log lines for people and machines: one line on stderr each, `time level process message key=value …`. Used by every
 * process of sluice; those of the daemon may send it to a file (supervisor/log-file.ts). A leaf.
 *
 * Why not a library: a daemon under systemd needs nothing but lines on stderr with a level; rotation, files and shipping are
 * the journal's work.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

const ORDER: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

let threshold = ORDER.info;
let processName = "main";
let write = toStderr;

/** Sets the least level that is written and the name of this process ("main", "worker 0") for every later line. */
export function configureLog(level: LogLevel, name: string): void {
  threshold = ORDER[level];
  processName = name;
}

/** Sends every later line, its newline included, to `sink`; null: to stderr again. */
export function sendLogTo(sink: ((line: string) => void) | null): void {
  write = sink ?? toStderr;
}

function toStderr(line: string): void {
  process.stderr.write(line);
}

/** Writes one line. Values with spaces, quotes or control characters are JSON-quoted, so one event stays one line. */
export function log(level: LogLevel, message: string, fields: LogFields = {}): void {
  if (ORDER[level] < threshold) return;
  let line = `${new Date().toISOString()} ${level.padEnd(5)} ${processName}: ${oneLine(message)}`;
  for (const [key, value] of Object.entries(fields)) line += ` ${key}=${fieldText(value)}`;
  write(`${line}\n`);
}

const fieldText = (value: string | number | boolean | null): string =>
  typeof value === "string" && /[\s"=\p{Cc}]/u.test(value) ? JSON.stringify(value) : String(value);

/** Untrusted text may reach a message through an error: control characters must not forge lines. */
const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, " ");
