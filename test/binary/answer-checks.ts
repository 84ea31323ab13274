/**
 * What the answers of every role have in common (push-stream spec 0.5, 0.6, 0.7), as expectations over raw
 * answers.
 */
import { expect } from "bun:test";
import type { RawAnswer, RawHead } from "./raw-client.ts";

const EXPLAIN = "x-nginx-pushstream-explain";

/** The two lines of spec 0.6; the odd second is the dialect's. */
export function expectAntiCache({ fields }: RawHead): void {
  expect(fields.get("expires")).toBe("Thu, 01 Jan 1970 00:00:01 GMT");
  expect(fields.get("cache-control")).toBe("no-cache, no-store, must-revalidate");
}

export function expectNoAntiCache({ fields }: RawHead): void {
  expect(fields.has("expires")).toBeFalse();
  expect(fields.has("cache-control")).toBeFalse();
}

export interface Refused {
  readonly status: number;
  /** null: there must be none. */
  readonly explain?: string | null;
  readonly allow?: string | null;
}

/**
 * An answer that is a head and nothing else: `Content-Length: 0`, no Content-Type, the texts given and no
 * others.
 */
export function expectHeaderOnly(answer: RawAnswer, { status, explain = null, allow = null }: Refused): void {
  expect(answer.statusLine).toStartWith(`HTTP/1.1 ${status} `);
  expect(answer.fields.get(EXPLAIN) ?? null).toBe(explain);
  expect(answer.fields.get("allow") ?? null).toBe(allow);
  expect(answer.fields.get("content-length")).toBe("0");
  expect(answer.fields.has("content-type")).toBeFalse();
  expect(answer.body.length).toBe(0);
}

/** A JSON answer with a length, and the header lines of spec 0.6. */
export function expectJson(answer: RawAnswer, body: string): void {
  expect(answer.statusLine).toBe("HTTP/1.1 200 OK");
  expectAntiCache(answer);
  expect(answer.fields.get("content-type")).toBe("application/json");
  expect(answer.fields.get("content-length")).toBe(String(Buffer.byteLength(body)));
  expect(answer.fields.has(EXPLAIN)).toBeFalse();
  expect(answer.body.toString()).toBe(body);
}

/** Spec 5.3, byte for byte. */
export const channelInfo = (channel: string, published: number, stored: number, subscribers = 0): string =>
  `{"channel": "${channel}", "published_messages": ${published}, "stored_messages": ${stored}, ` +
  `"subscribers": ${subscribers}}\r\n`;

/** Spec 5.4 with the machine's own values left out: what stays are the items. */
export function expectGroup(answer: RawAnswer, items: readonly string[]): void {
  expect(answer.status).toBe(200);
  expectAntiCache(answer);
  expect(answer.fields.get("content-type")).toBe("application/json");
  const text = answer.body.toString();
  const head = new RegExp(
    String.raw`^\{"hostname": "[^"A-Z]+", "time": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", ` +
      String.raw`"channels": \d+, "wildcard_channels": 0, "uptime": \d+, "infos": \[\r\n`,
  );
  expect(text).toMatch(head);
  const lines = items.map((item, i) => item.replace("}\r\n", i === items.length - 1 ? "}\r\n" : "},\r\n"));
  expect(text.replace(head, "")).toBe(`${lines.join("")}]}\r\n`);
}
