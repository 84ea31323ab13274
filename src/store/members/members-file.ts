/**
 * The file of layout-members.ts: made by main beside the store, mapped by each worker. Members do not outlive
 * their main, so it is always made anew.
 */
import { renameSync, rmSync } from "node:fs";
import { setWide } from "../memory/arena.ts";
import {
  HEADER_WORDS,
  MB_NEXT,
  MB_STAMP,
  MEMBERS_MAGIC,
  MEMBERS_VERSION,
  type MembersLayout,
  type MembersShape,
  MH_BASE,
  MH_CHANNELS,
  MH_FREE,
  MH_MAGIC,
  MH_RECORD_WORDS,
  MH_RECORDS,
  MH_REMOTE_SLOTS,
  MH_SECRET,
  MH_SEED,
  MH_SLOTS,
  MH_SWEPT_SEC,
  MH_VERSION,
  membersLayout,
} from "../memory/layout-members.ts";
import { allocateFile, closeFile, type MappableFile, mapFile, openExisting } from "../memory/mapping.ts";

/** The table as the functions of store/ see it: views over the same bytes. */
export interface Members {
  readonly layout: MembersLayout;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;
}

/** What is configured of the table: how many members, and how many bytes of each. */
export type MembersRoom = Pick<MembersShape, "records" | "textBytes">;

export const membersPath = (storePath: string): string => `${storePath}.members`;

/**
 * Numbers of events go on above those of any earlier life, as long as there are not a million of them a
 * second.
 */
const NUMBERS_A_SECOND = 2 ** 20;

/**
 * Main: every page allocated, in the place of what an earlier main has left. Throws when there is no room.
 */
export function createMembers(storePath: string, shape: MembersShape, nowSec: number): Members {
  const path = membersPath(storePath);
  const layout = membersLayout(shape);
  const temporary = `${path}.new-${process.pid}`;
  const members = viewsOf(mapFile(allocateFile(temporary, path, layout.size), temporary), layout);
  const { u32 } = members;
  u32[MH_VERSION] = MEMBERS_VERSION;
  u32[MH_RECORDS] = layout.records;
  u32[MH_RECORD_WORDS] = layout.recordWords;
  u32[MH_CHANNELS] = layout.channels;
  u32[MH_SLOTS] = layout.workerSlots;
  u32[MH_REMOTE_SLOTS] = layout.remoteSlots;
  u32[MH_SEED] = crypto.getRandomValues(new Uint32Array(1))[0]!;
  u32.set(crypto.getRandomValues(new Uint32Array(8)), MH_SECRET);
  // So that those of two nodes that began in the same second are not taken for each other's.
  const offset = crypto.getRandomValues(new Uint32Array(1))[0]! % (NUMBERS_A_SECOND / 2);
  setWide(u32, MH_BASE, nowSec * NUMBERS_A_SECOND + offset);
  u32[MH_SWEPT_SEC] = nowSec;
  for (let record = layout.records; record > 0; record--) {
    const at = layout.recordsWord + record * layout.recordWords;
    u32[at + MB_STAMP] = 1;
    u32[at + MB_NEXT] = u32[MH_FREE]!;
    u32[MH_FREE] = record;
  }
  u32[MH_MAGIC] = MEMBERS_MAGIC;
  renameSync(temporary, path);
  return members;
}

/** Workers, beside a store of so many channels and slots; null: there is none, and nobody is counted. */
export function attachMembers(storePath: string, channels: number, workerSlots: number): Members | null {
  const file = openExisting(membersPath(storePath));
  if (file === null) return null;
  const layout = layoutIn(file);
  if (layout === null || layout.channels !== channels || layout.workerSlots !== workerSlots) {
    closeFile(file);
    return null;
  }
  return viewsOf(mapFile(file, membersPath(storePath)), layout);
}

export const removeMembers = (storePath: string): void => rmSync(membersPath(storePath), { force: true });

function layoutIn({ header, size, fault }: MappableFile): MembersLayout | null {
  if (fault !== null || header[MH_MAGIC] !== MEMBERS_MAGIC || header[MH_VERSION] !== MEMBERS_VERSION)
    return null;
  const workerSlots = header[MH_SLOTS]!;
  const remoteSlots = header[MH_REMOTE_SLOTS]!;
  const bare = membersLayout({ records: 1, textBytes: 0, channels: 1, workerSlots, remoteSlots });
  const textBytes = (header[MH_RECORD_WORDS]! - bare.textWord) * 4;
  const layout = membersLayout({
    records: header[MH_RECORDS]!,
    textBytes,
    channels: header[MH_CHANNELS]!,
    workerSlots,
    remoteSlots,
  });
  return layout.size === size && layout.readersWord === HEADER_WORDS ? layout : null;
}

const viewsOf = ({ buffer, byteOffset }: Uint8Array<ArrayBuffer>, layout: MembersLayout): Members => ({
  layout,
  u32: new Uint32Array(buffer, byteOffset, layout.size / 4),
  u8: new Uint8Array(buffer, byteOffset, layout.size),
  f64: new Float64Array(buffer, byteOffset, layout.size / 8),
});
