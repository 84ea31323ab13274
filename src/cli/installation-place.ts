/**
 * What is already there: the file system under a prefix, and systemd. The plans of install and uninstall ask
 * it and change nothing.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CommandFailure, ExitCode } from "./failure.ts";
import { DPKG_LIST, UNIT, UNIT_FOLDER } from "./installed-files.ts";

export class Place {
  /** "" for the machine itself. */
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix.replace(/\/+$/, "");
  }

  /**
   * The machine that runs, whose systemd can be told something; else a tree that is an image, a package or a
   * test.
   */
  get isMachine(): boolean {
    return this.prefix === "";
  }

  path(absolute: string): string {
    return this.isMachine ? absolute : join(this.prefix, absolute);
  }

  exists(absolute: string): boolean {
    return lstatSync(this.path(absolute), { throwIfNoEntry: false }) !== undefined;
  }

  /** null when there is no such file. */
  text(absolute: string): string | null {
    return existsSync(this.path(absolute)) ? readFileSync(this.path(absolute), "utf8") : null;
  }

  /** Whether a file with exactly this content and mode is there. */
  holds(absolute: string, mode: number, source: { text: string } | { from: string }): boolean {
    const path = this.path(absolute);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found?.isFile() || (found.mode & 0o7777) !== mode) return false;
    if ("text" in source) return readFileSync(path, "utf8") === source.text;
    const own = statSync(source.from);
    if (own.dev === found.dev && own.ino === found.ino) return true;
    return own.size === found.size && readFileSync(path).equals(readFileSync(source.from));
  }

  /** Names in a folder that match, as absolute paths; none when there is no such folder. */
  matching(folder: string, name: RegExp): string[] {
    if (!existsSync(this.path(folder))) return [];
    return readdirSync(this.path(folder))
      .filter((each) => name.test(each))
      .sort()
      .map((each) => `${folder}/${each}`);
  }

  /** Links that start units at boot: `<target>.wants/<unit>`. */
  enabledLinks(unit: RegExp): string[] {
    return this.matching(UNIT_FOLDER, /\.(?:wants|requires)$/).flatMap((folder) =>
      this.matching(folder, unit),
    );
  }

  isActive(): boolean {
    return this.isMachine && Bun.spawnSync(["systemctl", "is-active", "--quiet", UNIT]).success;
  }

  /** Throws CommandFailure when this cannot be the place, with what to do instead. */
  check(command: string): void {
    if (this.exists(DPKG_LIST)) {
      throw failure("sluice is installed as a Debian package here: use apt or dpkg, which would undo this.");
    }
    if (!this.isMachine) return;
    if (process.getuid?.() !== 0)
      throw failure(
        `${command} needs root. (--dry-run shows what it would do; --prefix DIR works on a tree.)`,
      );
    if (!existsSync("/run/systemd/system")) {
      throw failure(
        "systemd does not run this machine (there is no /run/systemd/system). --prefix DIR lays the " +
          "files down without it; " +
          "`sluice serve` needs none of them.",
      );
    }
    for (const tool of ["systemctl", "systemd-sysusers", "systemd-tmpfiles"]) {
      if (Bun.which(tool) === null)
        throw failure(`${tool} is not to be found: this systemd is not complete.`);
    }
  }
}

const failure = (sentence: string): CommandFailure => new CommandFailure(ExitCode.FAILURE, sentence);
