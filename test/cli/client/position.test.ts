/** Positions of a WebSocket subscription: what is a duplicate, and where to go on. */
import { expect, test } from "bun:test";
import { Positions } from "../../../src/cli/client/position.ts";

function begun(): Positions {
  const positions = new Positions();
  positions.begin(["a", "b"], "x1-10,20");
  return positions;
}

test("before a message: where the server said it begins; before that: nothing", () => {
  expect(new Positions().token()).toBeNull();
  expect(begun().token()).toBe("x1-10,20");
});

test("a message tells where the whole connection stands", () => {
  const positions = begun();
  expect(positions.receive("b", "x1-10,21")).toBe(true);
  expect(positions.token()).toBe("x1-10,21");
});

test("a message that was received before is a duplicate, of its own channel only", () => {
  const positions = begun();
  positions.receive("a", "x1-12,20");
  expect(positions.receive("a", "x1-12,20")).toBe(false);
  expect(positions.receive("a", "x1-11,20")).toBe(false);
  expect(positions.receive("b", "x1-12,21")).toBe(true);
});

test("a new hello in the same life changes nothing that is known", () => {
  const positions = begun();
  positions.receive("a", "x1-15,20");
  positions.begin(["a", "b"], "x1-99,99");
  expect(positions.token()).toBe("x1-15,20");
});

test("another life: the store lost its content, everything begins anew", () => {
  const positions = begun();
  positions.receive("a", "x1-15,20");
  positions.begin(["a", "b"], "x2-0,3");
  expect(positions.token()).toBe("x2-0,3");
  expect(positions.receive("a", "x2-1,3")).toBe(true);
});

test("a gap moves on behind itself", () => {
  const positions = begun();
  positions.skipTo("x1-14,20");
  expect(positions.token()).toBe("x1-14,20");
  expect(positions.receive("a", "x1-15,20")).toBe(true);
});

test("what is no token is shown and moves nothing", () => {
  const positions = begun();
  expect(positions.receive("a", "")).toBe(true);
  expect(positions.receive("a", "nonsense")).toBe(true);
  expect(positions.token()).toBe("x1-10,20");
});
