/**
 * Which of the three ways takes a configuration as people have them (shapes.ts), what is said of the others,
 * and how long a large tree takes.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readDocument } from "../../../src/config/document.ts";
import { formatFault } from "../../../src/config/fault.ts";
import { splitNginx } from "../../../src/config/nginx/keep/split.ts";
import { checkNginx } from "../../../src/config/nginx/load.ts";
import { documentToToml } from "../../../src/config/nginx/print-toml.ts";
import { waysFor } from "../../../src/config/nginx/ways.ts";
import { SHAPES } from "./shapes.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-shapes-"));
const file = join(folder, "nginx.conf");
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const ADDRESS = "127.0.0.1:9090";

test("there are enough of them", () => {
  expect(SHAPES.length).toBeGreaterThanOrEqual(40);
  expect(new Set(SHAPES.map(({ name }) => name)).size).toBe(SHAPES.length);
});

describe.each(SHAPES.map((shape) => [shape.name, shape] as const))("%s", (_, { ways, text }) => {
  const lines = (options: { foreign?: number }): readonly string[] =>
    checkNginx(text, file, options).faults.map(formatFault);
  const split = () => {
    writeFileSync(file, text);
    return splitNginx({ file, address: ADDRESS });
  };

  test("is taken by the ways it says", () => {
    const taken = [
      lines({}).length === 0 ? "D" : "",
      lines({ foreign: 404 }).length === 0 ? "F" : "",
      split().faults.length === 0 ? "K" : "",
    ].join("");
    expect([taken, ...(ways.includes("D") ? lines({}) : [])]).toEqual([ways]);
  });

  test("is told the ways that are left, where it is refused", () => {
    if (ways.includes("D")) return;
    const { faults } = checkNginx(text, file);
    // In the file's words, with its line.
    for (const fault of faults.map(formatFault)) expect(fault).toMatch(/^[^:]+nginx\.conf:\d+: /);
    writeFileSync(file, text);
    const told = waysFor(text, file, faults).join("\n");
    expect(told.includes("--keep-nginx")).toBe(ways.includes("K"));
    expect(told.includes("--foreign 404")).toBe(ways.includes("F"));
  });

  test("makes configurations that are good themselves", () => {
    if (ways.includes("F")) {
      const { translation } = checkNginx(text, file, { foreign: 404 });
      const toml = Bun.TOML.parse(documentToToml(translation.document)) as Record<string, unknown>;
      expect(readDocument(toml, (path) => path).faults).toEqual([]);
    }
    if (!ways.includes("K")) return;
    const { toml, files } = split();
    expect(readDocument(Bun.TOML.parse(toml) as Record<string, unknown>, (path) => path).faults).toEqual([]);
    const left = files.map(({ bytes }) => new TextDecoder().decode(bytes)).join("\n");
    // `$push_stream_channel_id` is a variable as any other.
    expect(left).not.toMatch(/(?<!\$)push_stream_/);
    expect(left).toContain("proxy_pass http://sluice;");
  });
});

test("a tree of 3,000 lines in 60 files is checked in 300 ms", () => {
  const parts = join(folder, "sites");
  mkdirSync(parts);
  for (let i = 0; i < 60; i++) {
    const locations = Array.from(
      { length: 11 },
      (_, n) =>
        `location ~ ^/site${i}/p${n}/(.*)$ {\n  push_stream_subscriber;\n  push_stream_channels_path c$1;\n}`,
    ).join("\n");
    writeFileSync(
      join(parts, `${i}.conf`),
      `server {\nlisten 127.0.0.1:${2000 + i};\nserver_name s${i}.example.org;\n${locations}\n}\n`,
    );
  }
  const text = "events { }\nhttp {\npush_stream_shared_memory_size 32m;\ninclude sites/*.conf;\n}\n";
  writeFileSync(file, text);
  const times = Array.from({ length: 3 }, () => {
    const before = process.cpuUsage();
    const { faults } = checkNginx(text, file);
    expect(faults).toEqual([]);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  // Time of a processor, and the best of three: others share the machine.
  expect(Math.min(...times)).toBeLessThan(300);
});
