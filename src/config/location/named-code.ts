/**
 * The files of code that a configuration names: build.ts asks for those of a location, load.ts for all of
 * them when the configuration is refused, so that what is wrong with them is told along with the rest.
 */
import { resolve } from "node:path";
import type { CheckedValues, LocationEntry } from "../document.ts";
import type { CodeConfig } from "../model/code.ts";
import type { LocationConfig } from "../model.ts";
import type { LocationValues } from "../options.ts";

/** A location, by its match, and the code it names. */
export type NamedCode = Pick<LocationConfig, "match" | "code">;

/** The code that a configuration names, also one with faults: then what is faulty is undefined in it. */
export const namedCode = ({ servers }: CheckedValues, folder: string): readonly NamedCode[] =>
  servers.flatMap(({ locations }) => locations.flatMap((location) => codeIn(location, folder)));

const codeIn = ({ values, locations }: LocationEntry, folder: string): readonly NamedCode[] => [
  { match: values.match ?? "", code: codeOf(values, folder) },
  ...locations.flatMap((location) => codeIn(location, folder)),
];

/** null: it names none. Paths are relative to `folder`. */
export function codeOf(
  { handler, authorize, hooks, handler_timeout, answer_linger, answer_max_size, body }: LocationValues,
  folder: string,
): CodeConfig | null {
  // "sluice:lines" is no path but one of our own.
  const file = (path: string | null | undefined): string | null =>
    path?.startsWith("sluice:") === false ? resolve(folder, path) : (path ?? null);
  const code = { handler: file(handler), authorize: file(authorize), hooks: file(hooks) };
  if (code.handler === null && code.authorize === null && code.hooks === null) return null;
  return {
    ...code,
    timeoutMs: handler_timeout,
    answerLingerMs: answer_linger,
    answerMaxBytes: answer_max_size,
    isBodyStreamed: body === "stream",
  };
}
