/**
 * `publisher_keys_file`: the keys a worker knows, read again when the file changed. Looked at once a second
 * at most, so a key that is taken out of it is good for a second longer. Used by the gates; locations that
 * name the same file share one.
 */
import { readFileSync, statSync } from "node:fs";
import type { Grant } from "../config/grant/grant.ts";
import { compilePatterns } from "../config/grant/patterns.ts";
import { log } from "../log.ts";
import { digestOfKey, idOfKey, isSameDigest, isSameText, type KeyLine, readKeyLine } from "./key-text.ts";

const LOOK_EVERY_MS = 1000;
const MAX_BYTES = 1024 * 1024;
/** Compared with where there is no such id: that takes as long as if there were. */
const NOBODYS = digestOfKey("nobody's");

interface Entry {
  readonly digest: Uint8Array;
  readonly grant: Grant;
}

/** A key whose digest was right, as long as its line is what it was: a publisher brings it each time. */
interface KnownKey {
  readonly text: string;
  readonly grant: Grant;
}
/** Of all keys of a file; whoever came first goes first. */
const MOST_KNOWN = 64;

export class PublisherKeys {
  readonly #path: string;
  readonly #nowMs: () => number;
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** Forgotten whenever the file changes. */
  #last: KnownKey | null = null;
  readonly #known = new Map<string, KnownKey>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  #identity = "";

  constructor(path: string, nowMs: () => number = () => performance.now()) {
    this.#path = path;
    this.#nowMs = nowMs;
  }

  /** null: it is no key of these. */
  grantOf(key: string): Grant | null {
    this.#look();
    const last = this.#last;
    if (last !== null && isSameText(key, last.text)) return last.grant;
    const id = idOfKey(key) ?? "";
    const known = this.#known.get(id);
    if (known !== undefined && isSameText(key, known.text)) {
      this.#last = known;
      return known.grant;
    }
    const entry = this.#entries.get(id);
    const isSame = isSameDigest(digestOfKey(key), entry?.digest ?? NOBODYS);
    if (!isSame || entry === undefined) return null;
    this.#keep(id, { text: key, grant: entry.grant });
    return entry.grant;
  }

  #keep(id: string, key: KnownKey): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(id, key);
    this.#last = key;
  }

  #forget(): void {
    this.#known.clear();
    this.#last = null;
  }

  #look(): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = nowMs;
    let identity: string;
    try {
      const { dev, ino, size, mtimeMs, ctimeMs } = statSync(this.#path);
      identity = `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
      if (identity === this.#identity) return;
      this.#forget();
      this.#entries = readEntries(this.#path, size);
    } catch (error) {
      identity = error instanceof Error ? error.message : String(error);
      this.#forget();
      // Without the file nobody is in it.
      this.#entries = new Map();
      if (identity !== this.#identity)
        log("error", "publisher_keys_file cannot be read: no key is good", {
          path: this.#path,
          error: identity,
        });
    }
    this.#identity = identity;
  }
}

function readEntries(path: string, size: number): ReadonlyMap<string, Entry> {
  if (size > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
  const entries = new Map<string, Entry>();
  readFileSync(path, "utf8")
    .split("\n")
    .forEach((text, i) => {
      const line = readKeyLine(text);
      if (typeof line === "string")
        log("error", "publisher_keys_file: this line is left out", { path, line: i + 1, why: line });
      else if (line !== null)
        entries.set(line.id, { digest: Buffer.from(line.hash, "base64url"), grant: grantOfLine(line) });
    });
  return entries;
}

const grantOfLine = ({ name, publish, subscribe }: KeyLine): Grant => ({
  sub: name,
  jti: null,
  // It is good as long as it is in the file: what was issued before a time is not meant.
  issuedSec: Number.POSITIVE_INFINITY,
  endMs: Number.POSITIVE_INFINITY,
  expiresSec: null,
  subscribe: compilePatterns(subscribe, name),
  publish: compilePatterns(publish, name),
  info: undefined,
});
