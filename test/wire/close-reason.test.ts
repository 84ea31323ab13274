/** The text of a refusing close frame (push-stream spec 4.13.6), for every refusal there is. */
import { describe, expect, test } from "bun:test";
import { Refusals } from "../../src/http/errors.ts";
import { closeReason } from "../../src/wire/close-reason.ts";

const MAX_BYTES = 123;

describe("literal texts", () => {
  const rows = [
    [Refusals.couldNotCreate, '{"http_status": 403, "explain":"Subscriber could not create channels."}'],
    [Refusals.internal, '{"http_status": 500, "explain":""}'],
    [
      Refusals.missingUpgrade,
      '{"http_status": 400, "explain":"Don\'t have at least one of the mandatory headers: ' +
        'Connection, Upgrade..."}',
    ],
    [{ status: 400, explain: 'a "quoted" one' }, '{"http_status": 400, "explain":"a \\"quoted\\" one"}'],
    [{ status: 400, explain: "x".repeat(200) }, '{"http_status": 400, "explain":""}'],
  ] as const;
  for (const [refusal, expected] of rows) {
    test(expected, () => expect(closeReason(refusal)).toBe(expected));
  }

  test("0x49 bytes with the code, as the spec's example says", () => {
    expect(2 + closeReason(Refusals.couldNotCreate).length).toBe(0x49);
  });
});

describe("fits a control frame and is JSON", () => {
  for (const refusal of [...Object.values(Refusals), { code: "x", status: 400, explain: "é€ ".repeat(60) }]) {
    test(refusal.code, () => {
      const text = closeReason(refusal);
      expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(MAX_BYTES);
      expect(JSON.parse(text)).toMatchObject({ http_status: refusal.status });
    });
  }
});
