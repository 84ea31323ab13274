/**
 * Locations with the same templates share their formats, and with them the encoded bytes: push-stream spec
 * 1.5 (6).
 */
import { expect, test } from "bun:test";
import { Shelf, type TemplateKind } from "../../src/subscribe/format-shelf.ts";

test("what looks the same is the same object, what does not is not", () => {
  const shelf = new Shelf();
  const kinds: TemplateKind[] = [
    "text",
    "events",
    "whole events",
    "positioned events",
    "several positioned events",
  ];
  const [crlf, colons, longer] = [
    shelf.padding(false, 500),
    shelf.padding(true, 500),
    shelf.padding(false, 600),
  ];
  const make = () => [
    ...kinds.flatMap((kind) => ["a", "b", 'a","text'].map((template) => shelf.template(kind, template))),
    shelf.padded("text", "a", crlf, 100),
    shelf.padded("text", "a", crlf, 200),
    shelf.padded("text", "b", crlf, 100),
    shelf.padded("text", "a", longer, 100),
    shelf.padded("events", "a", colons, 100),
    ...Object.values(shelf.frames(false)),
    ...Object.values(shelf.frames(true)),
  ];
  const [first, second] = [make(), make()];
  expect(second.every((format, i) => format === first[i])).toBeTrue();
  expect(new Set(first).size).toBe(first.length);
  // Native topics are named after them.
  expect(new Set(first.map(({ key }) => key)).size).toBe(first.length);
});

test("a minimum of 0 is no padding", () => {
  const shelf = new Shelf();
  expect(shelf.padded("text", "a", shelf.padding(false, 500), 0)).toBe(shelf.template("text", "a"));
});
