/**
 * The commands that make a service of systemd out of the executable, as the command line has them. Called by
 * program.ts.
 */
import type { Command } from "commander";
import { examples } from "./help-text.ts";
import type { InstallOptions } from "./install.ts";
import type { UninstallOptions } from "./uninstall.ts";

export function addServiceCommands(program: Command, done: (exitCode: number) => void): void {
  addInstall(program, done);
  addUninstall(program, done);
}

function addInstall(program: Command, done: (exitCode: number) => void): void {
  const install = program
    .command("install")
    .description("install this executable as a systemd service, or upgrade the one that is there")
    .option("-n, --dry-run", "show every file and command, change nothing")
    .option("--contents", "with --dry-run: show what is in the files, too")
    .option(
      "-c, --config <file>",
      "configuration to begin with; one that is there already is never overwritten",
    )
    .option("--sysctl", "raise the kernel's limits for very many connections as well")
    .option("--no-start", "enable the service, but do not start it")
    .option(
      "--prefix <folder>",
      "lay the files down below this folder and start nothing: for images and packages",
    )
    .action(async (options: InstallOptions) => done((await import("./install.ts")).installCommand(options)));
  examples(install, [
    ["sluice install --dry-run", "what it would do"],
    ["sudo dist/sluice install", "installs, starts, waits until it serves, prints the address"],
    ["sudo ./sluice-2.0 install", "an upgrade in place; messages and positions stay"],
  ]);
}

function addUninstall(program: Command, done: (exitCode: number) => void): void {
  const uninstall = program
    .command("uninstall")
    .description("stop the service and remove what `sluice install` has laid down")
    .option("-n, --dry-run", "show every file and command, change nothing")
    .option("--purge", "remove configuration, stored messages, logs and the user, too")
    .option("--prefix <folder>", "remove from below this folder")
    .action(async (options: UninstallOptions) =>
      done((await import("./uninstall.ts")).uninstallCommand(options)),
    );
  examples(uninstall, [
    ["sudo sluice uninstall", "keeps a configuration you edited and stored messages"],
    ["sudo sluice uninstall --purge", "keeps nothing"],
  ]);
}
