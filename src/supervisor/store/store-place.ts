/**
 * The store file of this main: where it lies, the lock on it, and whether it goes when main goes. Used by
 * main-store.ts.
 */
import { chownSync, closeSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Config } from "../../config/model.ts";
import { log } from "../../log.ts";
import type { KnownUser } from "../service/user.ts";
import { lockStore } from "./lock-file.ts";
import { chooseStorePath } from "./paths.ts";

export class StorePlace {
  path = "";
  /** For the workers to hold (lock-file.ts); -1: not locked. */
  lockDescriptor = -1;
  /** What is kept here goes when main goes. */
  isThrowAway = false;

  /** Chooses and locks the file; faults when that cannot be. */
  async claim(
    { listen, store }: Config,
    environment: NodeJS.ProcessEnv,
    user: KnownUser | null = null,
  ): Promise<readonly string[] | null> {
    const first = listen[0] ?? "";
    const isRandom = first.endsWith(":0");
    // Nobody can find the store of a random port again: it gets a name of its own and goes when we go. A path
    // that was given is never removed: it may be anything.
    this.isThrowAway = store.path === null && (isRandom || !store.keep);
    const name = isRandom && store.path === null ? `${first}-${process.pid}` : first;
    const place =
      user === null
        ? chooseStorePath(store.path, name, environment, store.size)
        : chooseStorePath(store.path, name, environment, store.size, undefined, user);
    if (!place.ok) return [place.fault];
    const fault = user === null ? null : folderFault(dirname(place.path), user, store.path !== null);
    if (fault !== null) return [fault];
    for (const fault of place.passedOver) log("warn", `the store goes to ${dirname(place.path)}: ${fault}`);
    const lock = await lockStore(place.path);
    if (!lock.ok) return [lock.fault];
    // What a main that was killed has left.
    if (this.isThrowAway) rmSync(place.path, { force: true });
    this.path = place.path;
    this.lockDescriptor = lock.descriptor;
    return null;
  }

  /** After the store was closed. Idempotent. */
  giveBack(): void {
    if (this.lockDescriptor < 0) return;
    if (this.isThrowAway) {
      rmSync(this.path, { force: true });
      rmSync(`${this.path}.lock`, { force: true });
      rmSync(`${this.path}.members`, { force: true });
      this.#removeSockets();
    }
    closeSync(this.lockDescriptor);
    this.lockDescriptor = -1;
  }

  /** Bells of workers that were killed; the others have taken theirs along. */
  #removeSockets(): void {
    const folder = dirname(this.path);
    const own = `${basename(this.path)}.`;
    for (const name of readdirSync(folder)) {
      if (name.startsWith(own) && name.startsWith("bell-", own.length))
        rmSync(join(folder, name), { force: true });
    }
  }
}

/**
 * Workers make their bells beside the store, and find those of others, as the user they become: the folder
 * has to be his. That of the service is made so; one that somebody chose is not touched.
 */
function folderFault(folder: string, { uid, gid, name }: KnownUser, isChosen: boolean): string | null {
  if (statSync(folder).uid === uid) return null;
  if (isChosen) return `store.path: workers become ${name}, whose folder ${folder} has to be: chown it`;
  chownSync(folder, uid, gid);
  return null;
}
