/**
 * Request heads over literal bytes, clause by clause of RFC 9112: whole, cut at every byte, and byte by byte.
 */
import { expect, test } from "bun:test";
import { everySplit, type Outcome, readWhole } from "./http1-fixture.ts";
import { type Expected, HEAD_CASES } from "./http1-head-cases.ts";

function check(outcome: Outcome, expected: Expected, what: string): void {
  if (typeof expected === "number") {
    expect([what, outcome.end, outcome.requests]).toEqual([what, expected, []]);
    return;
  }
  expect([what, outcome.end]).toEqual([what, "idle"]);
  expect(outcome.requests[0], what).toMatchObject(expected);
}

test.each(HEAD_CASES)("%s", (what, bytes, expected) => {
  const whole = readWhole(bytes);
  check(whole, expected, what);
  for (const [how, outcome] of everySplit(bytes)) expect([how, outcome]).toEqual([how, whole]);
});
