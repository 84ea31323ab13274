/**
 * `sluice serve`: reads the configuration and runs main until it is told to stop. Called by the command line
 * program.
 *
 * On a terminal the start is a short block for a person; elsewhere it is one log line, like everything after
 * it.
 */
import { mkdirSync } from "node:fs";
import { askEngine } from "../cluster/start.ts";
import { type Fault, formatFault } from "../config/fault.ts";
import type { Config } from "../config/model.ts";
import { FileWatch } from "../handlers/watch.ts";
import { configureLog, isJournal, log } from "../log.ts";
import { restartClean } from "../supervisor/service/clean-environment.ts";
import { ServiceManager } from "../supervisor/service/service-manager.ts";
import { pointlessSync } from "../supervisor/store/store-settings.ts";
import type { ConfigOutcome, Serving } from "../supervisor/supervision.ts";
import { supervise } from "../supervisor/supervisor.ts";
import { loadCheckedConfig } from "./checked-config.ts";
import { ExitCode } from "./failure.ts";
import { browsable } from "./listen-url.ts";
import { writeNote } from "./output.ts";
import { binarySize, plural, type Style, stderrStyle } from "./style.ts";
import { buildInfo } from "./version.ts";

/** The options as the argument parser hands them over: unchecked text. */
export interface ServeOptions {
  readonly config?: string;
  readonly listen?: string[];
  readonly workers?: string;
  readonly listener?: string;
  readonly foreign?: string;
  readonly watch?: boolean;
  readonly fresh?: boolean;
}

/**
 * Serves until a signal ends it: 0 after an orderly stop, 1 when it cannot go on, 2 when the configuration is
 * refused.
 */
export async function serveCommand(options: ServeOptions): Promise<number> {
  restartClean();
  const loaded = readConfig(options);
  if (!loaded.ok) {
    for (const fault of loaded.faults) tellFault(fault);
    for (const line of loaded.ways) writeNote(`${line}\n`);
    (await ServiceManager.of(process.env)).failed(loaded.faults);
    return ExitCode.USAGE;
  }
  configureLog(loaded.config.logLevel, "main", loaded.config.logStyle);
  tellStarter(loaded);
  makeFolders(loaded.folders);
  const unfit = await engineFault(loaded.config);
  if (unfit !== null) {
    tellFault(unfit);
    (await ServiceManager.of(process.env)).failed([unfit]);
    return ExitCode.USAGE;
  }
  const watch = options.watch === true ? startWatch(options, loaded) : null;
  const end = await supervise({
    config: loaded.config,
    isFresh: options.fresh === true,
    reload: () => {
      const reloaded = readConfig(options);
      // A file with a fault in it is still one to be watched.
      watch?.use([...watchedFiles(options, reloaded), ...watchedFiles(options, loaded)]);
      if (reloaded.ok) logNotes(reloaded);
      return reloaded;
    },
    onServing: (serving) => {
      logNotes(loaded);
      announce(serving, options.config ?? null);
    },
  });
  watch?.close();
  for (const fault of end.faults) tellFault(fault);
  return end.code === 0 ? ExitCode.OK : ExitCode.FAILURE;
}

/** What no waiting would help; an engine that is away is waited for (supervisor.ts). */
async function engineFault({ cluster }: Config): Promise<string | null> {
  if (!cluster) return null;
  const outcome = await askEngine(cluster, null);
  return outcome.kind === "unfit" ? outcome.sentence : null;
}

const tellFault = (fault: string): void => {
  if (isJournal()) log("error", fault);
  else writeNote(`sluice: ${fault}\n`);
};

type ReadOutcome = { readonly handlerFiles: readonly string[] } & (
  | (Extract<ConfigOutcome, { ok: true }> & {
      readonly notes: readonly string[];
      readonly warnings: readonly Fault[];
      readonly folders: readonly string[];
    })
  | (Extract<ConfigOutcome, { ok: false }> & { readonly ways: readonly string[] })
);

/** What a change of these files means is what HUP means. */
function startWatch(options: ServeOptions, loaded: ReadOutcome): FileWatch {
  const watch = new FileWatch(() => {
    log("info", "a file has changed: reloading");
    process.kill(process.pid, "SIGHUP");
  });
  watch.use(watchedFiles(options, loaded));
  return watch;
}

const watchedFiles = ({ config }: ServeOptions, { handlerFiles }: ReadOutcome): readonly string[] =>
  config === undefined ? handlerFiles : [config, ...handlerFiles];

/** What nginx would say to whoever starts it: where the log goes to a file, they would not see it. */
function tellStarter({ config, notes }: Extract<ReadOutcome, { ok: true }>): void {
  if (config.errorLog === null) return;
  for (const note of notes) writeNote(`sluice: ${note}\n`);
}

function makeFolders(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      log("warn", "a folder of the configuration could not be made; nothing of ours needs it", {
        folder,
        error: String(error),
      });
    }
  }
}

function logNotes({ notes, warnings, config }: Extract<ReadOutcome, { ok: true }>): void {
  for (const note of notes) log("info", note);
  const pointless = pointlessSync(config, process.env);
  if (pointless !== null) log("warn", pointless);
  for (const warning of warnings) log("warn", formatFault(warning));
}

/** At the start and again on HUP: what the command line overrides stays overridden. */
function readConfig({ config, listen, workers, listener, foreign }: ServeOptions): ReadOutcome {
  const outcome = loadCheckedConfig({ file: config, overrides: { listen, workers, listener }, foreign });
  return outcome.ok ? outcome : { ...outcome, faults: outcome.faults.map(formatFault) };
}

function announce(serving: Serving, configFile: string | null): void {
  const source = configFile ?? "embedded default";
  if (process.stderr.isTTY) writeNote(startBlock(serving, source, stderrStyle()));
  else {
    log("info", "serving", {
      listen: serving.listen.join(" "),
      workers: serving.workers,
      store: serving.storePath,
      store_bytes: serving.storeBytes,
      channel_records: serving.channelRecords,
      store_state: serving.report.kind,
      messages: serving.report.messages,
      open_files: serving.descriptors,
      config: source,
    });
  }
  warnOfLoss(serving);
}

/** The block a person sees after typing `sluice serve`. */
export function startBlock(serving: Serving, source: string, style: Style): string {
  const rows: readonly (readonly [string, string])[] = [
    ["listening", serving.listen.map((text) => style.cyan(browsable(text))).join("  ")],
    ["workers", `${serving.workers} (at most ${serving.descriptors} open files each)`],
    [
      "store",
      `${serving.storePath}, ${binarySize(serving.storeBytes)}, room for ` +
        `${plural(serving.channelRecords, "channel")}, ${storeState(serving)}`,
    ],
    ["config", source],
  ];
  const lines = rows.map(([name, value]) => `  ${style.dim(name.padEnd(11))}${value}`);
  const end = style.dim("Ctrl-C stops it. Try: sluice pub news 'hello'");
  return (
    `\n${style.bold(`sluice ${buildInfo().version}`)} is ` +
    `${style.green("serving")}\n\n${lines.join("\n")}\n\n  ${end}\n\n`
  );
}

function storeState({ report }: Serving): string {
  return report.kind === "created" ? "new" : `${report.kind} with ${plural(report.messages, "message")}`;
}

/** What an unclean stop or a foreign file cost is never only in the friendly block (promise P8). */
function warnOfLoss({ report }: Serving): void {
  for (const name of report.removed) log("info", "a store that was set aside earlier is removed", { name });
  if (report.kind === "created" || (report.kind === "reopened" && report.isSameLife)) return;
  log("warn", `store ${report.kind}: ${report.reason}`, {
    messages: report.messages,
    dropped: report.dropped,
    positions: report.isSameLife ? "kept" : "new",
    set_aside: report.setAside,
  });
}
