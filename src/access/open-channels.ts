/**
 * What a location opens to everybody (`public`), and the one decision about channels. The gate adds what is
 * open to whatever grant a request has, once; everything behind it (the lines of a batch, the frames of a
 * WebSocket, a token that is sent later) compares channels with that grant alone, so no road decides by
 * itself.
 *
 * Open for what the location is for: where messages are published, publishing; everywhere else reading. A
 * subscriber's WebSocket that may publish does so by its grant: who opens news to readers has not opened it
 * to writers.
 */
import { type Grant, hasEnded } from "../config/grant/grant.ts";
import { compilePatterns, NOTHING, type Patterns, together } from "../config/grant/patterns.ts";
import type { LocationConfig } from "../config/model.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";

const nobodies = new WeakSet<Grant>();

export class OpenChannels {
  /** What whoever brings nothing is granted. */
  readonly nobody: Grant;
  readonly #publish: Patterns;
  readonly #subscribe: Patterns;
  /** Those of keys and tokens come again and again. null: nothing is open, and grants stay what they are. */
  readonly #opened: WeakMap<Grant, Grant> | null;

  constructor({ grants, role }: Pick<LocationConfig, "grants" | "role">) {
    const open = compilePatterns(grants?.public ?? [], null);
    this.#publish = role.kind === "publisher" ? open : NOTHING;
    this.#subscribe = role.kind === "publisher" ? NOTHING : open;
    this.#opened = open.texts.length === 0 ? null : new WeakMap();
    this.nobody = nobodys(this.#publish, this.#subscribe);
    nobodies.add(this.nobody);
  }

  /** The grant, with what is open beside it. */
  to(grant: Grant): Grant {
    if (this.#opened === null) return grant;
    const known = this.#opened.get(grant);
    if (known !== undefined) return known;
    const publish = together(grant.publish, this.#publish);
    const opened = { ...grant, publish, subscribe: together(grant.subscribe, this.#subscribe) };
    this.#opened.set(grant, opened);
    return opened;
  }
}

/** Why a grant does not reach these channels, which are binary strings; null: it does. */
export function channelsRefusal(
  grant: Grant,
  wanted: "publish" | "subscribe",
  names: readonly string[],
): Refusal | null {
  if (hasEnded(grant)) return Refusals.notGranted;
  const patterns = grant[wanted];
  for (const name of names)
    if (!patterns.covers(name)) return nobodies.has(grant) ? Refusals.noToken : Refusals.notGranted;
  return null;
}

/** A channel of a grant as it is compared. */
export const binaryName = (name: Uint8Array): string => Buffer.from(name).toString("latin1");

const nobodys = (publish: Patterns, subscribe: Patterns): Grant => ({
  sub: null,
  jti: null,
  issuedSec: null,
  endMs: Number.POSITIVE_INFINITY,
  expiresSec: null,
  subscribe,
  publish,
  info: undefined,
});
