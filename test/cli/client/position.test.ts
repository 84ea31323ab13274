/** Positions of a WebSocket subscription: what is a duplicate, and where to go on. */
import { expect, test } from "bun:test";
import { Positions } from "../../../src/cli/client/position.ts";

function begun(): Positions {
  const positions = new Positions();
  positions.begin(["a", "b"], ["x1-10", "x1-20"]);
  return positions;
}

test("before a message: where the server said it begins; before that: nothing", () => {
  expect(new Positions().token()).toBeNull();
  expect(begun().token()).toBe("x1-10,20");
});

test("messages move their channel only", () => {
  const positions = begun();
  expect(positions.receive("b", "x1-21")).toBe(true);
  expect(positions.token()).toBe("x1-10,21");
});

test("a message that was received before is a duplicate", () => {
  const positions = begun();
  positions.receive("a", "x1-12");
  expect(positions.receive("a", "x1-12")).toBe(false);
  expect(positions.receive("a", "x1-11")).toBe(false);
  expect(positions.receive("b", "x1-11")).toBe(true);
});

test("old messages replayed behind the beginning (.bN) are no duplicates and do not move it back", () => {
  const positions = begun();
  expect(positions.receive("a", "x1-8")).toBe(true);
  expect(positions.receive("a", "x1-9")).toBe(true);
  expect(positions.token()).toBe("x1-10,20");
});

test("a new hello in the same epoch changes nothing that is known", () => {
  const positions = begun();
  positions.receive("a", "x1-15");
  positions.begin(["a", "b"], ["x1-99", "x1-99"]);
  expect(positions.token()).toBe("x1-15,20");
});

test("another epoch: the store lost its content, everything begins anew", () => {
  const positions = begun();
  positions.receive("a", "x1-15");
  positions.begin(["a", "b"], ["x2-0", "x2-3"]);
  expect(positions.token()).toBe("x2-0,3");
  expect(positions.receive("a", "x2-1")).toBe(true);
});

test("a gap moves on behind itself", () => {
  const positions = begun();
  positions.skipTo("a", "x1-14");
  expect(positions.token()).toBe("x1-14,20");
  expect(positions.receive("a", "x1-15")).toBe(true);
});

test("what is no token is shown and moves nothing", () => {
  const positions = begun();
  expect(positions.receive("a", "")).toBe(true);
  expect(positions.receive("a", "nonsense")).toBe(true);
  expect(positions.token()).toBe("x1-10,20");
});
