/** The store files that this user's servers have or have left: those of the service whose folder is named, else of all. For `sluice stats`. */
import { tmpdir } from "node:os";
import { type StoreFile, storeFilesIn } from "../store/files-in.ts";
import { privateFolderOf, SHARED_MEMORY } from "./paths.ts";

export type { StoreFile };

export function storeFiles(environment: Readonly<Record<string, string | undefined>>): readonly StoreFile[] {
  const runtime = environment["RUNTIME_DIRECTORY"]?.split(":").filter((path) => path.startsWith("/")) ?? [];
  const uid = process.getuid?.() ?? 0;
  const homes = [SHARED_MEMORY, tmpdir()].map((parent) => privateFolderOf(parent, uid));
  return (runtime.length > 0 ? runtime : homes).flatMap(storeFilesIn);
}
