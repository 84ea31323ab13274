/**
 * The store files that this user's servers have or have left: those of the service whose folder is named,
 * else of all. For `sluice stats`.
 */
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StoreFile, storeFilesIn } from "../../store/memory/files-in.ts";
import { privateFolderOf, SHARED_MEMORY } from "./paths.ts";

export type { StoreFile };

export function storeFiles(environment: Readonly<Record<string, string | undefined>>): readonly StoreFile[] {
  const runtime = environment["RUNTIME_DIRECTORY"]?.split(":").filter((path) => path.startsWith("/")) ?? [];
  const uid = process.getuid?.() ?? 0;
  const homes = [SHARED_MEMORY, tmpdir()].flatMap((parent) => foldersIn(parent, uid));
  return (runtime.length > 0 ? runtime : homes).flatMap(storeFilesIn);
}

/** Root's workers may have become somebody else, whose the folder then is. */
function foldersIn(parent: string, uid: number): readonly string[] {
  if (uid !== 0) return [privateFolderOf(parent, uid)];
  try {
    const names = readdirSync(parent).filter((name) => /^sluice-\d+$/.test(name));
    return names.map((name) => join(parent, name));
  } catch {
    return []; // there is none
  }
}
