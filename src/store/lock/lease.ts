/**
 * Which worker reads the log for this node: one at a time, whoever comes first. Called by Store for cluster/;
 * a worker that died gives it back with its slot (slots.ts). Two readers for a moment would cost time and
 * nothing else, because every entry is applied under the lock and once.
 */
import type { Arena } from "../memory/arena.ts";
import { HEAD_LEASE } from "../memory/layout-cluster.ts";

/** True: this slot has it, now or since before. */
export function takeLease({ u32 }: Arena, slot: number): boolean {
  // Pairs with endLease.
  const owner = Atomics.compareExchange(u32, HEAD_LEASE, 0, slot + 1);
  return owner === 0 || owner === slot + 1;
}

export function endLease({ u32 }: Arena, slot: number): void {
  Atomics.compareExchange(u32, HEAD_LEASE, slot + 1, 0);
}
