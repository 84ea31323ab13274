/**
 * The table of members that belongs to a store, made or mapped beside it. Used by opening.ts, and by Store
 * when a reload brings the first location that counts anybody.
 */

import { type Arena, wide } from "../memory/arena.ts";
import { MH_BASE, MOST_REMOTE } from "../memory/layout-members.ts";
import { createMembers, type Members, type MembersRoom } from "./members-file.ts";

export function makeMembers(arena: Arena, room: MembersRoom, nowSec: number): void {
  const { channels, workerSlots, clusterWord } = arena.layout;
  const remoteSlots = clusterWord === 0 ? 0 : MOST_REMOTE;
  setMembers(arena, createMembers(arena.path, { ...room, channels, workerSlots, remoteSlots }, nowSec));
}

export function setMembers(arena: Arena, members: Members | null): void {
  arena.members = members;
  arena.numberBase = members === null ? 0 : wide(members.u32, MH_BASE);
}
