/** The manual pages: complete, and roff that groff takes without a word. */
import { expect, test } from "bun:test";
import { manualPages } from "../../src/cli/manual.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { escapeRoff } from "../../src/cli/roff.ts";
import { ALL_OPTIONS } from "../../src/config/options.ts";

const pages = manualPages();

test("sluice(1) has every command and every option of each", () => {
  const page = (pages["sluice.1"] ?? "").replaceAll("\\-", "-");
  for (const command of buildProgram(() => undefined).commands) {
    expect(page).toContain(`.SS sluice ${command.name()}\n`);
    for (const option of command.options) expect(page).toContain(option.long ?? "");
  }
});

test("sluice.toml(5) has every option", () => {
  const page = (pages["sluice.toml.5"] ?? "").replaceAll("\\-", "-");
  for (const [path] of ALL_OPTIONS)
    expect(page).toContain(`.TP\n\\fB${path.slice(path.lastIndexOf(".") + 1)}\\fR (`);
});

test.each([
  ["a-b", "a\\-b"],
  ["C:\\new", "C:\\enew"],
  [".hidden", "\\&.hidden"],
  ["'quoted'", "\\(aqquoted\\(aq"],
  ["naïve …", "na\\[u00EF]ve \\[u2026]"],
])("text %p as roff", (text, roff) => {
  expect(escapeRoff(text)).toBe(roff);
});

test.skipIf(Bun.which("groff") === null).each(Object.entries(pages))(
  "groff has nothing to say of %s",
  (_, text) => {
    const run = Bun.spawnSync(["groff", "-man", "-Tutf8", "-ww", "-z"], {
      stdin: Buffer.from(text),
      stderr: "pipe",
    });
    expect({ code: run.exitCode, said: run.stderr.toString() }).toEqual({ code: 0, said: "" });
  },
);
