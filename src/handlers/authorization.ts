/**
 * What `authorize` may say, read: nothing that it does not plainly grant is granted. Every function here
 * throws a TypeError for what is no `Authorization`. Called by guarded-location.ts.
 */
import { grantOf } from "../access/answered-grant.ts";
import type { Grant } from "../config/grant/grant.ts";
import { EVERYTHING } from "../config/grant/patterns.ts";
import { fieldValue } from "../front/field-value.ts";
import type { Refusal } from "../http/refusal.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import { textOf } from "./publishing.ts";

const GRANT_MEMBERS = ["sub", "subscribe", "publish", "exp", "info"] as const;

/** In bytes: what is written into every log line and kept for every connection. */
const MAX_USER_BYTES = 256;

interface Granted {
  readonly user: string | null;
  /** In place of the one that was asked for; null: that. */
  readonly channelsPath: string | null;
  readonly grant: Grant | null;
}

/** `asked`: the channels path of the request; null: its location has no channels. Not for `true`. */
export function readAuthorization(
  said: unknown,
  asked: string | null,
): Granted | { readonly refusal: Refusal } {
  if (said === false) return { refusal: refusalOf(403, null) };
  if (typeof said === "number") return { refusal: refusalOf(said, null) };
  if (typeof said !== "object" || said === null)
    throw new TypeError(`authorize answers true, false, a status or an object, not ${String(said)}`);
  const { status, explain, channels, user } = said as Record<string, unknown>;
  if (status !== undefined)
    return { refusal: refusalOf(status, typeof explain === "string" ? fieldValue(explain) : null) };
  const isGrant = GRANT_MEMBERS.some((name) => Object.hasOwn(said, name));
  if (channels === undefined && user === undefined && !isGrant)
    throw new TypeError("authorize answered an object without status, channels, user or a grant");
  return {
    user: user === undefined ? null : userName(user),
    channelsPath: channels === undefined ? null : grantedPath(channels, asked),
    grant: isGrant ? grantIn(said) : null,
  };
}

function refusalOf(status: unknown, explain: string | null): Refusal {
  if (typeof status !== "number" || !Number.isInteger(status) || status < 400 || status > 599)
    throw new TypeError(`authorize refuses with a status of 400 to 599, not ${String(status)}`);
  return { code: "unauthorized", status, explain };
}

/** Without a word about channels it covers what is asked for, as it would without the rest of it. */
function grantIn(said: object): Grant {
  const grant = grantOf(said);
  if (grant === null) throw new TypeError("authorize answered a grant with something in it that is none");
  const isWhole = "subscribe" in said || "publish" in said;
  return isWhole ? grant : { ...grant, subscribe: EVERYTHING, publish: EVERYTHING };
}

/** A name that is empty, or of any length, is a fault of the guard and no user. */
function userName(user: unknown): string {
  if (typeof user !== "string" || user === "" || Buffer.byteLength(user) > MAX_USER_BYTES)
    throw new TypeError(`authorize names a user in 1 to ${MAX_USER_BYTES} bytes of text`);
  return user;
}

/**
 * The channels path of what was granted, as a binary string. A channel that was asked for by this name keeps
 * its bytes and the number of old messages it was asked with.
 */
function grantedPath(channels: unknown, asked: string | null): string {
  if (asked === null) throw new TypeError("the location has no channels");
  const names = typeof channels === "string" ? [channels] : channels;
  if (!Array.isArray(names) || names.length === 0) throw new TypeError("authorize granted no channels");
  const segments = new Map<string, string>();
  for (const segment of asked.split("/")) {
    const parsed = parseChannelsPath(segment, 1);
    if (typeof parsed !== "string" && parsed.names[0] !== undefined)
      segments.set(textOf(parsed.names[0]), segment);
  }
  return names
    .map((name: unknown) => {
      if (typeof name !== "string" || name === "" || name.includes("/"))
        throw new TypeError(`authorize granted ${JSON.stringify(name)}, which is no channel`);
      return segments.get(name) ?? Buffer.from(name).toString("latin1");
    })
    .join("/");
}
