/**
 * Colours, and what may be shown on a terminal. Used by every command that prints for people.
 *
 * Colours appear only when the stream is a terminal, NO_COLOR is unset or empty (no-color.org) and TERM is
 * not "dumb"; no option turns them on elsewhere, so a pipe or a log file never has escape codes in it.
 */
import { isatty } from "node:tty";
import { styleText } from "node:util";

export interface Style {
  readonly enabled: boolean;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a stream with this file descriptor gets colours. */
export function wantsColour(onTerminal: boolean, env: Environment): boolean {
  return onTerminal && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

/** The palette, or functions that change nothing. Whether the stream takes colours was decided before. */
export function makeStyle(enabled: boolean): Style {
  const styled = (format: "bold" | "dim" | "red" | "green" | "yellow" | "cyan") =>
    enabled ? (text: string) => styleText(format, text, { validateStream: false }) : (text: string) => text;
  return {
    enabled,
    bold: styled("bold"),
    dim: styled("dim"),
    red: styled("red"),
    green: styled("green"),
    yellow: styled("yellow"),
    cyan: styled("cyan"),
  };
}

export const stdoutIsTerminal = (): boolean => isatty(1);
export const stdinIsTerminal = (): boolean => isatty(0);
export const stdoutStyle = (): Style => makeStyle(wantsColour(isatty(1), process.env));
export const stderrStyle = (): Style => makeStyle(wantsColour(isatty(2), process.env));

/**
 * Text from outside (messages, channel names, the server's explanations), made safe for a terminal: control
 * characters, which could move the cursor or retitle the window, and bidirectional overrides become
 * `\x1b`-like escapes. Line feeds and tabs stay when `keepLines` is set.
 */
export function printable(text: string, keepLines = false): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (char) =>
    keepLines && (char === "\n" || char === "\t") ? char : escapeChar(char),
  );
}

function escapeChar(char: string): string {
  const code = char.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}

/** "1 message", "2 messages". */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

export function binarySize(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes >= 1 ? `${Number(mebibytes.toFixed(1))} MiB` : `${Math.round(bytes / 1024)} KiB`;
}
