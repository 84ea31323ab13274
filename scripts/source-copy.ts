/**
 * A copy of the tree in which something is changed, built and tried, and put back: what mutants.ts and
 * controls.ts do to the source never touches the one that people work in.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "..");

export type Edit = readonly [file: string, find: string, put: string];

/**
 * The tree goes on while lists of edits stand still: null, or a sentence that says which one does not fit.
 */
export function misfit([file, find, put]: Edit): string | null {
  if (!existsSync(join(ROOT, file))) return `there is no ${file}`;
  const times = readFileSync(join(ROOT, file), "utf8").split(find).length - 1;
  if (times !== 1) return `${file} has ${times} times ${JSON.stringify(find)}`;
  return find === put ? `${file}: ${JSON.stringify(find)} is put in its own place` : null;
}

/** Ends the command when one of a list does not fit: what is left out is not tried, and nobody would know. */
export function expectFits(edits: readonly Edit[]): void {
  const faults = edits.map(misfit).filter((text) => text !== null);
  if (faults.length > 0) throw new Error(faults.join("\n"));
}

const PARTS = ["src", "scripts", "systemd", "test", "docs", "bench", "README.md"];
const PACKAGE = ["package.json", "tsconfig.json", "bunfig.toml", "bun.lock"];

export class SourceCopy {
  readonly folder: string;

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
    for (const part of [...PARTS, ...PACKAGE])
      cpSync(join(ROOT, part), join(this.folder, part), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.folder, "node_modules"));
    mkdirSync(join(this.folder, "tmp"));
  }

  get binary(): string {
    return join(this.folder, "dist/sluice");
  }

  /** `what` is called with the edits made; they are taken back behind it. */
  with<T>(edits: readonly Edit[], what: () => T): T {
    try {
      for (const [file, find, put] of edits) {
        const text = readFileSync(join(this.folder, file), "utf8");
        writeFileSync(
          join(this.folder, file),
          text.replace(find, () => put),
        );
      }
      return what();
    } finally {
      for (const [file] of edits) cpSync(join(ROOT, file), join(this.folder, file));
    }
  }

  build(): Bun.SyncSubprocess<"pipe", "pipe"> {
    return this.run([process.execPath, "scripts/build.ts"]);
  }

  /** In the copy; what it leaves behind when it is over is ended. */
  run(command: readonly string[], timeout?: number): Bun.SyncSubprocess<"pipe", "pipe"> {
    const done = Bun.spawnSync([...command], {
      cwd: this.folder,
      env: { ...process.env, SLUICE_BINARY: this.binary, TMPDIR: join(this.folder, "tmp") },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      ...(timeout === undefined ? {} : { timeout }),
    });
    this.#endWhatIsLeft();
    return done;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /**
   * Tests that give up at the first failure, or are ended, leave servers behind: all that work in the copy,
   * where their temporary folders are, too.
   */
  #endWhatIsLeft(): void {
    for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
      try {
        if (readlinkSync(`/proc/${pid}/cwd`).startsWith(this.folder)) process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended by itself, or is none of ours.
      }
    }
  }
}
