/**
 * What the first words of a store file say: whether it is one of ours, of this version, and of which shape.
 * Used by file.ts alone.
 */
import { setWide, wide } from "./arena.ts";
import { LAYOUT_VERSION, type Layout, type LayoutShape, MAGIC_A, MAGIC_B } from "./layout.ts";
import { CLUSTERED } from "./layout-cluster.ts";
import {
  HEAD_BLOCK_SIZE,
  HEAD_CHANNELS,
  HEAD_HASH_SEED,
  HEAD_KEYS,
  HEAD_LAYOUT_VERSION,
  HEAD_MAGIC_A,
  HEAD_MAGIC_B,
  HEAD_RING_SIZE,
  HEAD_SHAPE_CHECK,
  HEAD_SIZE,
  HEAD_SLOTS,
} from "./layout-header.ts";
import type { MappableFile } from "./mapping.ts";

/** Into a file of zeros. The rest of the header is zeros, too, or written by whoever opens it. */
export function writeIdentity(u32: Uint32Array, layout: Layout): void {
  u32[HEAD_MAGIC_A] = MAGIC_A;
  u32[HEAD_MAGIC_B] = MAGIC_B;
  u32[HEAD_LAYOUT_VERSION] = versionOf(layout);
  setWide(u32, HEAD_SIZE, layout.size);
  u32[HEAD_BLOCK_SIZE] = layout.blockSize;
  u32[HEAD_CHANNELS] = layout.channels;
  u32[HEAD_RING_SIZE] = layout.ringSize;
  u32[HEAD_SLOTS] = layout.workerSlots;
  u32[HEAD_KEYS] = layout.keys;
  u32[HEAD_HASH_SEED] = crypto.getRandomValues(new Uint32Array(1))[0]!;
  u32[HEAD_SHAPE_CHECK] = shapeCheck(u32);
}

/** Why a header is not that of a usable store, as the end of a sentence; null = it is. */
export function headerFault(file: MappableFile): string | null {
  const { header, size } = file;
  if (!isOurs(file)) return "is not a sluice store";
  const version = header[HEAD_LAYOUT_VERSION]!;
  if ((version & ~CLUSTERED) !== LAYOUT_VERSION)
    return `has layout version ${version}, this program uses ${LAYOUT_VERSION}`;
  if (header[HEAD_SHAPE_CHECK] !== shapeCheck(header)) return "has a damaged header";
  if (wide(header, HEAD_SIZE) !== size) return `has ${size} bytes instead of ${wide(header, HEAD_SIZE)}`;
  return null;
}

/** Of whatever version. */
export const isOurs = ({ header, fault }: MappableFile): boolean =>
  fault === null && header[HEAD_MAGIC_A] === MAGIC_A && header[HEAD_MAGIC_B] === MAGIC_B;

export const shapeOf = (header: Uint32Array): LayoutShape => ({
  size: wide(header, HEAD_SIZE),
  blockSize: header[HEAD_BLOCK_SIZE]!,
  channels: header[HEAD_CHANNELS]!,
  ringSize: header[HEAD_RING_SIZE]!,
  workerSlots: header[HEAD_SLOTS]!,
  keys: header[HEAD_KEYS]!,
  clustered: (header[HEAD_LAYOUT_VERSION]! & CLUSTERED) !== 0,
});

export const hasShape = (header: Uint32Array, layout: Layout): boolean =>
  header[HEAD_LAYOUT_VERSION] === versionOf(layout) &&
  wide(header, HEAD_SIZE) === layout.size &&
  header[HEAD_BLOCK_SIZE] === layout.blockSize &&
  header[HEAD_CHANNELS] === layout.channels &&
  header[HEAD_RING_SIZE] === layout.ringSize &&
  header[HEAD_KEYS] === layout.keys &&
  header[HEAD_SLOTS] === layout.workerSlots;

const versionOf = ({ clusterWord }: Layout): number =>
  clusterWord === 0 ? LAYOUT_VERSION : LAYOUT_VERSION | CLUSTERED;

/**
 * A shape that was changed by accident must not pass for one that was configured otherwise, and cost the
 * messages.
 */
const shapeCheck = (words: Uint32Array): number =>
  Bun.hash.xxHash32(new Uint32Array([...words.slice(HEAD_MAGIC_A, HEAD_HASH_SEED + 1), words[HEAD_KEYS]!])) ||
  1;
