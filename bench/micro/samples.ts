// Fixed inputs of the micro benches: message sizes, a message as the encoders see it, and a throwaway store.
// The names say what they stand for; every file here measures one component over these same sizes.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../src/store/opening.ts";
import type { Store, StorePolicy } from "../../src/store/store.ts";
import type { Renderable } from "../../src/wire/renderable.ts";

/** What mitata gives a bench with `.args`: its types cannot say it of a generator. */
export interface Arguments {
  get(name: "size" | "count"): number;
}

export const SIZES = [100, 1000, 10_000];
export const NOW_MS = 1_700_000_000_000;
const encoder = new TextEncoder();

/** Letters and digits, a line break every 64 bytes when `lines` is set (event streams split there). */
export function text(bytes: number, lines = false): Uint8Array {
  return encoder.encode(
    Array.from({ length: bytes }, (_, at) => (lines && at % 64 === 63 ? "\n" : "x")).join(""),
  );
}

/** A message with an event id and type, as the publisher of an event stream sends it. */
export function message(data: Uint8Array): Renderable {
  const head = encoder.encode("event-1update");
  const bytes = new Uint8Array(head.length + data.length);
  bytes.set(head);
  bytes.set(data, head.length);
  const lengths = {
    eventIdLength: 7,
    eventTypeLength: 6,
    dataOffset: head.length,
    dataLength: data.length,
    traceLength: 0,
  };
  return { id: 7, channel: encoder.encode("news"), time: NOW_MS / 1000, tag: 1, bytes, ...lengths };
}

/** Nothing is limited but by the store's size; ttls are long beside a measurement. */
export const POLICY: StorePolicy = {
  messageTtlSec: 600,
  unstoredTtlSec: 10,
  channelInactivitySec: 30,
  keyWindowSec: 300,
  maxStoredPerChannel: 0,
  maxStoredBytesPerChannel: 0,
  maxChannels: 0,
  maxWildcardChannels: 0,
  wildcardPrefix: new Uint8Array(0),
  eventsChannel: new Uint8Array(0),
};

/**
 * A store of 64 MiB, blocks and ring as in the default config, and where it is; its file goes when the
 * process ends.
 */
export function temporaryStoreAt(
  maxStoredPerChannel: number,
  channels = 1024,
): { store: Store; path: string } {
  const folder = mkdtempSync(join("/dev/shm", "sluice-micro-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "store");
  const shape = { path, size: 64 << 20, blockSize: 256, channels, ringSize: 65_536, workerSlots: 32 };
  return { store: openStore(shape, { ...POLICY, maxStoredPerChannel }).store, path };
}

export const temporaryStore = (maxStoredPerChannel: number, channels?: number): Store =>
  temporaryStoreAt(maxStoredPerChannel, channels).store;
