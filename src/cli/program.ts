/**
 * The command line: commands, options, help and exit codes, on commander. Called by main.ts with the
 * arguments.
 *
 * Each command's code is imported when the command runs, so that `sluice version` does not load a web server.
 */
import { Argument, Command, CommanderError, Option } from "commander";
import { addAccessCommands } from "./access-commands.ts";
import { TRANSPORTS } from "./client/follow.ts";
import { SHELLS, type Shell } from "./completions.ts";
import { addConfigCommands, FOREIGN } from "./config-commands.ts";
import { CommandFailure, ExitCode } from "./failure.ts";
import { examples } from "./help-text.ts";
import { tellInternal } from "./last-words.ts";
import { addTop, addVerify } from "./operator-commands.ts";
import {
  answerTimeoutOption,
  collect,
  seconds,
  tokenFileOption,
  urlOption,
  wholeNumber,
} from "./option-types.ts";
import { OutputClosed, writeNote, writeOut } from "./output.ts";
import { addPresence } from "./presence-command.ts";
import type { PubOptions } from "./pub.ts";
import type { ReloadOptions } from "./reload.ts";
import type { ServeOptions } from "./serve.ts";
import { addServiceCommands } from "./service-commands.ts";
import type { StatsOptions } from "./stats.ts";
import { printable, stderrStyle, stdoutStyle } from "./style.ts";
import type { SubOptions } from "./sub.ts";
import { versionText } from "./version.ts";
import { addWebhookCommands } from "./webhook-commands.ts";

const RELOAD_TIMEOUT_SEC = 60;

/** Runs one command line (without node and script) and resolves to the exit code; never rejects. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.OK;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** Tells what went wrong, in one sentence on stderr, and what to exit with. */
function exitCodeOf(error: unknown): number {
  // commander has already printed what it has to say; help and version "fail" with 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  if (error instanceof OutputClosed) return ExitCode.OK;
  if (error instanceof CommandFailure) {
    writeFault(error.message);
    return error.exitCode;
  }
  tellInternal(error);
  return ExitCode.FAILURE;
}

const writeFault = (sentence: string): void => writeNote(`${stderrStyle().red("sluice:")} ${sentence}\n`);

/** The whole command tree. `done` receives the exit code of the command that ran. */
export function buildProgram(done: (exitCode: number) => void): Command {
  const program = new Command("sluice")
    .description(
      "Real-time push in one file: publish over HTTP, receive by WebSocket, SSE, stream or long poll.",
    )
    .version(versionText(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .exitOverride()
    .configureHelp({ styleTitle: (title) => stdoutStyle().bold(title) })
    .configureOutput({
      writeOut,
      writeErr: writeNote,
      outputError: (text) => writeFault(`${asSentence(text)} See "sluice --help".`),
      getOutHasColors: () => stdoutStyle().enabled,
      getErrHasColors: () => stderrStyle().enabled,
    });
  addServerCommands(program, done);
  addConfigCommands(program, done);
  addPub(program, done);
  addSub(program, done);
  addStats(program, done);
  addPresence(program, done);
  addTop(program, done);
  addCluster(program, done);
  addAccessCommands(program, done);
  addWebhookCommands(program, done);
  addServiceCommands(program, done);
  addVerify(program, done);
  addAbout(program, done);
  examples(program, [
    ["sluice serve", "a server on 127.0.0.1:8080"],
    ["sluice sub news", "in another terminal: wait for messages"],
    ["sluice pub news 'hello'", "in a third: publish one"],
  ]);
  return program;
}

function addServerCommands(program: Command, done: (exitCode: number) => void): void {
  const serve = program
    .command("serve")
    .description("run the server")
    .option("-c, --config <file>", "configuration in TOML (default: the embedded one, see `sluice defaults`)")
    .option(
      "-l, --listen <address>",
      "host:port, [::1]:port or unix:/path; instead of the configured ones; repeatable",
      collect,
    )
    .option(
      "-w, --workers <n>",
      'worker processes, or "auto" for one a core; instead of the configured number',
    )
    .option(
      "--listener <kind>",
      "native or wire: who answers on the addresses; instead of the configured one",
    )
    .option("--foreign <status>", FOREIGN)
    .option("--fresh", "begin with an empty store: messages that an earlier run left are dropped")
    .option("--watch", "reload when the configuration or a handler file changes, while you work on them")
    .action(async (options: ServeOptions) => done(await (await import("./serve.ts")).serveCommand(options)));
  examples(serve, [
    ["sluice serve", "listen on 127.0.0.1:8080 with the embedded defaults"],
    ["sluice serve --config sluice.toml", "HUP re-reads the file, TERM stops after open streams were ended"],
    ["sluice serve --listen 0.0.0.0:8080 --listen unix:/run/sluice.sock --workers 2", ""],
  ]);
  const reload = program
    .command("reload")
    .description("make a running server read its configuration again, and wait until that is through")
    .option("--pid <n>", "process id of the server's main process", wholeNumber(1))
    .option("--pid-file <file>", "file that holds it")
    .addOption(
      new Option("--timeout <s>", "give up waiting after this many seconds (exit code 3)")
        .argParser(seconds)
        .default(RELOAD_TIMEOUT_SEC),
    )
    .action(async (options: ReloadOptions) =>
      done(await (await import("./reload.ts")).reloadCommand(options)),
    );
  examples(reload, [
    ["sluice reload", "the one server of this user; exit code 1 lists why it was refused"],
    ["sluice reload --pid-file /run/sluice.pid", ""],
    ["ExecReload=/usr/bin/sluice reload --pid $MAINPID", "in a unit of systemd"],
  ]);
}

function addCluster(program: Command, done: (exitCode: number) => void): void {
  const cluster = program.command("cluster").description("about the nodes of a cluster");
  const status = cluster
    .command("status")
    .description("list the nodes, as the engine knows them")
    .requiredOption("-c, --config <file>", "a configuration with [cluster]")
    .option("--json", "print one JSON object")
    .action(async (options: { config: string; json?: boolean }) =>
      done(await (await import("./cluster-status.ts")).clusterStatusCommand(options)),
    );
  examples(status, [["sluice cluster status --config node-a.toml", "exit code 1 when the engine is away"]]);
}

function addPub(program: Command, done: (exitCode: number) => void): void {
  const pub = program
    .command("pub")
    .description("publish a message, or many")
    .argument("[channel]", "channel; several as a/b")
    .argument("[text]", "the message; - or nothing: all of standard input")
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .option("--event-id <id>", "Event-Id of the message: a name by which subscribers can resume")
    .option("--event-type <type>", "Event-Type of the message: the `event` of an SSE client")
    .option("--lines", "standard input has one message a line; empty lines are left out")
    .option("--batch <file>", "messages as lines of JSON, each with its channel; - is standard input")
    .addOption(answerTimeoutOption())
    .option("--json", "print the server's answer, one JSON object a line")
    .action(async (channel: string | undefined, text: string | undefined, options: PubOptions) =>
      done(await (await import("./pub.ts")).pubCommand(channel, text, options)),
    );
  examples(pub, [
    ["sluice pub news 'hello'", ""],
    ["sluice pub news/sport 'goal' --event-type score", "two channels"],
    ["sluice pub pictures < cat.jpg", "any bytes: all of standard input is one message"],
    ["tail -f app.log | sluice pub log --lines", "every line is a message"],
    ["sluice pub --batch messages.ndjson", 'lines such as {"channel":"news","data":"hello"}'],
    ["sluice pub news -- --dashes", "a text that begins with a dash"],
  ]);
}

function addSub(program: Command, done: (exitCode: number) => void): void {
  const sub = program
    .command("sub")
    .description("print messages as they come; reconnects and goes on where it stopped")
    .argument("<channel...>", "channels; news.b5 begins with the last 5 stored messages of news")
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(new Option("-t, --transport <name>", "how to receive").choices(TRANSPORTS).default("ws"))
    .option("-n, --last <n>", "begin with the last n stored messages of each channel", wholeNumber(0), 0)
    .option("--count <n>", "exit after n messages", wholeNumber(1))
    .option("--timeout <s>", "give up after this many seconds (exit code 3)", seconds)
    .option("--json", "print one JSON object a line; gaps and deletions too")
    .action(async (channels: string[], options: SubOptions) =>
      done(await (await import("./sub.ts")).subCommand(channels, options)),
    );
  examples(sub, [
    ["sluice sub news", "until Ctrl-C"],
    ["sluice sub news sport --last 10 --json | jq .data", ""],
    ["sluice sub news --transport sse", "as a browser's EventSource receives it"],
    ["sluice sub done --count 1 --timeout 60", "wait for one message, a minute at most"],
  ]);
  sub.addHelpText(
    "after",
    `
Transports:
  ws         exact: bytes, channel, position of each message; resumes
  sse        text lines (an empty line inside a message is not carried); resumes
  stream     one line a message; cannot resume, says so when the connection was lost
  long-poll  as sse, one request a message; resumes

Messages go to standard output, everything about the connection to standard error. On a terminal control
characters are shown as \\x1b; elsewhere every byte is printed as it was published, with a line feed behind
each message.`,
  );
}

function addStats(program: Command, done: (exitCode: number) => void): void {
  const stats = program
    .command("stats")
    .description("show what the server counts")
    .argument(
      "[channel]",
      "one channel, several as a/b, a prefix as new*, or ALL; nothing: the server's summary",
    )
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(answerTimeoutOption())
    .option("--json", "print the server's JSON on one line")
    .action(async (channel: string | undefined, options: StatsOptions) =>
      done(await (await import("./stats.ts")).statsCommand(channel, options)),
    );
  examples(stats, [
    ["sluice stats", "summary and workers"],
    ["sluice stats ALL", "a table of all channels"],
    ["sluice stats news --json | jq .subscribers", ""],
  ]);
}

function addAbout(program: Command, done: (exitCode: number) => void): void {
  const types = program
    .command("types")
    .description("print the types of handlers, for your editor")
    .action(async () => done((await import("./types.ts")).typesCommand()));
  examples(types, [
    ["sluice types > sluice.d.ts", "beside the handlers; nothing of it is needed to run them"],
  ]);
  const version = program
    .command("version")
    .description("print version, commit and runtime")
    .option("--json", "as JSON")
    .action(async (options: { json?: boolean }) =>
      done((await import("./version.ts")).versionCommand(options)),
    );
  examples(version, [["sluice version --json", ""]]);
  const completions = program
    .command("completions")
    .description("print the completion script of a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action(async (shell: Shell) =>
      done((await import("./completions.ts")).completionsCommand(program, shell)),
    );
  examples(completions, [
    ["sluice completions bash > /etc/bash_completion.d/sluice", ""],
    ['sluice completions zsh > "$' + '{fpath[1]}/_sluice"', ""],
    ["sluice completions fish > ~/.config/fish/completions/sluice.fish", ""],
  ]);
}

/** commander's "error: unknown command 'pbu'\n(Did you mean pub?)" as text that ends like a sentence. */
export function asSentence(text: string): string {
  const plain = text.trim().replace(/^error: /, "");
  const [fault = "", suggestion] = plain.split(/\n\((Did you mean .*\?)\)$/);
  const ended = /[.?!]$/.test(fault) ? fault : `${fault}.`;
  return suggestion === undefined ? printable(ended) : `${printable(ended)} ${printable(suggestion)}`;
}
