/**
 * Options that several commands have, and what their values may be. Used where commands are described:
 * program.ts and its parts.
 */
import { InvalidArgumentError, Option } from "commander";
import { TOKEN_VARIABLE } from "./client/credential.ts";
import { DEFAULT_URL } from "./client/endpoint.ts";

const ANSWER_TIMEOUT_SEC = 30;

export const urlOption = (): Option => new Option("-u, --url <url>", "the server").default(DEFAULT_URL);
export const tokenFileOption = (): Option =>
  new Option(
    "--token-file <file>",
    `a signed token or a key, where one is asked for (default: what $${TOKEN_VARIABLE} holds)`,
  );
export const answerTimeoutOption = (): Option =>
  new Option("--timeout <s>", "give up when there is no answer after this many seconds (exit code 3)")
    .argParser(seconds)
    .default(ANSWER_TIMEOUT_SEC);

export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^[0-9]+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw new InvalidArgumentError(`It wants a whole number of at least ${least}.`);
  };

/** setTimeout counts in 32 bits of milliseconds; more seconds than that are as good as none. */
const MAX_SECONDS = 2_000_000;

export function seconds(text: string): number {
  const value = Number(text);
  if (text !== "" && value > 0 && value <= MAX_SECONDS) return value;
  throw new InvalidArgumentError(`It wants seconds above 0 and at most ${MAX_SECONDS}.`);
}
