/**
 * Commands that the papers name can be run: scripts of package.json, files given to bun, commands and flags
 * of sluice. What a paper shows with its output is executed elsewhere (binary/readme.test.ts and the suites
 * of recipes); here is what would take minutes, or a machine of its own.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { buildProgram } from "../src/cli/program.ts";

const root = join(import.meta.dir, "..");
const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
).scripts;
const papers = Bun.spawnSync(["git", "ls-files", "*.md"], { cwd: root })
  .stdout.toString()
  .split("\n")
  .filter((path) => path !== "" && path !== "CHANGELOG.md" && existsSync(join(root, path)));

/** What stands between backquotes, and the lines of blocks of shell; of transcripts those behind a prompt. */
function commandsOf(paper: string): readonly string[] {
  const text = readFileSync(join(root, paper), "utf8");
  const lines: string[] = [];
  const prose = text.replaceAll(/^```(\w*)\n([\s\S]*?)^```$/gm, (_, language: string, block: string) => {
    const all = block.replaceAll("\\\n", " ").split("\n");
    if (language === "console") lines.push(...all.filter((line) => line.startsWith("$ ")));
    else if (language === "sh" || language === "bash") lines.push(...all);
    return "";
  });
  for (const [, code = ""] of prose.matchAll(/`([^`\n]+)`/g)) lines.push(code);
  return lines.flatMap((line) =>
    line
      .replace(/^\$ /, "")
      .replace(/\s#.*$/, "")
      .split(/\s*(?:&&|[|;>&]) ?/),
  );
}

const flagsOf = (words: readonly string[]): readonly string[] =>
  words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.replace(/=.*/, ""));

/** "bun run NAME …": what it lacks. */
function scriptFault(name: string, words: readonly string[]): string | null {
  const script = scripts[name];
  if (script === undefined) return `no script ${name}`;
  const source = /(\S+\.ts)/.exec(script.split("&&").at(-1) ?? "")?.[1];
  return source === undefined ? null : fileFault(source, words);
}

function fileFault(source: string, words: readonly string[]): string | null {
  if (!existsSync(join(root, source))) return `no file ${source}`;
  const text = readFileSync(join(root, source), "utf8");
  const unknown = flagsOf(words).find((flag) => !text.includes(flag.slice(2)));
  return unknown === undefined ? null : `${source} knows no ${unknown}`;
}

/** "sluice COMMAND …": what it lacks. */
function programFault(words: readonly string[]): string | null {
  let command: Command = buildProgram(() => undefined);
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (next === undefined) break;
    command = next;
  }
  if (command.parent === null && /^[a-z]/.test(words[0] ?? "")) return `no command ${words[0]}`;
  const known = new Set([
    "--help",
    "--version",
    ...command.options.flatMap(({ long }) => (long ? [long] : [])),
  ]);
  const unknown = flagsOf(words).find((flag) => !known.has(flag));
  return unknown === undefined ? null : `${command.name()} knows no ${unknown}`;
}

function faultOf(line: string): string | null {
  const [program = "", first = "", ...rest] = line
    .replace(/^(?:npx --yes \S+|sudo|[A-Z_]+=\S+) /, "")
    .split(/\s+/);
  if (program === "bun" && first === "run") return scriptFault(rest[0] ?? "", rest.slice(1));
  if (program === "bun" && /^(?:test|bench|scripts|src)\/.*\.ts$/.test(first)) return fileFault(first, rest);
  if (/^(?:\S*\/)?sluice$/.test(program)) return programFault([first, ...rest]);
  return null;
}

test("what is not there is found", () => {
  const lines = [
    "bun run nope",
    "bun run fuzz --hours 2",
    "bun bench/nope.ts",
    "sluice nope",
    "sluice sub --nope x",
  ];
  expect(lines.map(faultOf)).toEqual([
    "no script nope",
    "scripts/fuzz.ts knows no --hours",
    "no file bench/nope.ts",
    "no command nope",
    "sub knows no --nope",
  ]);
});

test.each(papers)("every command of %s is there", (paper) => {
  const faults = commandsOf(paper).flatMap((line) => {
    const fault = faultOf(line);
    return fault === null ? [] : [`${line}: ${fault}`];
  });
  expect(faults).toEqual([]);
});
