/**
 * `sluice verify`: holds a server against its promises, and prints what was tried and what came of it. Called
 * by program.ts.
 */

import { accessSync, constants, statSync } from "node:fs";
import { isatty } from "node:tty";
import { ownProgram } from "../supervisor/worker/own-program.ts";
import { faultsOf } from "../verify/faults.ts";
import { clearUp, StartFault } from "../verify/leftovers.ts";
import { missingEngine } from "../verify/own-engine.ts";
import { holds, reportText, wasTried } from "../verify/report-text.ts";
import { verify } from "../verify/run.ts";
import { parseBaseUrl } from "./client/endpoint.ts";
import { CommandFailure, ExitCode, usageFault } from "./failure.ts";
import { writeNote, writeOut } from "./output.ts";

export interface VerifyOptions {
  readonly url?: string;
  readonly header?: readonly string[];
  readonly minutes: number;
  readonly seed?: number;
  readonly rate: number;
  readonly fault?: readonly string[];
  readonly other?: string;
  readonly workers: number;
  readonly listener: "native" | "wire";
  readonly cluster?: boolean;
  readonly json?: boolean;
}

export async function verifyCommand(options: VerifyOptions): Promise<number> {
  const { fault: faults = [] } = options;
  const isCluster = options.cluster === true;
  const known = faultsOf(isCluster).map(({ name }) => name);
  const unknown = faults.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw usageFault(
      `there is no fault "${unknown}" ${isCluster ? "with" : "without"} --cluster: ${known.join(", ")}.`,
    );
  if (options.url !== undefined && faults.length > 0)
    throw usageFault("faults are for a server of our own: leave out --url.");
  const lacking = isCluster && options.url === undefined ? missingEngine() : null;
  if (lacking !== null)
    throw usageFault(
      `${lacking} here: --cluster starts one of its own (Debian: apt-get install redis-server), or give ` +
        "--url.",
    );
  const url = options.url === undefined ? null : parseBaseUrl(options.url);
  const fields = fieldsOf(options.header ?? []);
  if (options.other !== undefined && !isProgram(options.other))
    throw usageFault(`--other wants another binary: ${options.other} is none that can be run.`);
  if (url !== null) await expectAnswer(url);
  const program = ownProgram();
  const showsProgress = isatty(2);
  const running = verify({
    url,
    fields,
    seconds: options.minutes * 60,
    seed: options.seed ?? Math.floor(Math.random() * 2 ** 31),
    rate: options.rate,
    faults,
    program,
    other: options.other === undefined ? program : [options.other],
    workers: options.workers,
    listener: options.listener,
    isCluster,
    progress: (line) => {
      if (showsProgress) writeNote(`\r\x1b[K${line}`);
    },
  });
  const report = await Promise.race([running, interrupted()]).catch((error: unknown) => {
    // A machine without room, an engine that does not start: nothing of it is a fault of this program.
    if (error instanceof StartFault) throw new CommandFailure(ExitCode.FAILURE, error.message);
    throw error;
  });
  if (showsProgress) writeNote("\r\x1b[K");
  if (typeof report === "number") return report;
  writeOut(options.json === true ? `${JSON.stringify(report, withMaps)}\n` : reportText(report));
  if (!wasTried(report))
    throw new CommandFailure(ExitCode.FAILURE, "nothing was tried: no message was accepted and delivered.");
  return holds(report) ? ExitCode.OK : ExitCode.FAILURE;
}

/** A wrong address is not found out by a minute of load. */
async function expectAnswer(url: string): Promise<void> {
  try {
    await fetch(url, { signal: AbortSignal.timeout(5000), tls: { rejectUnauthorized: false } });
  } catch {
    throw new CommandFailure(ExitCode.FAILURE, `nobody answers at ${url}.`);
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** A shell's code for the signal, when what was started is ended and its files are gone. */
async function interrupted(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  process.on("SIGINT", () => resolve(128 + 2)).on("SIGTERM", () => resolve(128 + 15));
  const code = await promise;
  await clearUp();
  return code;
}

/** "Authorization: Bearer x" as a field; a line end in it would be another field. */
function fieldsOf(headers: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    headers.map((header) => {
      const colon = header.indexOf(":");
      if (colon < 1 || /[\r\n]/.test(header)) throw usageFault(`"${header}" is no field: NAME: VALUE.`);
      return [header.slice(0, colon), header.slice(colon + 1).trim()];
    }),
  );
}

const withMaps = (_key: string, value: unknown): unknown =>
  value instanceof Map ? Object.fromEntries(value) : value;
