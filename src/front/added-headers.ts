/**
 * `add_header` of a location, compiled: puts the headers on every answer of the role, held streams included
 * (their head has not left when the Response is handed over). A Response copies the headers it is made with,
 * so an endpoint's shared init stays as it is.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { AddedHeader } from "../config/model/answers.ts";
import type { LocationConfig } from "../config/model.ts";
import { log } from "../log.ts";
import { fieldValue } from "./field-value.ts";

/** Where a header without `always` goes, as in nginx. */
export const STATUSES: ReadonlySet<number> = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308]);

const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** These say where a body ends; two of them, and client and server disagree. */
const FRAMING: ReadonlySet<string> = new Set(["content-length", "transfer-encoding"]);
/** nginx replaces these instead of adding a second one. */
const SINGLE: ReadonlySet<string> = new Set(["etag", "last-modified", "content-type", "server", "date"]);

interface Addition {
  readonly name: string;
  readonly value: CompiledValue;
  readonly always: boolean;
  readonly replaces: boolean;
}

export type HeaderAdder = (located: LocatedRequest, response: Response) => void;

/** null: there is none to add. A header that cannot be sent is logged once, here, and left out. */
export function compileAddedHeaders(location: LocationConfig): HeaderAdder | null {
  const additions = location.addedHeaders.filter(isSendable).map((header) => ({
    name: header.name,
    value: compileHeaderValue(location, header.value),
    always: header.always,
    replaces: SINGLE.has(header.name.toLowerCase()),
  }));
  if (additions.length === 0) return null;
  return (located, response) => addAll(additions, located, response);
}

function addAll(additions: readonly Addition[], located: LocatedRequest, response: Response): void {
  const isListed = STATUSES.has(response.status);
  for (const { name, value, always, replaces } of additions) {
    if (!always && !isListed) continue;
    const text = value(located);
    if (text === "") continue;
    if (replaces) response.headers.set(name, text);
    else response.headers.append(name, text);
  }
}

function compileHeaderValue(location: LocationConfig, text: string): CompiledValue {
  const evaluate = rawLocationValue(location, text);
  if (text.includes("$")) return (facts) => fieldValue(evaluate(facts));
  const constant = fieldValue(Buffer.from(text, "utf8").toString("latin1"));
  return () => constant;
}

function isSendable({ name }: AddedHeader): boolean {
  if (TOKEN.test(name) && !FRAMING.has(name.toLowerCase())) return true;
  log("error", "add_header: this header cannot be added", { name });
  return false;
}
