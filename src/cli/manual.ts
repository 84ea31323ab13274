/**
 * The manual pages sluice(1) and sluice.toml(5), made of the command tree and of the option table, so that
 * nothing can be missing in them. `sluice install` lays them down, and so does the Debian package
 * (scripts/package.ts), which gives them the day of the commit.
 */
import type { Argument, Command, Option } from "commander";
import { renderReference } from "../config/print.ts";
import { buildProgram } from "./program.ts";
import { bold, entry, escapeRoff, heading, italic, paragraph, subheading, title, verbatim } from "./roff.ts";
import { buildInfo } from "./version.ts";

/** sluice(1). */
function commandPage(day: string): string {
  const program = buildProgram(() => undefined);
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== "help");
  return lines([
    title("sluice", 1, day, buildInfo().version),
    heading("Name"),
    "sluice \\- real\\-time push in one file",
    heading("Synopsis"),
    `${bold("sluice")} ${italic("command")} [${italic("option")} ...]`,
    heading("Description"),
    paragraph(
      "A push server and its tools. A backend publishes a message to a channel over HTTP; everyone " +
        "subscribed gets it, by WebSocket, Server-Sent Events, chunked stream, long polling or polling. " +
        "One main process watches several workers, which share one store of messages.",
    ),
    heading("Commands"),
    ...commands.flatMap((command) => [
      commandSection(command, command.name(), program),
      ...command.commands.map((inner) => commandSection(inner, `${command.name()} ${inner.name()}`, program)),
    ]),
    heading("Signals"),
    entry(
      bold("TERM, INT"),
      "Stop: subscribers are sent away at the configured rate. A second one does not wait.",
    ),
    entry(bold("QUIT"), "No new connections; those that are held stay until their timers are due."),
    entry(bold("HUP"), "Read the configuration again; see `sluice reload`, which also tells the outcome."),
    entry(bold("USR1"), "Open the log files again."),
    heading("Environment"),
    entry(
      bold("RUNTIME_DIRECTORY"),
      "Where the store is kept when `store.path` is not set. systemd sets it.",
    ),
    entry(
      bold("NOTIFY_SOCKET, WATCHDOG_USEC"),
      "How systemd is told of readiness, state and life; see `sd_notify`(3).",
    ),
    entry(
      bold("SLUICE_CONFIG"),
      "Read by the units, not by the program: the configuration file of the service.",
    ),
    heading("Files"),
    entry(bold("/etc/sluice/sluice.toml"), "Configuration of `sluice.service`."),
    entry(bold("/etc/sluice/NAME.toml"), "Configuration of the instance `sluice@NAME.service`."),
    entry(bold("/run/sluice"), "The store, and whatever else does not outlive a stop."),
    entry(bold("/var/lib/sluice"), "For a store that outlives a reboot."),
    heading("Exit status"),
    entry(bold("0"), "Done."),
    entry(bold("1"), "Failed while running: refused, unreachable."),
    entry(bold("2"), "Wrong usage, or a fault in the configuration."),
    entry(bold("3"), "A timeout came first."),
    heading("See also"),
    `${bold("sluice.toml")}(5), ${bold("systemctl")}(1)`,
  ]);
}

function commandSection(command: Command, name: string, program: Command): string {
  const usage = [bold(`sluice ${name}`), ...command.registeredArguments.map(argumentText)];
  const options = program
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help");
  if (options.length > 0) usage.push(`[${italic("option")} ...]`);
  const shown = examplesOf(command);
  return lines([
    subheading(`sluice ${name}`),
    usage.join(" "),
    paragraph(`${capital(command.description())}.`),
    ...options.map(optionEntry),
    ...(shown === "" ? [] : [verbatim(shown)]),
  ]);
}

function argumentText(argument: Argument): string {
  const name = italic(argument.variadic ? `${argument.name()}...` : argument.name());
  return argument.required ? name : `[${name}]`;
}

function optionEntry(option: Option): string {
  const choices = option.argChoices === undefined ? "" : ` One of ${option.argChoices.join(", ")}.`;
  const preset =
    option.defaultValue === undefined || option.negate ? "" : ` Default: ${String(option.defaultValue)}.`;
  return entry(bold(option.flags), `${capital(option.description)}.${choices}${preset}`);
}

/** They are part of the help text and nowhere else. */
function examplesOf(command: Command): string {
  let text = "";
  const writeOut = (part: string): void => {
    text += part;
  };
  command.configureOutput({ writeOut, getOutHasColors: () => false });
  command.outputHelp();
  const found = /\nExamples:\n([\s\S]*?)\n\nExit codes:/.exec(text)?.[1] ?? "";
  return found.replace(/^ {2}/gm, "");
}

/** A first word that is none, such as host:port, stays as it is. */
const capital = (text: string): string =>
  text.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1));

/** sluice.toml(5): docs/options.md, row by row. */
function configPage(day: string): string {
  return lines([
    title("sluice.toml", 5, day, buildInfo().version),
    heading("Name"),
    "sluice.toml \\- configuration of sluice",
    heading("Description"),
    paragraph(
      "A file in TOML that `sluice serve --config` reads. `sluice defaults` prints one with every " +
        "option, `sluice check` tells all that is wrong with one. An unknown option is a fault.",
    ),
    paragraph(
      "Sizes are `64MiB`, `512k`; times are `30s`, `1h30m`, `250ms`; a bare number is bytes or seconds.",
    ),
    heading("Options"),
    ...renderReference().split("\n").flatMap(referenceLine),
    heading("See also"),
    `${bold("sluice")}(1)`,
  ]);
}

function referenceLine(line: string): string[] {
  const section = /^\*\*(.*)\*\*$/.exec(line)?.[1];
  if (section !== undefined) return [subheading(section)];
  const [name, kind, preset, meaning] = line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
  if (name === undefined || !name.startsWith("`")) return [];
  const term = `${bold(name.replaceAll("`", ""))} (${escapeRoff((kind ?? "").replaceAll("`", ""))})`;
  const standard = preset === "required" ? "Required." : `Default: ${preset === "" ? "not set" : preset}.`;
  return [entry(term, `${meaning} ${standard}`)];
}

const lines = (parts: readonly string[]): string => `${parts.join("\n")}\n`.replace(/\n{2,}/g, "\n");

/** File name → text. `day` as 2026-01-31. */
export const manualPages = (day = ""): Readonly<Record<string, string>> => ({
  "sluice.1": commandPage(day),
  "sluice.toml.5": configPage(day),
});
