/** Held streams as gzip: push-stream spec 4.15, RFC 1952. */
import { expect, test } from "bun:test";
import { createGunzip, gunzipSync } from "node:zlib";
import type { StreamSink } from "../../src/http/direct-answer.ts";
import { GzipSink } from "../../src/subscribe/gzip-sink.ts";

class Recorder implements StreamSink {
  readonly writes: Uint8Array[] = [];
  flushes = 0;
  ends = 0;
  highWaterMark = 0;
  /** What a write is answered with; -1: the number of bytes. */
  outcome: number | Promise<number> = -1;

  start({ highWaterMark }: { highWaterMark: number }): void {
    this.highWaterMark = highWaterMark;
  }
  write(bytes: Uint8Array): number | Promise<number> {
    this.writes.push(bytes.slice());
    return this.outcome === -1 ? bytes.length : this.outcome;
  }
  flush(): number {
    this.flushes++;
    return 0;
  }
  end(): void {
    this.ends++;
  }
  get bytes(): Buffer {
    return Buffer.concat(this.writes);
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** What a reader has decoded after each of the pieces. */
async function decodedStepwise(pieces: readonly Uint8Array[]): Promise<string[]> {
  const gunzip = createGunzip();
  let text = "";
  gunzip.on("data", (data: Buffer) => {
    text += data.toString("latin1");
  });
  const steps: string[] = [];
  for (const piece of pieces) {
    await new Promise((resolve) => gunzip.write(piece, resolve));
    await new Promise((resolve) => setImmediate(resolve));
    steps.push(text);
  }
  gunzip.destroy();
  return steps;
}

test("every write is decodable at once; the whole is one valid member", async () => {
  const recorder = new Recorder();
  const sink = new GzipSink(recorder, 6);
  const texts = ["HEADER", "a", "hello ".repeat(50), "\r\n".repeat(600), "x".repeat(300_000), "FOOTER"];
  for (const text of texts) expect(sink.write(bytes(text))).toBeGreaterThan(0);
  expect(recorder.writes.length).toBe(texts.length);
  const soFar = texts.map((_, i) => texts.slice(0, i + 1).join(""));
  expect(await decodedStepwise(recorder.writes)).toEqual(soFar);
  sink.end();
  expect(recorder.ends).toBe(1);
  // Strict: checks CRC-32 and length.
  expect(gunzipSync(recorder.bytes).toString("latin1")).toBe(texts.join(""));
});

test("an empty stream is an empty member, and an empty text is not written", () => {
  const recorder = new Recorder();
  const sink = new GzipSink(recorder, 1);
  expect(sink.write(bytes(""))).toBe(0);
  expect(recorder.writes.length).toBe(0);
  sink.end();
  expect(gunzipSync(recorder.bytes).length).toBe(0);
});

test("a view whose bytes changed in a later turn is compressed anew", async () => {
  const recorder = new Recorder();
  const sink = new GzipSink(recorder, 1);
  const view = new Uint8Array(8).fill(0x61);
  sink.write(view);
  await Promise.resolve();
  view.fill(0x62);
  sink.write(view);
  sink.end();
  expect(gunzipSync(recorder.bytes).toString()).toBe("aaaaaaaabbbbbbbb");
});

test("readers of the same bytes share the compressed ones, each with a checksum of its own", () => {
  const [one, other] = [new Recorder(), new Recorder()];
  const [first, second] = [new GzipSink(one, 1), new GzipSink(other, 1)];
  first.write(bytes("before "));
  const shared = bytes("shared ".repeat(10));
  for (const sink of [first, second]) sink.write(shared);
  for (const sink of [first, second]) sink.end();
  expect(gunzipSync(one.bytes).toString()).toBe(`before ${"shared ".repeat(10)}`);
  expect(gunzipSync(other.bytes).toString()).toBe("shared ".repeat(10));
  // The one's second write is the other's first without the member's header.
  expect(Buffer.from(other.writes[0] ?? []).subarray(10)).toEqual(Buffer.from(one.writes[1] ?? []));
});

test("backpressure, flush and start are those of the sink behind it", async () => {
  const recorder = new Recorder();
  const sink = new GzipSink(recorder, 1);
  sink.start({ highWaterMark: 1 });
  expect(recorder.highWaterMark).toBe(1);
  const full = Promise.resolve(7);
  recorder.outcome = full;
  expect(sink.write(bytes("a"))).toBe(full);
  expect(sink.flush()).toBe(0);
  expect(recorder.flushes).toBe(1);
  await sink.end();
  expect(gunzipSync(recorder.bytes).toString()).toBe("a");
});
