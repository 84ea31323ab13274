/**
 * Which locations of a tree are the push stream module's, and so move out of nginx: those with a role of
 * their own, and those inside one, which inherit it. Called by the other files of this folder.
 */
import type { Directive } from "../tree.ts";

export const ROLES: readonly string[] = [
  "push_stream_publisher",
  "push_stream_subscriber",
  "push_stream_channels_statistics",
];

export const isPush = ({ name }: Directive): boolean => name.startsWith("push_stream_");

/** The module itself, as nginx loads it. */
export const isModule = ({ name, args }: Directive): boolean =>
  name === "load_module" && /push.?stream/i.test(args[0]?.text ?? "");

export interface PushLocation {
  readonly location: Directive;
  /** What stands in it that gives it the role; null: it inherits that. */
  readonly role: Directive | null;
}

export interface PushServer {
  readonly server: Directive;
  readonly locations: readonly PushLocation[];
}

/** The servers that have some, in the order of the file. */
export function pushServers(directives: readonly Directive[]): readonly PushServer[] {
  const http = directives.flatMap(({ name, block }) => (name === "http" ? (block ?? []) : []));
  return http.flatMap((server) => {
    if (server.name !== "server" || server.block === null) return [];
    const locations = pushIn(server.block, false);
    return locations.length === 0 ? [] : [{ server, locations }];
  });
}

function pushIn(block: readonly Directive[], inherits: boolean): readonly PushLocation[] {
  return block.flatMap((location) => {
    if (location.name !== "location" || location.block === null) return [];
    const role = location.block.find(({ name }) => ROLES.includes(name)) ?? null;
    const isOurs = inherits || role !== null;
    return [...(isOurs ? [{ location, role }] : []), ...pushIn(location.block, isOurs)];
  });
}
