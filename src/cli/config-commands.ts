/** The commands that read a configuration and start nothing, as the command line has them. Called by program.ts. */
import type { Command } from "commander";
import type { ConvertOptions } from "./convert.ts";
import { examples } from "./help-text.ts";

/** Of `serve` as well. */
export const FOREIGN = "of an nginx.conf: what locations answer that have nothing to do with push";

export function addConfigCommands(program: Command, done: (exitCode: number) => void): void {
  const check = program
    .command("check")
    .description("check a configuration file and list all its faults")
    .argument("<file>", "the file")
    .option("--connect", "with [cluster]: reach the engine, and say whether it will do")
    .option("--foreign <status>", FOREIGN)
    .action(async (file: string, options: { connect?: boolean; foreign?: string }) => {
      const engine = options.connect ? await (await import("./check-engine.ts")).checkEngine(file) : 0;
      done((await import("./check.ts")).checkCommand(file, options) || engine);
    });
  examples(check, [
    ["sluice check sluice.toml", "exit code 0 when it is good, 2 when not"],
    ["sluice check sluice.toml --connect", "the engine of [cluster], too"],
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
