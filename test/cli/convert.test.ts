/** `sluice convert` and `sluice check` of an nginx.conf, as commands. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runSluice } from "./run-sluice.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-convert-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function fileOf(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const GOOD = `env NAME;
http {
  push_stream_shared_memory_size 32M;
  server {
    listen 127.0.0.1:9080;
    location ~ /sub/(.*) {
      push_stream_subscriber;
      push_stream_channels_path $1;
    }
  }
}
`;

test("convert prints TOML that check takes, and says where things come from", async () => {
  const file = fileOf("good.conf", GOOD);
  const { code, out, err } = await runSluice(["convert", file]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toStartWith(`# Converted from ${file}.`);
  expect(out).toContain(`left out, as it changes nothing here: env (${file}:1)`);
  expect(out).toContain(`# ${file}:6\n[[server.location]]\nmatch = "~ /sub/(.*)"\n`);
  const checked = await runSluice(["check", fileOf("good.toml", out)]);
  expect(checked).toMatchObject({ code: 0, err: "" });
});

test("convert of a faulty file prints all faults, no TOML, and exits with 2", async () => {
  const file = fileOf("bad.conf", GOOD.replace("32M", "32").replace("$1", "$nothing").replace("env", "evn"));
  const { code, out, err } = await runSluice(["convert", file]);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err.replaceAll(file, "F").split("\n")).toEqual([
    'F:1: unknown directive "evn"',
    "F:3: The push_stream_shared_memory_size value must be at least 128KiB",
    'F:8: "push_stream_channels_path" directive "$nothing": unknown variable $nothing.',
    "F: 3 faults",
    "",
  ]);
});

test.each([
  ["TOML", "x.toml", 'listen = "127.0.0.1:1"', "x.toml is TOML already."],
  ["no syntax", "y.conf", "http {", "expecting"],
])("convert of %s exits with 2", async (_, name, text, sentence) => {
  const { code, out, err } = await runSluice(["convert", fileOf(name, text)]);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(sentence);
});

test("convert of a file that is not there exits with 2", async () => {
  const { code, err } = await runSluice(["convert", join(folder, "none.conf")]);
  expect(code).toBe(2);
  expect(err).toContain("none.conf: cannot be read");
});
