/**
 * Which clients of a location are padded, and how much (push-stream spec 4.8): `padding_by_user_agent`,
 * compiled. Asked once for each held stream; its answer chooses a form of the stream, so nothing is looked at
 * again per message.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { optionalLocationValue } from "../config/location/location-values.ts";
import { type PaddingGroup, parsePadding } from "../config/location/padding.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { LocationConfig } from "../config/model.ts";

/** A longer one is no browser's, and every regex is tried on it; each takes as much. */
const MAX_USER_AGENT_LENGTH = 1024;

export class PaddingGroups {
  readonly groups: readonly PaddingGroup[];
  readonly #userAgent: CompiledValue | null;

  constructor(location: LocationConfig) {
    this.groups = groupsOf(location);
    this.#userAgent = optionalLocationValue(location, location.userAgent);
  }

  /** Index of the first group whose regex is found in the client's user agent; -1: it is not padded. */
  of(located: LocatedRequest): number {
    if (this.groups.length === 0) return -1;
    const given = this.#userAgent === null ? located.header("user-agent") : this.#userAgent(located);
    if (given === null || given === "") return -1;
    const userAgent = given.slice(0, MAX_USER_AGENT_LENGTH);
    return this.groups.findIndex(({ regex }) => regex.test(userAgent));
  }
}

const largest = new WeakMap<readonly LocationConfig[], number>();

/** The largest minimum of all locations: sizes are rounded by it (see wire/padding.ts). */
export function largestPadding(locations: readonly LocationConfig[]): number {
  const known = largest.get(locations);
  if (known !== undefined) return known;
  let max = 0;
  for (const location of locations)
    for (const { headerMin, messageMin } of groupsOf(location)) max = Math.max(max, headerMin, messageMin);
  largest.set(locations, max);
  return max;
}

/** What is wrong with the text was said when the configuration was checked. */
function groupsOf({ paddingByUserAgent }: LocationConfig): readonly PaddingGroup[] {
  if (paddingByUserAgent === "") return [];
  const parsed = parsePadding(paddingByUserAgent);
  return parsed.ok ? parsed.groups : [];
}
