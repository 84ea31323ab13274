/** The callback argument: push-stream spec 4.12 (1), 12.3. */
import { expect, test } from "bun:test";
import { decodeOnce } from "../../src/config/location/variables.ts";
import { type Callback, callbackOf } from "../../src/wire/jsonp.ts";

const name = (text: string): Callback => ({ name: text });

const cases: readonly (readonly [string, Callback])[] = [
  ["", "none"],
  ["callback", "none"],
  ["callback=", name("")],
  ["callback=cb", name("cb")],
  ["CallBack=cb", name("cb")],
  ["a=1&callback=cb&b=2", name("cb")],
  ["&callback=cb", name("cb")],
  ["callback=first&callback=second", name("first")],
  ["xcallback=cb", "none"],
  ["callbacks=cb", "none"],
  ["a=callback=cb", "none"],
  ["callback=PushStreamManager%5B0%5D.wrapper.onmessage_1", name("PushStreamManager[0].wrapper.onmessage_1")],
  ["callback=$.a[0]", name("$.a[0]")],
  ["callback=%63b", name("cb")],
  // Decoded once, so what is left is no name.
  ["callback=%2563b", "unsafe"],
  ["callback=a%3Balert(1)", "unsafe"],
  ["callback=a%0d%0ab", "unsafe"],
  ["callback=a b", "unsafe"],
  ["callback=a+b", "unsafe"],
  ["callback=a<b", "unsafe"],
  ["callback=%e9", "unsafe"],
  [`callback=${"a".repeat(128)}`, name("a".repeat(128))],
  [`callback=${"%61".repeat(128)}`, name("a".repeat(128))],
  [`callback=${"a".repeat(129)}`, "unsafe"],
  [`callback=${"a".repeat(100_000)}`, "unsafe"],
];

test.each(cases)("%s", (query, callback) => {
  expect(callbackOf(query, decodeOnce)).toEqual(callback);
});
