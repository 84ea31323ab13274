/**
 * Who may connect to a unix socket: the mode and group of its file. Called by both listeners when they have
 * bound it, under a name that is nobody's yet (supervisor/sockets/addresses.ts renames it when its worker is
 * ready), so there is no moment with other rights.
 */
import { chmodSync, chownSync, readFileSync } from "node:fs";
import type { ListenerConfig } from "../config/model/server.ts";

const UNIX_PREFIX = "unix:";
const GROUPS = "/etc/group";

/**
 * Throws a sentence when it cannot be had: a socket with other rights than written would be a surprise either
 * way.
 */
export function setRights({ address, file }: Pick<ListenerConfig, "address" | "file">): void {
  if (!address.startsWith(UNIX_PREFIX)) return;
  const path = address.slice(UNIX_PREFIX.length);
  if (file.group !== null) chownSync(path, process.getuid?.() ?? -1, groupId(file.group));
  chmodSync(path, file.mode);
}

function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  // name:password:number:members (group(5))
  for (const line of readFileSync(GROUPS, "utf8").split("\n")) {
    const [name, , number] = line.split(":");
    if (name === group && number !== undefined) return Number(number);
  }
  throw new Error(`there is no group ${group} in ${GROUPS}; its number will do as well`);
}
