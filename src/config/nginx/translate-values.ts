/**
 * Values of directives: read once where the directive stands, with nginx's complaints (push-stream spec 1.1),
 * and remembered for the places that inherit them. translate-scope.ts has them read, the other translate-*.ts
 * ask for them.
 */
import { parsePadding } from "../location/padding.ts";
import type { DirectiveRow } from "./directives.ts";
import type { PushKind } from "./directives-push.ts";
import { readHeaderFile } from "./header-file.ts";
import { MODULE_PREFIX, type Report } from "./translate-report.ts";
import type { Directive } from "./tree.ts";
import { parseFlag, parseMilliseconds, parseNumber, parseOffset, parseSeconds, parseSize } from "./units.ts";

/** What files a translation reads besides the configuration: header templates. */
export interface FileSource {
  /** Relative paths are relative to it. */
  readonly folder: string;
  /** Throws an Error with a `code` when it cannot. */
  readFile(path: string): Uint8Array;
}

/** A number: of the unit its directive has (seconds, milliseconds, bytes). */
export type Value = string | number | boolean;

type Reading = { readonly value: Value } | { readonly sentence: string };

/** Directives of nginx itself whose one value is a number of some kind. */
const CORE_KINDS: Readonly<Record<string, CoreKind>> = {
  client_max_body_size: "offset",
  keepalive_timeout: "milliseconds",
  keepalive_requests: "number",
  client_header_timeout: "milliseconds",
  client_body_timeout: "milliseconds",
  send_timeout: "milliseconds",
  client_header_buffer_size: "size",
  worker_connections: "number",
  limit_conn_status: "number",
  gzip_min_length: "size",
  gzip_comp_level: "number",
  worker_shutdown_timeout: "milliseconds",
  proxy_connect_timeout: "milliseconds",
  proxy_send_timeout: "milliseconds",
  proxy_read_timeout: "milliseconds",
  proxy_next_upstream_timeout: "milliseconds",
  sluice_handler_timeout: "milliseconds",
  sluice_answer_linger: "milliseconds",
  sluice_answer_max_size: "size",
};

/** As config/location/padding.ts takes a good text apart. */
const PADDING_GROUPS = /([^:]+),(\d+),(\d+)/g;

type CoreKind = "offset" | "size" | "number" | "milliseconds";

export const faultyFlag = (text: string): boolean => parseFlag(text) === null;

export class ValueReader {
  readonly #report: Report;
  readonly #files: FileSource;
  readonly #values = new Map<Directive, Value>();

  constructor(report: Report, files: FileSource) {
    this.#report = report;
    this.#files = files;
  }

  /** False, with a fault told, when the value is not one. */
  read(directive: Directive, { push, isFlag }: DirectiveRow): boolean {
    const text = directive.args[0]?.text ?? "";
    const kind = push?.kind ?? (isFlag ? "flag" : CORE_KINDS[directive.name]);
    if (kind === undefined) return true;
    const reading = this.#readKind(kind, text, directive);
    if ("sentence" in reading) {
      this.#report.fault(directive, reading.sentence);
      return false;
    }
    if (push?.notZero === true && reading.value === 0) {
      this.#report.moduleFault(directive, `${directive.name} cannot be zero.`);
      return false;
    }
    this.#values.set(directive, reading.value);
    return true;
  }

  /** What was read; undefined for null and for directives without a value of a kind. */
  of(directive: Directive | null): Value | undefined {
    return directive === null ? undefined : this.#values.get(directive);
  }

  #readKind(kind: PushKind | CoreKind, text: string, { name }: Directive): Reading {
    const invalid = (what: string): string => `"${name}" directive invalid ${what}`;
    switch (kind) {
      case "flag":
        return orSentence(parseFlag(text), invalid("value"));
      case "number":
        return orSentence(parseNumber(text), invalid("number"));
      case "size":
        return orSentence(parseSize(text), invalid("value"));
      case "offset":
        return orSentence(parseOffset(text), invalid("value"));
      case "seconds":
        return orSentence(parseSeconds(text), invalid("value"));
      case "milliseconds":
        return orSentence(parseMilliseconds(text), invalid("value"));
      case "padding":
        return this.#readPadding(text);
      case "file":
        return this.#readHeader(text);
      default:
        return { value: text };
    }
  }

  /** The module says two things of a faulty one, one after the other; it is one fault. */
  #readPadding(text: string): Reading {
    const outcome = parsePadding(text);
    if (!outcome.ok)
      return { sentence: outcome.sentences.map((sentence) => MODULE_PREFIX + sentence).join("; ") };
    for (const [, agent, header, message] of text.matchAll(PADDING_GROUPS))
      this.#report.startLines.push(
        `${MODULE_PREFIX}padding detected ${agent}, header_min_len ${header}, message_min_len ${message}`,
      );
    return { value: text };
  }

  #readHeader(text: string): Reading {
    const outcome = readHeaderFile(text, this.#files);
    return "text" in outcome ? { value: outcome.text } : { sentence: MODULE_PREFIX + outcome.sentence };
  }
}

const orSentence = (value: Value | null, sentence: string): Reading =>
  value === null ? { sentence } : { value };
