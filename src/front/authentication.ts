/**
 * `auth_basic` of a location: asks for user and password (RFC 7617) and looks them up in the user file.
 * Called by front.ts before the role.
 *
 * An answer does not tell whether there is such a user, and neither does the time it takes: for one who is
 * not in the file a hash of somebody who is gets verified, and does not count. What is good is remembered for
 * minutes (passed.ts).
 */
import { randomBytes } from "node:crypto";
import { toBinary } from "../config/binary-text.ts";
import { SERVER } from "../http/answer.ts";
import type { Answer } from "../http/direct-answer.ts";
import { log } from "../log.ts";
import { errorPage } from "./error-page.ts";
import { fieldValue } from "./field-value.ts";
import { Passed } from "./passed.ts";
import { hashKind, verifyInstantly } from "./password.ts";
import { UserFile } from "./user-file.ts";
import type { Verifications } from "./verifications.ts";

/** Credentials that are longer are refused without a look. */
const MAX_CREDENTIALS = 1024;

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Called when a verification that took time went well: carries on with the request. */
export type Resume = () => Answer | Promise<Answer>;

type Outcome = null | number | Promise<Answer | number>;

/** One for each user file of a worker, shared by the locations that name it. */
export class UserCheck {
  readonly #file: UserFile;
  readonly #verifications: Verifications;
  readonly #salt = randomBytes(16);
  readonly #passed = new Passed();
  #generation = 0;
  readonly #toldOf = new Set<string>();

  constructor(path: string, verifications: Verifications) {
    this.#file = new UserFile(path);
    this.#verifications = verifications;
  }

  /**
   * null: let in. A status: 401 not with these, 403 there is no file, 500 it cannot be read, 503 too many at
   * once.
   */
  check(credentials: Credentials | null, resume: Resume): Outcome {
    const state = this.#file.look();
    if (state !== "ready") return state === "missing" ? 403 : 500;
    if (credentials === null) return 401;
    if (this.#generation !== this.#file.generation) {
      this.#passed.clear();
      this.#toldOf.clear();
      this.#generation = this.#file.generation;
    }
    const own = this.#file.hashOf(credentials.user);
    const isKnown = own !== null && hashKind(own) !== "unknown";
    if (own !== null && !isKnown) this.#tellOf(credentials.user);
    const hash = isKnown ? own : this.#file.hashInstead(credentials.user);
    return hash === null ? 401 : this.#verify(credentials, hash, isKnown, resume);
  }

  #verify(credentials: Credentials, hash: string, isKnown: boolean, resume: Resume): Outcome {
    const password = Buffer.from(credentials.password, "latin1");
    if (hashKind(hash) === "instant") return verifyInstantly(password, hash) && isKnown ? null : 401;
    const digest = this.#digest(credentials);
    if (this.#passed.has(digest, performance.now())) return null;
    // With another file the same credentials are another question.
    const key = `${this.#generation} ${digest}`;
    const verified = this.#verifications.verify(key, password, hash);
    return verified === null ? 503 : this.#conclude(credentials, digest, isKnown, verified, resume);
  }

  async #conclude(
    credentials: Credentials,
    digest: string,
    isKnown: boolean,
    verified: Promise<boolean>,
    resume: Resume,
  ): Promise<Answer | number> {
    const generation = this.#generation;
    if (!(await verified) || !isKnown) return 401;
    // The file may have changed meanwhile; then these were good yesterday.
    this.#file.look();
    if (generation !== this.#file.generation)
      return (await this.check(credentials, resume)) ?? (await resume());
    this.#passed.add(digest, performance.now());
    return await resume();
  }

  /**
   * Salted with what no one else knows, so that the memory of a worker gives no table to look passwords up
   * in.
   */
  #digest({ user, password }: Credentials): string {
    const hasher = new Bun.CryptoHasher("sha256");
    hasher.update(this.#salt);
    hasher.update(`${user}:${password}`, "latin1");
    return hasher.digest("base64");
  }

  #tellOf(user: string): void {
    if (this.#toldOf.has(user)) return;
    this.#toldOf.add(user);
    log("error", "auth_basic: the hash of this user is of a kind that is not supported", {
      path: this.#file.path,
      user,
    });
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

  /** null: let in. The promise is of a refusal or of what `resume` answers. */
  check(authorization: string | null, resume: Resume): null | Response | Promise<Answer> {
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
