/**
 * The commands that read a configuration and start nothing, as the command line has them. Called by
 * program.ts.
 */

import type { Command } from "commander";
import type { ConvertOptions } from "./convert.ts";
import { usageFault } from "./failure.ts";
import { examples } from "./help-text.ts";
import { wholeNumber } from "./option-types.ts";
import type { SizingOptions } from "./sizing.ts";

/** Of `serve` as well. */
export const FOREIGN = "of an nginx.conf: what locations answer that have nothing to do with push";

interface CheckOptions extends Omit<SizingOptions, "workers"> {
  readonly sizing?: boolean;
  readonly connect?: boolean;
  readonly foreign?: string;
}

export function addConfigCommands(program: Command, done: (exitCode: number) => void): void {
  const check = program
    .command("check")
    .description("check a configuration file and list all its faults")
    .argument("[file]", "the file; nothing with --sizing")
    .option("--sizing", "say how large a store the numbers below want, and what subscribers take")
    .option("--channels <n>", "with --sizing: channels that live at a time", wholeNumber(1), 500)
    .option("--messages <n>", "with --sizing: stored messages of each", wholeNumber(1), 100)
    .option("--bytes <size>", "with --sizing: of a message", "500")
    .option("--subscribers <n>", "with --sizing: at a time", wholeNumber(0), 1000)
    .option("--connect", "with [cluster]: reach the engine, and say whether it will do")
    .option("--foreign <status>", FOREIGN)
    .action(async (file: string | undefined, options: CheckOptions) => {
      if (options.sizing) {
        const { sizingCommand } = await import("./sizing.ts");
        return done(sizingCommand({ ...options, workers: 0 }));
      }
      if (file === undefined) throw usageFault("which file? Or --sizing.");
      const engine = options.connect ? await (await import("./check-engine.ts")).checkEngine(file) : 0;
      done((await import("./check.ts")).checkCommand(file, options) || engine);
    });
  examples(check, [
    ["sluice check sluice.toml", "exit code 0 when it is good, 2 when not"],
    ["sluice check sluice.toml --connect", "the engine of [cluster], too"],
    ["sluice check --sizing --channels 500 --messages 100 --bytes 2k --subscribers 10000", ""],
  ]);
  const convert = program
    .command("convert")
    .description("print an nginx.conf with push stream directives as a configuration in TOML")
    .argument("<file>", "the nginx.conf")
    .option("--foreign <status>", FOREIGN)
    .option("--keep-nginx", "leave the site with nginx and move only push: writes both parts to --out")
    .option("--out <folder>", "a new folder, for --keep-nginx")
    .option("--address <address>", "where sluice listens then, and from there on", "127.0.0.1:9090")
    .action(async (file: string, options: ConvertOptions) =>
      done((await import("./convert.ts")).convertCommand(file, options)),
    );
  examples(convert, [
    ["sluice convert /etc/nginx/nginx.conf > sluice.toml", "exit code 2 lists what has no counterpart"],
    ["sluice convert --keep-nginx /etc/nginx/nginx.conf --out moved", "nginx in front, sluice behind it"],
  ]);
  const defaults = program
    .command("defaults")
    .description("print the embedded configuration, with every option explained")
    .action(async () => done(await (await import("./defaults.ts")).defaultsCommand()));
  examples(defaults, [["sluice defaults > sluice.toml", "a configuration to start from"]]);
}
