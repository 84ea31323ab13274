/**
 * What config/ lets through, the store must accept: the two count the same bytes without knowing each other.
 */
import { expect, test } from "bun:test";
import { keyRecords, ringEntries, storeIssues } from "../../src/config/checks/store-checks.ts";
import { layoutOf } from "../../src/store/memory/layout.ts";
import { slotsFor } from "../../src/supervisor/store/store-settings.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

test("no shape passes here that the store refuses", () => {
  let passed = 0;
  for (const size of [128 * KIB, 200 * KIB, MIB, 5 * MIB, 64 * MIB, 3072 * MIB])
    for (const blockSize of [128, 256, 320, 65_536])
      for (const channels of [0, 1, 63, 1000, 1025, 100_000, 16_777_216])
        for (const ring of [0, 128, 65_536, 16_777_216])
          for (const workers of [1, 2, 16, 17, 64, 256]) {
            const values = {
              workers,
              "store.size": size,
              "store.block_size": blockSize,
              "store.channels": channels,
              "store.ring_size": ring,
              // Along the grid, not another dimension of it.
              "store.idempotency_keys": [0, 64, 100_000, 16_777_216][workers % 4] ?? 0,
            };
            if (storeIssues(values).length > 0) continue;
            passed++;
            const shape = {
              size,
              blockSize,
              channels,
              ringSize: ringEntries(values),
              keys: keyRecords(values),
              workerSlots: slotsFor(workers),
            };
            expect(() => layoutOf(shape)).not.toThrow();
            expect(layoutOf(shape).ringSize).toBe(shape.ringSize);
          }
  // Most of the grid is roomy; if hardly anything passed, the check would prove nothing.
  expect(passed).toBeGreaterThan(1000);
});

test("the smallest store works with everything else left alone", () => {
  const values = {
    workers: 4,
    "store.size": 128 * KIB,
    "store.block_size": 256,
    "store.channels": 0,
    "store.ring_size": 0,
    "store.idempotency_keys": 0,
  };
  expect(storeIssues(values)).toEqual([]);
});

test.each([
  [128 * KIB, 128],
  [MIB, 1024],
  [64 * MIB, 65_536],
  [100 * MIB, 65_536],
  [3072 * MIB, 262_144],
])("the automatic ring of %p bytes has %p entries", (size, entries) => {
  expect(ringEntries({ "store.size": size, "store.ring_size": 0 })).toBe(entries);
});
