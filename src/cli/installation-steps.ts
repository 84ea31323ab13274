/**
 * What an installation or its removal consists of, as data: files and commands in order. install-plan.ts and
 * uninstall-plan.ts decide, this file prints (`--dry-run`) and carries out, so that what is shown is what is
 * done.
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { CommandFailure, ExitCode } from "./failure.ts";

export type Step =
  /** `text` or a copy of the file `from`; `isChange` is false when it is there already, byte for byte. */
  | {
      readonly kind: "write";
      readonly path: string;
      readonly mode: number;
      readonly bytes: number;
      readonly source: { readonly text: string } | { readonly from: string };
      readonly isChange: boolean;
    }
  /** Something that is left alone, and why. */
  | { readonly kind: "keep"; readonly path: string; readonly why: string }
  | { readonly kind: "remove"; readonly path: string }
  /** A folder, when nothing is left in it. */
  | { readonly kind: "remove-empty"; readonly path: string }
  /** `mayFail`: its failure is no reason to stop. `onFailure`: a command whose output tells why it failed. */
  | {
      readonly kind: "run";
      readonly command: readonly string[];
      readonly mayFail?: true;
      readonly onFailure?: readonly string[];
    };

/** One line a step; with `contents` the text of each file below it. */
export function describeSteps(steps: readonly Step[], contents: boolean): string {
  return steps.map((step) => `${describeStep(step)}\n${contents ? contentOf(step) : ""}`).join("");
}

function describeStep(step: Step): string {
  switch (step.kind) {
    case "write": {
      const mode = step.mode.toString(8).padStart(4, "0");
      return `${step.isChange ? "write " : "same  "}  ${step.path}  (mode ${mode}, ${step.bytes} bytes)`;
    }
    case "keep":
      return `keep    ${step.path}  (${step.why})`;
    case "remove":
      return `remove  ${step.path}`;
    case "remove-empty":
      return `remove  ${step.path}  (if it is empty)`;
    case "run":
      return `run     ${step.command.map(shellWord).join(" ")}`;
  }
}

function contentOf(step: Step): string {
  if (step.kind !== "write" || !("text" in step.source)) return "";
  return step.source.text.replace(/^(?=.)/gm, "        | ").replace(/^$(?=\n)/gm, "        |");
}

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/**
 * Does them in order. `onStep` hears of each that changes something, before it is done. Throws CommandFailure
 * at the first that fails.
 */
export function carryOut(steps: readonly Step[], onStep: (line: string) => void): void {
  for (const step of steps) {
    if (step.kind !== "write" || step.isChange) onStep(describeStep(step));
    explained(() => carryOutStep(step));
  }
}

/**
 * What the file system refuses is told in its own sentence, as a CommandFailure: it is no fault of this
 * program.
 */
export function explained<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && "syscall" in error)
      throw new CommandFailure(ExitCode.FAILURE, error.message);
    throw error;
  }
}

function carryOutStep(step: Step): void {
  switch (step.kind) {
    case "write":
      if (step.isChange) writeWhole(step.path, step.mode, step.source);
      return;
    case "keep":
      return;
    case "remove":
      rmSync(step.path, { recursive: true, force: true });
      return;
    case "remove-empty":
      removeEmpty(step.path);
      return;
    case "run":
      runCommand(step);
  }
}

/**
 * The new file takes the old one's place at once and for good: a running program keeps the file it was
 * started from (writing into it would fail, or kill it), and a loss of power leaves the one or the other.
 */
function writeWhole(path: string, mode: number, source: { text: string } | { from: string }): void {
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}.unfinished`;
  try {
    if ("text" in source) writeFileSync(unfinished, source.text, { flag: "wx" });
    else copyFileSync(source.from, unfinished);
    chmodSync(unfinished, mode); // the umask has no say
    const descriptor = openSync(unfinished, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTEMPTY") throw error;
  }
}

function runCommand({ command, mayFail, onFailure }: Extract<Step, { kind: "run" }>): void {
  const run = Bun.spawnSync([...command], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  if (run.success || mayFail) return;
  const why = onFailure === undefined ? "" : Bun.spawnSync([...onFailure]).stdout.toString();
  const told = [run.stderr.toString().trim(), why.trim()].filter((text) => text !== "").join("\n");
  throw new CommandFailure(ExitCode.FAILURE, `${command.map(shellWord).join(" ")} failed:\n${told}`);
}
