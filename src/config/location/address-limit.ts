/**
 * How many requests of one address a location answers at a time, as text: `10`, `10 zone streams`, `10 status
 * 429`. Read by build.ts.
 */
import type { Issue } from "../fault.ts";

export interface AddressLimit {
  readonly most: number;
  /** Locations that name the same are counted together; "" is the zone of those that name none. */
  readonly zone: string;
  readonly status: number;
}

const LIMIT = /^(\d{1,5})(?:\s+zone\s+([\w-]{1,64}))?(?:\s+status\s+(\d{3}))?$/;
/** nginx's own bound, and its status. */
const MOST = 65_535;
const UNAVAILABLE = 503;

/** null: it is none. */
export function readAddressLimit(text: string): AddressLimit | null {
  const [, count = "", zone = "", status] = LIMIT.exec(text.trim()) ?? [];
  const limit = { most: Number(count), zone, status: status === undefined ? UNAVAILABLE : Number(status) };
  const isGood = limit.most >= 1 && limit.most <= MOST && limit.status >= 400 && limit.status <= 599;
  return isGood ? limit : null;
}

export function addressLimitIssues(text: string): readonly Issue[] {
  if (readAddressLimit(text) !== null) return [];
  const sentence = 'it is a number such as "10", with "zone NAME" and "status 429" behind it if wanted.';
  return [{ suffix: "", value: text, sentence }];
}
