/**
 * Documentation made from the table says what the program does: the printed defaults load, docs/options.md is
 * up to date.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { buildConfig } from "../../src/config/build.ts";
import { formatFault } from "../../src/config/fault.ts";
import { readOption } from "../../src/config/kinds.ts";
import { DEFAULT_TOML } from "../../src/config/load.ts";
import { ALL_OPTIONS } from "../../src/config/options.ts";
import { renderDefaults, renderReference } from "../../src/config/print.ts";
import { readToml } from "../../src/config/toml.ts";

function load(text: string) {
  const outcome = readToml(text, "t");
  if (!outcome.ok) throw new Error(outcome.faults.map(formatFault).join("\n"));
  return buildConfig(outcome.values);
}

test("the printed defaults load and mean the embedded configuration", () => {
  expect(load(renderDefaults(DEFAULT_TOML))).toEqual(load(DEFAULT_TOML));
});

test("a value that is set in the embedded configuration is not printed as its default", () => {
  const text = 'workers = 3\n[store]\nsize = "1GiB"\n# A page.\n[[location]]\nmatch = "/"\npage = true\n';
  expect(load(renderDefaults(text))).toEqual(load(text));
  expect(renderDefaults(text)).toContain('# A page.\n[[location]]\nmatch = "/"\n');
});

test("the printed defaults explain every option once, and nothing is too wide to read", () => {
  const locations = DEFAULT_TOML.slice(DEFAULT_TOML.indexOf("[[location]]")).trimEnd();
  const lines = renderDefaults(DEFAULT_TOML).replace(locations, "").split("\n");
  for (const [path] of ALL_OPTIONS) {
    const key = path.slice(path.lastIndexOf(".") + 1);
    const named = lines.filter((line) => line.startsWith(`${key} = `) || line.startsWith(`# ${key} = `));
    const same = ALL_OPTIONS.filter(([other]) => other.endsWith(`.${key}`) || other === key);
    expect([path, named.length]).toEqual([path, same.length]);
  }
  expect(lines.filter((line) => line.length > 100)).toEqual([]);
});

test.each(ALL_OPTIONS.map(([path, option]) => [path, option] as const))(
  "%s has a default and an example that pass its own check",
  (path, option) => {
    const key = path.slice(path.lastIndexOf(".") + 1);
    expect(readOption(option, key, option.example).issues).toEqual([]);
    if (option.default !== null) expect(readOption(option, key, option.default).issues).toEqual([]);
    else expect(option.required === true || option.unset !== undefined).toBe(true);
    expect(option.doc).toMatch(/[.…]$/);
    // Nothing here is counted below zero.
    if (option.kind === "integer") expect(readOption(option, key, -1).issues).toHaveLength(1);
  },
);

test("the reference has a row of four cells for each option", () => {
  const rows = renderReference()
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  expect(rows).toHaveLength(ALL_OPTIONS.length);
  for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(6);
});

test("each table of the reference says where its options stand", () => {
  const titles = renderReference()
    .split("\n")
    .filter((line) => line.startsWith("## "));
  expect(titles).toEqual([
    "## Top of the file",
    "## `[store]`",
    "## `[cluster]`",
    "## `[limits]`",
    "## `[[location]]`",
    "## `[shared.NAME]`",
    "## `[[issuer]]`",
    "## `[webhooks]`",
    "## `[[webhook]]`",
    "## `[[upstream]]`",
    "## `[[location.step]]`",
    "## `[[map]]`",
    "## `[[server]]`",
  ]);
});

test("docs/options.md is up to date (bun run tables writes it)", () => {
  const page = new URL("../../docs/options.md", import.meta.url);
  expect(readFileSync(page, "utf8")).toBe(renderReference());
});
