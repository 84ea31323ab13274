/**
 * padding_by_user_agent: `regex,header,message` groups joined by ":" (push-stream spec 4.8; the faults are
 * rows 10 to 12 of 1.6). Called by the checks of both front ends, and by subscribe/, which pads with what
 * comes out.
 *
 * The groups are found the way the module finds them, by looking for `([^:]+),(\d+),(\d+)` in what is left of
 * the text, as its faults name that rest. A regex may therefore hold commas, but no colon.
 */
import { toBinary } from "../binary-text.ts";
import type { Issue } from "../fault.ts";
import { type BoundedRegex, boundedRegex } from "../regex/bounded-regex.ts";
import { pcreSource } from "../regex/pcre.ts";

export interface PaddingGroup {
  /** Tried on the user agent as a binary string, unanchored and with case. */
  readonly regex: BoundedRegex;
  /** Least bytes of the header and of a message; 0 = no padding. */
  readonly headerMin: number;
  readonly messageMin: number;
}

export type PaddingOutcome =
  | { readonly ok: true; readonly groups: readonly PaddingGroup[] }
  | { readonly ok: false; readonly sentences: readonly string[] };

const GROUP = /([^:]+),(\d+),(\d+)/;
/** Padding is made of bytes that are written for nothing; browsers never asked for more than 4 KiB. */
const MAX_PADDING_BYTES = 1_048_576;
/** Two loops over a regex that the engine backtracks in stay short. */
const MAX_TEXT_LENGTH = 4000;

const UNPARSABLE = "unable to parse paddings by user agent";

const refused = (...sentences: string[]): PaddingOutcome => ({ ok: false, sentences });

/** "" is no groups at all: off. The sentences are the module's, without its prefix. */
export function parsePadding(text: string): PaddingOutcome {
  if (text.length > MAX_TEXT_LENGTH)
    return refused(`${UNPARSABLE}: the text is longer than ${MAX_TEXT_LENGTH} characters`);
  const groups: PaddingGroup[] = [];
  for (let rest = text; rest !== ""; ) {
    const found = GROUP.exec(rest);
    if (found === null) return refused(`padding pattern not match the value ${rest}`, UNPARSABLE);
    if (found.index > 0) return refused(`error applying padding pattern to ${rest}`, UNPARSABLE);
    const group = readGroup(found[1] ?? "", Number(found[2]), Number(found[3]));
    if (typeof group === "string") return refused(group, UNPARSABLE);
    groups.push(group);
    rest = rest.slice(found[0].length).replace(/^:/, "");
  }
  return { ok: true, groups };
}

/** The check of the option: the sentences as one issue. */
export function paddingIssues(text: string): readonly Issue[] {
  const outcome = parsePadding(text);
  return outcome.ok ? [] : [{ suffix: "", value: text, sentence: `${outcome.sentences.join("; ")}.` }];
}

/** A group, or what is wrong with it. */
function readGroup(agent: string, headerMin: number, messageMin: number): PaddingGroup | string {
  if (Math.max(headerMin, messageMin) > MAX_PADDING_BYTES)
    return `a padding of more than ${MAX_PADDING_BYTES} bytes is not supported`;
  const { source, ignoreCase } = pcreSource(agent);
  const outcome = boundedRegex(toBinary(source), ignoreCase ? "i" : "");
  if (outcome.ok) return { regex: outcome.regex, headerMin, messageMin };
  // The module's sentence tells no more than this.
  return outcome.isMalformed
    ? `unable to compile agent pattern ${agent}`
    : `${outcome.sentence} (agent pattern ${agent})`;
}
