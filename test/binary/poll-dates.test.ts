/**
 * Validators of polls as RFC 9110 has them: an entity tag in quotes (8.8.3), and a Last-Modified that is
 * never later than Date (8.8.2.1), also where the time of messages is ahead of the clock, which was set back.
 * Both are positions, and lead on to the next message.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { HEAD_CLOCK_SEC, HEADER_BYTES } from "../../src/store/memory/layout-header.ts";
import { ask, type RawAnswer, standing } from "./raw-client.ts";
import { layout, type RunningServer, startServer } from "./running-server.ts";

let server: RunningServer;
afterEach(async () => {
  await server.stop();
});

/** As if the clock had been so far ahead when the last message came. */
function wasAhead(seconds: number): void {
  const path = / store=(\S+)/.exec(server.log)?.[1] ?? "";
  const bytes = Bun.mmap(path, { shared: true });
  const header = new Uint32Array(bytes.buffer, bytes.byteOffset, HEADER_BYTES / 4);
  header[HEAD_CLOCK_SEC] = Math.floor(Date.now() / 1000) + seconds;
}

const positionOf = ({ fields }: RawAnswer) => ({
  "If-Modified-Since": fields.get("last-modified") ?? "",
  "If-None-Match": fields.get("etag") ?? "",
});

describe.each([
  ["native listener", 'header_template = "^"'],
  ["wire listener", ""],
])("%s", (_listener, sub) => {
  test("a poll's validators are valid, and both forms of its tag lead on", async () => {
    server = await startServer({ toml: layout("", { sub }) });
    await server.publish("a", "zero");
    wasAhead(100);
    for (const text of ["one", "two", "three"]) await server.publish("a", text);
    const first = await ask(server.port, "/poll/a.b3");
    expect(first.body.toString()).toBe("onetwothree");
    const held = ask(server.port, "/lp/a", { headers: positionOf(first) });
    await standing(server.port, "a");
    await server.publish("a", "four");
    const live = await held;
    expect(live.body.toString()).toBe("four");
    for (const { fields } of [first, live]) {
      expect(fields.get("etag")).toMatch(/^W\/"\d+"$/);
      const [modified, date] = ["last-modified", "date"].map((name) => Date.parse(fields.get(name) ?? ""));
      expect(modified).toBeGreaterThan(Date.now());
      expect(modified).toBe(date ?? 0);
    }
    const { "If-None-Match": tag, ...time } = positionOf(first);
    for (const form of [tag, tag.replaceAll('"', "")]) {
      const next = await ask(server.port, "/poll/a", { headers: { ...time, "If-None-Match": form } });
      expect(next.body.toString()).toBe("four");
    }
  });
});
