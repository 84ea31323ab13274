/**
 * The lists of mistakes and of safety steps are changes of the source, as text: whoever changes that text
 * mends the list, or nobody would know that one is not tried any more.
 */
import { expect, test } from "bun:test";
import { misfit } from "../../scripts/source-copy.ts";
import { EQUIVALENT, MUTANTS } from "../mutants.ts";
import { CONTROLS } from "./controls.ts";

test("each mistake fits the source, at least sixty of them, and so does each that changes nothing", () => {
  expect(MUTANTS.map(misfit).filter((text) => text !== null)).toEqual([]);
  const puts = MUTANTS.map(([, , put]) => put);
  expect(Object.keys(EQUIVALENT).filter((put) => !puts.includes(put))).toEqual([]);
  expect(MUTANTS.length - Object.keys(EQUIVALENT).length).toBeGreaterThanOrEqual(60);
});

test("each safety step that is taken out fits the source, a dozen of them on one machine", () => {
  expect(CONTROLS.flatMap(({ edits }) => edits.map(misfit)).filter((text) => text !== null)).toEqual([]);
  expect(CONTROLS.filter(({ isCluster }) => !isCluster).length).toBeGreaterThanOrEqual(12);
});
