/**
 * `auth_basic` of a location: asks for user and password (RFC 7617) and looks them up in the user file. Called by front.ts before the role.
 *
 * Clients poll, so a good outcome is remembered: a bcrypt hash takes 50 ms of a processor, a poll a hundredth of that. Only good ones are:
 * bad ones would let anybody fill the memory.
 */
import { randomBytes } from "node:crypto";
import { SERVER } from "../answer.ts";
import { toBinary } from "../config/binary-text.ts";
import { log } from "../log.ts";
import { errorPage } from "./error-page.ts";
import { fieldValue } from "./field-value.ts";
import { hashKind, verifyBcrypt, verifyBcryptNow, verifyPassword } from "./password.ts";
import { UserFile } from "./user-file.ts";

/** Credentials that are longer are refused without a look. */
const MAX_CREDENTIALS = 1024;
const REMEMBERED = 1000;
/** Verifications at work or waiting in the runtime's threads; guessing passwords must not starve what else runs there. */
const MAX_VERIFYING = 16;

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Called when a verification that took time went well: carries on with the request. */
export type Resume = () => Response | Promise<Response>;

/** One for each user file of a worker, shared by the locations that name it. */
export class UserCheck {
  readonly #file: UserFile;
  readonly #salt = randomBytes(16);
  /** Digests of good credentials; the oldest goes first. */
  readonly #good = new Set<string>();
  #generation = 0;
  #verifying = 0;
  readonly #toldOf = new Set<string>();

  constructor(path: string) {
    this.#file = new UserFile(path);
  }

  /** null: let in. A status: 401 not with these, 403 there is no file, 500 it cannot be read, 503 too many at once. */
  check(credentials: Credentials | null, resume: Resume | null): null | number | Promise<Response | number> {
    const state = this.#file.look();
    if (state !== "ready") return state === "missing" ? 403 : 500;
    if (credentials === null) return 401;
    if (this.#generation !== this.#file.generation) {
      this.#good.clear();
      this.#toldOf.clear();
      this.#generation = this.#file.generation;
    }
    const hash = this.#file.hashOf(credentials.user);
    return hash === null ? 401 : this.#verify(credentials, hash, resume);
  }

  #verify(
    { user, password }: Credentials,
    hash: string,
    resume: Resume | null,
  ): null | number | Promise<Response | number> {
    const kind = hashKind(hash);
    if (kind === "unknown") return this.#unknown(user);
    const bytes = Buffer.from(password, "latin1");
    if (kind === "instant") return verifyPassword(bytes, hash) ? null : 401;
    const digest = this.#digest(user, password);
    if (this.#good.has(digest)) return null;
    if (kind === "md5-crypt") return this.#outcome(verifyPassword(bytes, hash), digest);
    if (resume === null) return this.#outcome(verifyBcryptNow(bytes, hash), digest);
    return this.#verifying >= MAX_VERIFYING ? 503 : this.#verifySlowly(bytes, hash, digest, resume);
  }

  async #verifySlowly(
    password: Uint8Array,
    hash: string,
    digest: string,
    resume: Resume,
  ): Promise<Response | number> {
    this.#verifying++;
    const generation = this.#generation;
    let isGood: boolean;
    try {
      isGood = await verifyBcrypt(password, hash);
    } finally {
      this.#verifying--;
    }
    if (!isGood) return 401;
    // The file may have changed meanwhile; then these were good yesterday.
    if (generation === this.#generation) this.#remember(digest);
    return await resume();
  }

  #outcome(isGood: boolean, digest: string): null | 401 {
    if (isGood) this.#remember(digest);
    return isGood ? null : 401;
  }

  #remember(digest: string): void {
    if (this.#good.size >= REMEMBERED) {
      const [oldest] = this.#good;
      if (oldest !== undefined) this.#good.delete(oldest);
    }
    this.#good.add(digest);
  }

  /** Salted with what no one else knows, so that the memory of a worker gives no table to look passwords up in. */
  #digest(user: string, password: string): string {
    const hasher = new Bun.CryptoHasher("sha256");
    hasher.update(this.#salt);
    hasher.update(`${user}:${password}`, "latin1");
    return hasher.digest("base64");
  }

  #unknown(user: string): 401 {
    if (!this.#toldOf.has(user)) {
      this.#toldOf.add(user);
      log("error", "auth_basic: the hash of this user is of a kind that is not supported", {
        path: this.#file.path,
        user,
      });
    }
    return 401;
  }
}

export class Authentication {
  readonly #users: UserCheck;
  readonly #challenge: string;

  constructor(realm: string, users: UserCheck) {
    this.#users = users;
    // Quotes and backslashes of the realm must not end its quoted string (RFC 9110 5.6.4).
    this.#challenge = `Basic realm="${fieldValue(toBinary(realm)).replace(/["\\]/g, "\\$&")}"`;
  }

  /** null: let in. Without `resume` even a slow verification is done before this returns. */
  check(authorization: string | null, resume: Resume | null): null | Response | Promise<Response> {
    const outcome = this.#users.check(parseCredentials(authorization), resume);
    if (outcome === null) return null;
    if (typeof outcome === "number") return this.#refusal(outcome);
    return outcome.then((answer) => (typeof answer === "number" ? this.#refusal(answer) : answer));
  }

  #refusal(status: number): Response {
    if (status === 401) return errorPage(401, { ...SERVER, "WWW-Authenticate": this.#challenge });
    return errorPage(status, status === 503 ? { "Retry-After": "1" } : {});
  }
}

/** The user and password of an Authorization header, as binary strings; null: there are none. */
export function parseCredentials(authorization: string | null): Credentials | null {
  if (authorization === null || authorization.length > MAX_CREDENTIALS) return null;
  const encoded = /^basic +([a-z\d+/=_-]+) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, "base64").toString("latin1");
  const colon = text.indexOf(":");
  return colon <= 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
