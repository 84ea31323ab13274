/** Offers of permessage-deflate (RFC 7692 7.1), and what is agreed on. */
import { expect, test } from "bun:test";
import { deflateRawSync } from "node:zlib";
import { agreedDeflate } from "../../src/wire/deflate-offer.ts";
import { inflateMessage } from "../../src/wire/message-deflate.ts";

const AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

test.each([
  "permessage-deflate",
  "permessage-deflate; client_max_window_bits",
  "permessage-deflate;client_max_window_bits=8 ;server_no_context_takeover",
  'permessage-deflate; client_max_window_bits = "15"; client_no_context_takeover',
  "x-webkit-deflate-frame, permessage-deflate",
  // The first is declined.
  "permessage-deflate; server_max_window_bits=10, permessage-deflate",
  "permessage-deflate; unknown, permessage-deflate; client_max_window_bits",
])("%s is agreed on", (offer) => {
  expect(agreedDeflate(offer)).toBe(AGREED);
});

test("the largest window, asked for, is promised", () => {
  expect(agreedDeflate("permessage-deflate; server_max_window_bits=15")).toBe(
    `${AGREED}; server_max_window_bits=15`,
  );
});

test.each([
  null,
  "",
  "permessage-bzip2",
  "Permessage-Deflate ; x",
  "permessage-deflate; server_max_window_bits",
  "permessage-deflate; server_max_window_bits=9",
  "permessage-deflate; server_max_window_bits=16",
  "permessage-deflate; client_max_window_bits=7",
  "permessage-deflate; client_max_window_bits=015",
  "permessage-deflate; client_max_window_bits=16",
  "permessage-deflate; server_no_context_takeover=1",
  "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
  'permessage-deflate; client_max_window_bits="8',
  "permessage-deflate;;",
  `permessage-deflate${"; a".repeat(1000)}`,
  "x,".repeat(20).concat("permessage-deflate"),
])("%s: nothing is", (offer) => {
  expect(agreedDeflate(offer)).toBeNull();
});

test("where messages have used up to the byte what they may grow to, the next is too big, not faulty", () => {
  expect(inflateMessage(deflateRawSync("a"), 0)).toBe("too big");
  expect(inflateMessage(deflateRawSync("a"), 1).toString()).toBe("a");
});
