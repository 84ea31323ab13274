/**
 * A user file in htpasswd form: `name:hash[:comment]` lines. Looked at for each request that has to be let
 * in, read again when it changed, so that a user who was removed is out with the next request. Called by
 * authentication.ts.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { log } from "../log.ts";
import { hashKind } from "./password.ts";

export type UserFileState = "ready" | "missing" | "unreadable";

/** A larger file is a mistake: it is read on the event loop. */
const MAX_BYTES = 1024 * 1024;

/** Hash by user name. */
type Users = ReadonlyMap<string, string>;

/** What a file says. */
interface Content {
  readonly users: Users;
  /** Hashes that can be verified. */
  readonly hashes: readonly string[];
  /** Of the whole file, which nobody outside knows. */
  readonly key: Uint8Array;
}

const NOTHING: Content = { users: new Map(), hashes: [], key: new Uint8Array() };

export class UserFile {
  readonly path: string;
  /** Grows by one with each reading; whoever remembers an outcome remembers it with this. */
  generation = 0;
  #content = NOTHING;
  #identity = "";
  #state: UserFileState = "missing";

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Looks whether the file changed (2 us) and reads it if so. Said once in the log, not with each request.
   */
  look(): UserFileState {
    let identity: string;
    try {
      identity = identityOf(statSync(this.path));
    } catch (error) {
      return this.#failed(error);
    }
    if (identity === this.#identity) return this.#state;
    try {
      this.#content = readContent(this.path);
    } catch (error) {
      return this.#failed(error);
    }
    this.generation++;
    this.#identity = identity;
    this.#state = "ready";
    return this.#state;
  }

  /** Of the last look. Binary strings. */
  hashOf(user: string): string | null {
    return this.#content.users.get(user) ?? null;
  }

  /**
   * The hash to verify for a user who has none: of somebody else, and the same each time he asks, whichever
   * worker he asks, as it would be if he were in the file. null: there is nobody in it.
   */
  hashInstead(user: string): string | null {
    const { hashes, key } = this.#content;
    const digest = new Bun.CryptoHasher("sha256").update(key).update(user, "latin1").digest();
    return hashes[digest.readUInt32LE() % hashes.length] ?? null;
  }

  #failed(error: unknown): UserFileState {
    const sentence = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && "code" in error ? error.code : null;
    const state = code === "ENOENT" ? "missing" : "unreadable";
    if (state !== this.#state || this.#identity !== sentence)
      log("error", "auth_basic: cannot read the user file", { path: this.path, error: sentence });
    this.#content = NOTHING;
    this.generation++;
    // Not an identity any file has: it is read when it comes back.
    this.#identity = sentence;
    this.#state = state;
    return state;
  }
}

/** Two changes within one tick of the clock differ in size or in the time of the change at the latest. */
const identityOf = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string =>
  `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;

function readContent(path: string): Content {
  // Not blocking: the open of a pipe would wait for its writer, and the worker with it.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new Error(`${path} is not a file`);
    if (stat.size > MAX_BYTES) throw new Error(`${path} has more than ${MAX_BYTES} bytes`);
    const bytes = Buffer.alloc(stat.size);
    const read = bytes.subarray(0, readSync(file, bytes));
    const users = parseUsers(read.toString("latin1"));
    const hashes = Array.from(users.values()).filter((hash) => hashKind(hash) !== "unknown");
    return { users, hashes, key: new Bun.CryptoHasher("sha256").update(read).digest() };
  } finally {
    closeSync(file);
  }
}

/** The first line of a name counts, as in nginx; "#" starts a comment. */
export function parseUsers(text: string): Users {
  const users = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const [name = "", hash = ""] = line.split(":", 2);
    if (name !== "" && hash !== "" && !users.has(name)) users.set(name, hash);
  }
  return users;
}
