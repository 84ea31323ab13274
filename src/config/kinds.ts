/**
 * The kinds of value an option can have: how each is read from what the TOML parser gave, and what to say
 * when it is not one. options.ts names a kind and its bounds for every option; toml.ts and load.ts call
 * `readOption`.
 *
 * Kinds are looked up by name instead of being functions in the table, so that the table stays data that
 * print.ts can turn into documentation.
 */
import { type Issue, shownValue } from "./fault.ts";
import type { Keepalive } from "./model/server.ts";
import { parseKeepalive } from "./server/listen-text.ts";
import { parseDuration, parseSize } from "./units.ts";

/** What a value of each kind is after reading: sizes in bytes, times in the unit the kind says. */
export interface KindTypes {
  string: string;
  flag: boolean;
  integer: number;
  size: number;
  seconds: number;
  milliseconds: number;
  enum: string;
  strings: readonly string[];
  complex: string;
  keepalive: Keepalive;
}

export type KindName = keyof KindTypes;
export type TomlValue = string | number | boolean | readonly string[];

interface Spec<K extends KindName> {
  readonly kind: K;
  /** As one would write it in the file; null = unset, and then `unset` says what that means. */
  readonly default: TomlValue | null;
  readonly unset?: string;
  readonly doc: string;
  readonly example: TomlValue;
  /** Without it the option may be left out. */
  readonly required?: true;
  /**
   * Inclusive bounds, written as in the file ("128KiB", "1s", 1). A value of 0 below the least is "cannot be
   * zero".
   */
  readonly min?: TomlValue;
  readonly max?: TomlValue;
  /** Accepted values of an enum. */
  readonly values?: readonly string[];
  /** A word that stands for 0 in an integer option ("auto"). */
  readonly word?: string;
  readonly check?: (value: KindTypes[K]) => readonly Issue[];
}

export type Option = { [K in KindName]: Spec<K> }[KindName];

/** The type of an option's value: its kind's, or one of its enum words, or null where it may stay unset. */
export type ValueOf<O> =
  | (O extends { values: readonly (infer Word)[] }
      ? Word
      : O extends { kind: infer K extends KindName }
        ? KindTypes[K]
        : never)
  | (O extends { required: true } ? never : O extends { default: null } ? null : never);

export type Reading = { readonly value: unknown; readonly issues: readonly Issue[] };

/**
 * Reads one value of one option. `key` is the option's own name, for the sentences. Issues are empty when it
 * is fine.
 */
export function readOption(option: Option, key: string, raw: unknown): Reading {
  switch (option.kind) {
    case "string":
    case "complex":
      return finish(option, key, raw, typeof raw === "string" ? raw : null, "text in quotes");
    case "flag":
      return finish(option, key, raw, typeof raw === "boolean" ? raw : null, "true or false");
    case "strings":
      return finish(option, key, raw, stringList(raw), "a list of texts");
    case "keepalive":
      return readKeepalive(raw);
    case "enum":
      return readEnum(option, key, raw);
    default:
      return readNumber(option, key, raw);
  }
}

type TextualOption = Extract<Option, { kind: "string" | "complex" | "flag" | "strings" }>;

function finish(option: TextualOption, key: string, raw: unknown, value: unknown, wanted: string): Reading {
  if (value === null) return refused(raw, `${key} must be ${wanted}, not ${typeName(raw)}.`);
  const check = option.check as ((value: unknown) => readonly Issue[]) | undefined;
  return { value, issues: check?.(value) ?? [] };
}

/** One text is taken as a list of one, which is what `listen = "127.0.0.1:80"` means. */
function stringList(raw: unknown): readonly string[] | null {
  if (typeof raw === "string") return [raw];
  return Array.isArray(raw) && raw.every((item) => typeof item === "string") ? raw : null;
}

/**
 * Words are compared without case and the sentences of a bad role are the module's (push-stream spec 1.2).
 */
function readEnum(option: Option, key: string, raw: unknown): Reading {
  const values = option.values ?? [];
  const word = typeof raw === "string" ? raw.toLowerCase() : null;
  if (word !== null && values.includes(word)) return { value: word, issues: [] };
  const name = key === "publisher" || key === "subscriber" ? `${key} mode` : key;
  const shown = typeof raw === "string" ? raw : shownValue(raw);
  return refused(raw, `invalid ${name} value: ${shown}, accepted values (${values.join(", ")}).`);
}

function readKeepalive(raw: unknown): Reading {
  const text = typeof raw === "boolean" ? (raw ? "on" : "off") : raw;
  const value = typeof text === "string" ? parseKeepalive(text) : null;
  return value === null
    ? refused(raw, 'keepalive must be true, false or "idle:interval:count", such as "60s:10s:6".')
    : { value, issues: [] };
}

const NUMBER_FORMS = {
  integer: "a whole number",
  size: 'a size such as "64MiB", "512k" or a number of bytes',
  seconds: 'a time in whole seconds such as "30m", "1h30m" or a number of seconds',
  milliseconds: 'a time such as "15s", "500ms" or a number of seconds',
} as const;

type NumberOption = Extract<Option, { kind: keyof typeof NUMBER_FORMS }>;

function readNumber(option: NumberOption, key: string, raw: unknown): Reading {
  if (option.word !== undefined && raw === option.word) return { value: 0, issues: [] };
  const value = numberOf(option.kind, raw);
  if (value === null) {
    const word = option.word === undefined ? "" : ` or "${option.word}"`;
    return refused(raw, `${key} must be ${NUMBER_FORMS[option.kind]}${word}, not ${typeName(raw)}.`);
  }
  const sentence = boundsSentence(option, key, value);
  return sentence === null ? { value, issues: option.check?.(value) ?? [] } : refused(raw, sentence);
}

function numberOf(kind: NumberOption["kind"], raw: unknown): number | null {
  if (kind === "size") return parseSize(raw);
  if (kind === "integer") return typeof raw === "number" && Number.isSafeInteger(raw) ? raw : null;
  const ms = parseDuration(raw);
  if (kind === "milliseconds" || ms === null) return ms;
  return ms % 1000 === 0 ? ms / 1000 : null;
}

/** The sentences for zero and for a too small size are the module's (push-stream spec 1.3 and 1.6). */
function boundsSentence(option: NumberOption, key: string, value: number): string | null {
  const { min, max } = option;
  if (min !== undefined && value < (numberOf(option.kind, min) ?? 0)) {
    if (value === 0) return `${key} cannot be zero.`;
    return option.kind === "size"
      ? `The ${key} value must be at least ${min}.`
      : `${key} must be at least ${min}.`;
  }
  if (max !== undefined && value > (numberOf(option.kind, max) ?? 0)) return `${key} must be at most ${max}.`;
  return null;
}

const refused = (raw: unknown, sentence: string): Reading => ({
  value: undefined,
  issues: [{ suffix: "", value: raw, sentence }],
});

/** What the parser gave, in the words of the file. */
function typeName(raw: unknown): string {
  if (typeof raw === "string") return `the text ${shownValue(raw)}`;
  if (typeof raw === "number" || typeof raw === "boolean") return shownValue(raw);
  if (Array.isArray(raw)) return "a list";
  return raw !== null && typeof raw === "object" && Object.getPrototypeOf(raw) === Object.prototype
    ? "a table"
    : "a date";
}
