/**
 * What lies under a name: nginx's `-f`, `-d`, `-e` and `-x`. Called by steps (rewrite.ts) and by try_files
 * (front/try-files.ts) for each request; of a local file that is one system call of some microseconds, which
 * a round through the runtime's threads would multiply.
 */
import { type Stats, statSync } from "node:fs";

export type FileTest = "f" | "d" | "e" | "x";

const OWNER_MAY_RUN = 0o100;

/**
 * `path` is a binary string, made of what clients send. Links are followed; what cannot be looked at is not
 * there.
 */
export function isThere(test: FileTest, path: string): boolean {
  const stat = statOf(path);
  if (stat === null) return false;
  switch (test) {
    case "f":
      return stat.isFile();
    case "d":
      return stat.isDirectory();
    case "e":
      return true;
    case "x":
      return (stat.mode & OWNER_MAY_RUN) !== 0;
  }
}

function statOf(path: string): Stats | null {
  if (path === "" || path.includes("\0")) return null;
  try {
    return statSync(Buffer.from(path, "latin1"), { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    // ENOTDIR, EACCES, ENAMETOOLONG …: all that matters is that nobody can say it is there.
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}
