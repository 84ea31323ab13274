/**
 * The server that is verified: where it answers, by which paths, and what every request carries. Used by
 * publishers and readers.
 */

import type { Lane } from "./history.ts";
import { type Target, targetOf } from "./link/link.ts";

export interface ServerUnderTest {
  readonly base: URL;
  readonly target: Target;
  /** Value of Host. */
  readonly host: string;
  /** Fields of every request: a token, a key. */
  readonly fields: Readonly<Record<string, string>>;
}

export function serverAt(url: string, fields: Readonly<Record<string, string>> = {}): ServerUnderTest {
  const base = new URL(url);
  return { base, target: targetOf(base), host: base.host, fields };
}

/** Of the embedded configuration, and of the servers that `sluice verify` starts. */
const PATHS: Readonly<Record<Lane, string>> = {
  sse: "ev",
  stream: "sub",
  "ws-json": "ws",
  "ws-msgpack": "ws",
  "ws-text": "ws",
  "long-poll": "lp",
  poll: "poll",
};

/**
 * Path of a lane for these channels; `query` without the question mark. Names are ours: nothing in them has
 * to be escaped.
 */
export const lanePath = (lane: Lane, channels: readonly string[], query: string): string =>
  `/${PATHS[lane]}/${channels.join("/")}${query === "" ? "" : `?${query}`}`;
