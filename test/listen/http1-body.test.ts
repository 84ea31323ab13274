/**
 * Bodies over literal bytes, RFC 9112, 6 and 7.1: whole, cut at every byte, and byte by byte; what stands
 * behind is the next request.
 */
import { expect, test } from "bun:test";
import { BODY_CASES } from "./http1-body-cases.ts";
import { everySplit, readWhole } from "./http1-fixture.ts";

const NEXT = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

test.each(BODY_CASES)("%s", (_, bytes, expected) => {
  const text = typeof expected === "number" ? bytes : bytes + NEXT;
  const whole = readWhole(text);
  if (typeof expected === "number") expect(whole).toEqual({ requests: [], end: expected });
  else
    expect([whole.end, ...whole.requests.map(({ target, body }) => [target, body])]).toEqual([
      "idle",
      ["/", expected],
      ["/next", ""],
    ]);
  for (const [how, outcome] of everySplit(text)) expect([how, outcome]).toEqual([how, whole]);
});
