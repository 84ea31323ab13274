/** The command line itself: help, usage faults, exit codes, completions. */
import { describe, expect, test } from "bun:test";
import { buildProgram } from "../../src/cli/program.ts";
import { runSluice } from "./run-sluice.ts";

const COMMANDS = [
  "serve",
  "reload",
  "check",
  "convert",
  "defaults",
  "pub",
  "sub",
  "stats",
  "install",
  "uninstall",
  "version",
  "completions",
];

describe("help", () => {
  for (const command of COMMANDS) {
    test(`${command} --help has examples and exit codes, on stdout, with 0`, async () => {
      const { code, out, err } = await runSluice([command, "--help"]);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toStartWith(`Usage: sluice ${command}`);
      expect(out).toContain(`Examples:\n  `);
      expect(out).toContain("Exit codes:\n  0  done");
    });
  }

  test("the list of commands is complete and hides the worker", async () => {
    const { out } = await runSluice(["--help"]);
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(out).not.toContain("__worker");
  });

  test("no command at all: help on stderr, exit 2", async () => {
    const { code, out, err } = await runSluice([]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toStartWith("Usage: sluice");
  });

  test("defaults of options are shown", () => {
    const sub = buildProgram(() => undefined).commands.find((command) => command.name() === "sub");
    const text = sub?.helpInformation() ?? "";
    expect(text).toContain('"http://127.0.0.1:8080"');
    expect(text).toContain('default: "ws"');
  });
});

describe("wrong usage is one sentence on stderr and exit 2", () => {
  test.each([
    [["pbu"], "unknown command 'pbu'. Did you mean pub?"],
    [["sub", "a", "--jsno"], "unknown option '--jsno'. Did you mean --json?"],
    [["pub"], "missing required argument 'channel'."],
    [["sub"], "missing required argument 'channel'."],
    [["sub", "a", "--transport", "carrier-pigeon"], "Allowed choices are ws, sse, stream, long-poll."],
    [["sub", "a", "--last", "-1"], "It wants a whole number of at least 0."],
    [["sub", "a", "--count", "0"], "It wants a whole number of at least 1."],
    [["sub", "a", "--timeout", "soon"], "It wants seconds above 0"],
    [["sub", ""], "a channel name cannot be empty."],
    [["pub", "", "x"], "a channel name cannot be empty."],
    [["pub", "a", "x", "--url", "8080"], "--url wants http://host:port"],
    [["pub", "a", "x", "--event-id", "a\nb"], "--event-id cannot hold line breaks"],
    [["pub", "a", "x", "--lines"], "--lines reads standard input"],
    [["pub", "a", "x", "y"], "too many arguments"],
    [["completions", "tcsh"], "Allowed choices are bash, zsh, fish."],
  ])("%p", async (args, sentence) => {
    const { code, out, err } = await runSluice(args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toStartWith("sluice: ");
    expect(err).toContain(sentence);
    expect(err.trim().split("\n")).toHaveLength(1);
  });
});

test("version says what it is, for people and machines", async () => {
  expect((await runSluice(["version"])).out).toMatch(/^sluice \d+\.\d+\.\d+ \(\S+, bun \d+\.\d+\.\d+\)\n$/);
  expect(JSON.parse((await runSluice(["version", "--json"])).out)).toEqual({
    version: expect.any(String),
    commit: expect.any(String),
    bun: Bun.version,
    store_layout: expect.any(Number),
  });
});

test("no escape codes in a pipe, whatever the environment says", async () => {
  const env = { FORCE_COLOR: "1", CLICOLOR_FORCE: "1" };
  for (const args of [["--help"], ["nonsense"]]) {
    const { out, err } = await runSluice(args, "", env);
    expect(out + err).not.toContain("\u001b");
  }
});

describe("completions", () => {
  test("bash completes commands, options, choices", async () => {
    const { out: script } = await runSluice(["completions", "bash"]);
    const complete = async (...words: string[]): Promise<string[]> => {
      const line = words.map((word) => `'${word}'`).join(" ");
      const ask =
        `${script}\nCOMP_WORDS=(sluice ${line}); COMP_CWORD=${words.length}; _sluice; ` +
        `printf '%s\\n' "\${COMPREPLY[@]}"`;
      return (await Bun.$`bash -c ${ask}`.text()).trim().split("\n");
    };
    expect(await complete("s")).toEqual(["serve", "sub", "stats"]);
    expect(await complete("sub", "--transport", "s")).toEqual(["sse", "stream"]);
    expect(await complete("sub", "news", "--tr")).toEqual(["--transport"]);
    expect(await complete("completions", "z")).toEqual(["zsh"]);
    expect(await complete("check", "package.j")).toEqual(["package.json"]);
  });

  for (const shell of ["zsh", "fish"] as const) {
    const missing = Bun.which(shell) === null;
    test.skipIf(missing)(`${shell} accepts its script`, async () => {
      const { out } = await runSluice(["completions", shell]);
      const check = Bun.spawnSync([shell, "-n", "/dev/stdin"], { stdin: Buffer.from(out), stderr: "pipe" });
      expect({ code: check.exitCode, err: check.stderr.toString() }).toEqual({ code: 0, err: "" });
    });

    test(`${shell}: every command and option is in the script`, async () => {
      const { out } = await runSluice(["completions", shell]);
      for (const command of COMMANDS) expect(out).toContain(command);
      for (const option of ["event-type", "transport", "workers", "count"]) expect(out).toContain(option);
    });
  }
});
