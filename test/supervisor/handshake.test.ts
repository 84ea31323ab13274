import { expect, test } from "bun:test";
import { isFromWorker, isToWorker } from "../../src/supervisor/handshake.ts";

test.each<[unknown, boolean, boolean]>([
  [{ kind: "start" }, true, false],
  [{ kind: "drain", deadlineMs: 1 }, true, false],
  [{ kind: "quit" }, true, false],
  [{ kind: "reopen" }, true, false],
  [{ kind: "ready", addresses: [] }, false, true],
  [{ kind: "failed", faults: ["x"] }, false, true],
  [{ kind: "drained" }, false, true],
  [{ kind: "else" }, false, false],
  [{ kind: 1 }, false, false],
  [{}, false, false],
  [null, false, false],
  ["drain", false, false],
])("%p", (message, toWorker, fromWorker) => {
  expect(isToWorker(message)).toBe(toWorker);
  expect(isFromWorker(message)).toBe(fromWorker);
});
