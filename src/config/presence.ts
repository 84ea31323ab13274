/** From checked values to what the model says of members. Part of build.ts and of location-checks.ts. */
import type { Issue } from "./fault.ts";
import type { LocationConfig, PresenceConfig } from "./model.ts";
import type { LocationValues } from "./options.ts";

/** Of a name; a longer one is there by its digest. */
export const MOST_NAME_BYTES = 256;

export function presenceOf(location: LocationValues): PresenceConfig | null {
  const { presence, subscriber } = location;
  if (presence === "off" || subscriber === null) return null;
  return {
    isListed: presence === "members",
    lingerSec: Math.ceil(location.presence_linger / 1000),
    mostMembers: location.presence_max_members,
    mostEvents: location.presence_max_events,
    mostInfoBytes: location.presence_info_max,
  };
}

/** What the table of members has to have room for; null: nobody is counted anywhere. */
export function membersRoom(
  locations: readonly LocationConfig[],
  records: number,
): { readonly records: number; readonly textBytes: number } | null {
  const counting = locations.flatMap(({ presence }) => (presence === null ? [] : [presence]));
  if (counting.length === 0) return null;
  const infoBytes = Math.max(
    ...counting.map(({ isListed, mostInfoBytes }) => (isListed ? mostInfoBytes : 0)),
  );
  return { records, textBytes: MOST_NAME_BYTES + infoBytes };
}

const COUNTED_KEYS = [
  "presence",
  "presence_linger",
  "presence_max_members",
  "presence_max_events",
  "presence_info_max",
] as const;

type Table = Readonly<Record<string, unknown>>;

/** `written` is the location as it stands in the file. */
export function presenceIssues(written: Table, isSubscriber: boolean): readonly Issue[] {
  const isOn = written["presence"] !== undefined && written["presence"] !== "off";
  return COUNTED_KEYS.filter((key) => written[key] !== undefined).flatMap((key) => {
    if (!isSubscriber && isOn)
      return [
        { suffix: `.${key}`, value: written[key], sentence: `${key} is for a location with subscriber.` },
      ];
    if (isOn || key === "presence") return [];
    const sentence = `${key} needs presence = "members" or "count" beside it.`;
    return [{ suffix: `.${key}`, value: written[key], sentence }];
  });
}
