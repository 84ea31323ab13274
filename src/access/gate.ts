/**
 * Who may do what in one location, compiled: finds what a request brings, has it verified, and compares what
 * is granted with what is asked for. One for each location that asks for grants or counts requests; made and
 * called by access.ts.
 *
 *   key ──┐
 *   token ┼─▶ grant ─▶ taken back? ─▶ of these channels? ─▶ too many? ─▶ in
 *   backend┘     (the first source that applies decides)
 *
 * What is not understood is refused, and so is what cannot be verified: a bad token is never "no token".
 */
import { type Grant, hasEnded } from "../config/grant/grant.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rememberedByUrl } from "../config/location/url-value.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { GrantsConfig } from "../config/model/access.ts";
import type { LocationConfig } from "../config/model.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { parseChannelsPath } from "../wire/channels-path.ts";
import { AMBIGUOUS, bearerOf, keyOf, tokenOf } from "./credentials.ts";
import { grantOfToken, type Issuer } from "./issuer.ts";
import { channelsRefusal, OpenChannels } from "./open-channels.ts";
import type { PublisherKeys } from "./publisher-keys.ts";
import type { Question } from "./question.ts";
import { type Rates, rateKey } from "./rates.ts";
import { isRefused, LET_IN, type Refused, type Verdict } from "./verdict.ts";

export interface GateParts {
  readonly location: LocationConfig;
  readonly maxChannels: number;
  readonly issuers: readonly Issuer[];
  readonly keys: PublisherKeys | null;
  readonly question: Question | null;
  readonly rates: Rates | null;
  readonly isRevoked: (grant: Grant) => boolean;
}

const NO_FIELDS = {};
/** What a statistics location lists instead of telling of one channel. */
const LISTING = /^(?:ALL|.*\*)$/s;

export class Gate {
  readonly location: LocationConfig;
  readonly #parts: GateParts;
  readonly #grants: GrantsConfig | null;
  readonly #channelsPath: CompiledValue | null;
  readonly #open: OpenChannels;
  #lastPath = "";
  #lastChannels: readonly string[] = [];

  constructor(parts: GateParts) {
    const { location } = parts;
    this.#parts = parts;
    this.location = location;
    this.#grants = location.grants;
    const { kind } = location.role;
    const hasChannels =
      kind === "publisher" || kind === "subscriber" || kind === "statistics" || kind === "presence";
    this.#channelsPath = hasChannels ? rememberedByUrl(location, location.channelsPath) : null;
    this.#open = new OpenChannels(location);
  }

  ask(located: LocatedRequest): Verdict | Promise<Verdict> {
    const { role } = this.location;
    // Says nothing of channels and does nothing; a browser asks it before it sends credentials (CORS).
    if (located.method === "OPTIONS" && (role.kind === "publisher" || role.kind === "subscriber"))
      return LET_IN;
    if (this.#grants === null) return this.#counted(located, null) ?? LET_IN;
    const channels = this.#channels(located);
    const found = this.#find(located, channels);
    return found instanceof Promise
      ? this.#judgeLater(located, channels, found)
      : this.#judge(located, channels, found);
  }

  /** By itself, as what it makes for later would cost every request something. */
  #judgeLater(
    located: LocatedRequest,
    channels: readonly string[],
    found: Promise<Verdict>,
  ): Promise<Verdict> {
    return found.then((verdict) => this.#judge(located, channels, verdict));
  }

  /** Whether it is one too many, of somebody whom others know. */
  count(located: LocatedRequest): Verdict {
    return this.#counted(located, null) ?? LET_IN;
  }

  /** A token that a client brings for itself while it stands: whether it is good, and for whom. */
  async renew(token: string, names: readonly string[]): Promise<Grant | Refusal> {
    const { issuers, isRevoked } = this.#parts;
    const outcome = await grantOfToken(token, issuers);
    if ("status" in outcome) return outcome;
    if (isRevoked(outcome)) return Refusals.tokenRevoked;
    const grant = this.#open.to(outcome);
    return channelsRefusal(grant, "subscribe", names) ?? grant;
  }

  /** For what a client says while it stands: counts it with its requests. null: nothing is counted here. */
  counter(located: LocatedRequest): (() => Refusal | null) | null {
    const { rates } = this.#parts;
    if (rates === null) return null;
    const key = rateKey(located.grant?.sub ?? null, () => located.peer);
    return () => (rates.take(key) ? null : this.#tooMany(rates).refusal);
  }

  // --- what the request brings -----------------------------------------------------------------------------

  /** A refusal, a grant, or LET_IN where there is nothing that anybody could verify. */
  #find(located: LocatedRequest, channels: readonly string[]): Verdict | Promise<Verdict> {
    const { keys, issuers, question } = this.#parts;
    const key = keys === null ? null : keyOf(located);
    if (keys !== null && key !== null) return keys.grantOf(key) ?? this.#refused(Refusals.invalidKey);
    const { token } = issuers.length === 0 ? { token: null } : tokenOf(located, this.#grants?.places ?? []);
    if (token === AMBIGUOUS) return this.#refused(Refusals.ambiguousToken);
    if (token !== null) return this.#verified(located, token);
    if (question !== null) return this.#asked(located, channels, question);
    // It meant to be somebody, and nobody here can say whether it is.
    return keys !== null && bearerOf(located) !== null ? this.#refused(Refusals.invalidKey) : LET_IN;
  }

  /** A signature costs more than most requests: who has used up his share gets none verified. */
  #verified(located: LocatedRequest, token: string): Verdict | Promise<Verdict> {
    const outcome = grantOfToken(token, this.#parts.issuers);
    if (!(outcome instanceof Promise)) return this.#outcome(located, outcome);
    const { rates } = this.#parts;
    if (rates !== null && !rates.has(rateKey(null, () => located.peer))) {
      // Its outcome is nobody's.
      outcome.catch(() => undefined);
      return this.#tooMany(rates);
    }
    return outcome.then((verified) => this.#outcome(located, verified));
  }

  #outcome(located: LocatedRequest, outcome: Grant | Refusal): Verdict {
    if (!("status" in outcome)) return outcome;
    // Guesses count, by address.
    this.#parts.rates?.take(rateKey(null, () => located.peer));
    return this.#refused(outcome);
  }

  /** Nobody is asked about what is open to everybody. */
  #asked(
    located: LocatedRequest,
    channels: readonly string[],
    question: Question,
  ): Verdict | Promise<Verdict> {
    if (channels.length > 0 && this.#mayAll(this.#open.nobody, channels)) return LET_IN;
    const { rates } = this.#parts;
    if (rates !== null && !rates.has(rateKey(null, () => located.peer))) return this.#tooMany(rates);
    return question.ask(located, channels);
  }

  // --- what it may -----------------------------------------------------------------------------------------

  #judge(located: LocatedRequest, channels: readonly string[], verdict: Verdict): Verdict {
    if (isRefused(verdict)) return verdict;
    if (verdict === LET_IN) return this.#anonymous(located, channels);
    if (hasEnded(verdict)) return this.#refused(Refusals.tokenExpired);
    if (this.#parts.isRevoked(verdict)) return this.#refused(Refusals.tokenRevoked);
    const grant = this.#open.to(verdict);
    if (!this.#mayAll(grant, channels)) return this.#refused(Refusals.notGranted);
    return this.#counted(located, verdict.sub) ?? grant;
  }

  /**
   * Where channels are missing or too many, the endpoint would say so; who is nobody is not told, unless what
   * follows may be a batch, whose lines name them.
   */
  #anonymous(located: LocatedRequest, channels: readonly string[]): Verdict {
    const { nobody } = this.#open;
    const { batch } = this.location;
    const isOpen =
      this.#channelsPath === null
        ? this.#grants?.isOptional === true
        : channels.length > 0 || (batch && nobody.publish.texts.length > 0);
    if (!isOpen || !this.#mayAll(nobody, channels)) return this.#refused(Refusals.noToken);
    return this.#counted(located, null) ?? nobody;
  }

  #mayAll(grant: Grant, channels: readonly string[]): boolean {
    const { subscribe, publish } = grant;
    switch (this.location.role.kind) {
      case "publisher":
        return channelsRefusal(grant, "publish", channels) === null;
      case "subscriber":
      case "presence":
        return channelsRefusal(grant, "subscribe", channels) === null;
      case "statistics":
        return (
          subscribe.coversAll ||
          (channels.length > 0 && channels.every((name) => !LISTING.test(name) && subscribe.covers(name)))
        );
      case "revoke":
        return publish.coversAll;
      default:
        return true;
    }
  }

  /** null: not too many. */
  #counted(located: LocatedRequest, sub: string | null): Refused | null {
    const { rates } = this.#parts;
    return rates === null ? null : this.#take(rates, located, sub);
  }

  #take(rates: Rates, located: LocatedRequest, sub: string | null): Refused | null {
    return rates.take(rateKey(sub, () => located.peer)) ? null : this.#tooMany(rates);
  }

  #tooMany(rates: Rates): Refused {
    const refusal = {
      ...Refusals.tooManyRequests,
      status: rates.config.status,
      retryAfterSec: rates.waitSec,
    };
    return { refusal, fields: NO_FIELDS };
  }

  // --- helpers ---------------------------------------------------------------------------------------------

  /** As binary strings, without the numbers of old messages; none where the endpoint will refuse the path. */
  #channels(located: LocatedRequest): readonly string[] {
    if (this.#channelsPath === null) return [];
    const path = this.#channelsPath(located);
    if (path === this.#lastPath) return this.#lastChannels;
    const parsed = parseChannelsPath(path, this.#parts.maxChannels);
    const names =
      typeof parsed === "string" ? [] : parsed.names.map((name) => Buffer.from(name).toString("latin1"));
    this.#lastPath = path;
    this.#lastChannels = names;
    return names;
  }

  #refused(refusal: Refusal): Refused {
    return { refusal, fields: challenge(refusal, this.#parts.issuers.length > 0) };
  }
}

/**
 * RFC 6750 3: nothing but the scheme for who brought nothing. Without issuers it is a key that is wanted, by
 * the same scheme.
 */
function challenge({ code, status, explain }: Refusal, hasIssuers: boolean): Refused["fields"] {
  const scheme = `Bearer realm="${hasIssuers ? "sluice" : "sluice keys"}"`;
  if (code === Refusals.noToken.code) return { "WWW-Authenticate": scheme };
  const word = status === 401 ? "invalid_token" : status === 403 ? "insufficient_scope" : "invalid_request";
  if (status >= 500) return NO_FIELDS;
  return { "WWW-Authenticate": `${scheme}, error="${word}", error_description="${explain ?? ""}"` };
}
