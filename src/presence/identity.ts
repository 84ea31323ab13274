/**
 * Who somebody is for others: the `sub` of the grant by which he stands, and what the grant lets be known of
 * him; nothing of it comes from the client. Without one it is the connection, under a name of ours: a random
 * one, or for polls, each of which is a connection of its own, one made of the client's address and program,
 * so that the next poll is the same member.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { PresenceConfig } from "../config/model.ts";
import { MOST_NAME_BYTES } from "../config/presence.ts";
import type { Newcomer } from "../store/members/member-table.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const NAME_DIGITS = 12;

export interface Identity extends Newcomer {
  /** The grant had something to tell, and it was too long. */
  readonly isInfoTooLong: boolean;
}

/**
 * `isPoll`: the connection ends with its answer. `secret` is the same for all workers and known to nobody
 * else.
 */
export function identityOf(
  located: LocatedRequest,
  config: PresenceConfig,
  isPoll: boolean,
  secret: Uint8Array,
): Identity {
  const { grant } = located;
  const sub = grant?.sub ?? null;
  const info = config.isListed && sub !== null ? infoOf(grant?.info) : NOTHING;
  const isInfoTooLong = info.length > config.mostInfoBytes;
  return {
    name: sub !== null ? nameOf(sub) : encoder.encode(isPoll ? pollerName(located, secret) : randomName()),
    info: isInfoTooLong ? NOTHING : info,
    isInfoTooLong,
    isAnonymous: sub === null,
    isListed: config.isListed,
    // Nobody can come back as a connection.
    lingerSec: sub === null && !isPoll ? 0 : config.lingerSec,
    mostMembers: config.mostMembers,
    mostEvents: config.mostEvents,
  };
}

function nameOf(sub: string): Uint8Array {
  const name = encoder.encode(sub);
  if (name.length <= MOST_NAME_BYTES) return name;
  return encoder.encode(`sha256:${new Bun.CryptoHasher("sha256").update(name).digest("hex")}`);
}

function infoOf(info: unknown): Uint8Array {
  if (info === undefined || info === null) return NOTHING;
  const text: string | undefined = JSON.stringify(info);
  return text === undefined ? NOTHING : encoder.encode(text);
}

const randomName = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(9))).toString("base64url");

/** The address cannot be found out from it. */
function pollerName(located: LocatedRequest, secret: Uint8Array): string {
  const { peer } = located;
  const address = peer.kind === "unix" ? "unix" : peer.address;
  const text = JSON.stringify([address, located.header("user-agent") ?? ""]);
  return new Bun.CryptoHasher("sha256", secret).update(text).digest("base64url").slice(0, NAME_DIGITS);
}
