/**
 * Runs a program of bytes: one byte picks the operation, the next ones are its operands, so that a failing
 * run is a seed and nothing else. Every answer is compared, the whole content from time to time.
 */
import { compareAll } from "./compare.ts";
import { crash } from "./crash.ts";
import * as operations from "./operations.ts";
import type { Session } from "./session.ts";

const OPERATIONS: readonly ((s: Session) => void)[] = [
  operations.openChannel,
  (s) => operations.append(s, s.pick(), true),
  (s) => operations.append(s, s.pick(), true),
  (s) => operations.append(s, s.pick(), true),
  (s) => operations.append(s, s.pick(), false),
  operations.appendMany,
  operations.appendMany,
  operations.deleteChannel,
  operations.readAfter,
  operations.readLast,
  operations.seekTime,
  operations.subscribe,
  operations.changeSlots,
  operations.passTime,
  operations.sweep,
  crash,
  operations.reopen,
  operations.follow,
  operations.changePolicy,
];

/** Throws at the first difference. */
export function runProgram(s: Session): void {
  for (let count = 0; s.goesOn(); count++) {
    OPERATIONS[s.byte() % OPERATIONS.length]!(s);
    if (count % 16 === 0) compareAll(s);
  }
  compareAll(s);
}
