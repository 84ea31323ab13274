/**
 * Who may do what, in one worker: the gates of its locations, and those who stand behind them. Made by
 * app.ts, asked at the entrance for each request to a location that has one; all other locations have none,
 * and are not asked.
 */

import { announcedOrigin, readsCookies } from "../config/grant/allowed-origins.ts";
import type { Grant } from "../config/grant/grant.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import type { AddressSource } from "../config/server/door.ts";
import { errorPage } from "../front/error-page.ts";
import type { HooksOf } from "../front/location-hooks.ts";
import { refuse } from "../http/answer.ts";
import { corsFields } from "../http/cors.ts";
import type { Answer } from "../http/direct-answer.ts";
import type { Incoming } from "../http/incoming.ts";
import type { Refusal } from "../http/refusal.ts";
import type { Store } from "../store/store.ts";
import { Gate } from "./gate.ts";
import { GrantHooks } from "./grant-hooks.ts";
import { Issuer } from "./issuer.ts";
import { PublisherKeys } from "./publisher-keys.ts";
import { type AskLocation, Question } from "./question.ts";
import { Rates } from "./rates.ts";
import { Revocations } from "./revocations.ts";
import { Standings } from "./standings.ts";
import { isRefused, LET_IN, type Refused, type Verdict } from "./verdict.ts";

/** Carries on with the request, which was let in: the role answers, and the answer is finished. */
export type Resume = () => Answer | Promise<Answer>;

/** Refuses in the words of the location's clients; null: it has none but the status. */
export type RefuseInWords = (
  located: LocatedRequest,
  refusal: Refusal,
  server: AddressSource | null,
) => Response | null;

export interface AccessOptions {
  readonly config: Config;
  readonly store: Store;
  readonly askLocation: AskLocation;
  readonly refuseInWords: RefuseInWords;
}

export class Access {
  readonly revocations: Revocations;
  readonly #gates: readonly (Gate | null)[];
  readonly #locations: readonly LocationConfig[];
  readonly #origins: readonly (CompiledValue | null)[];
  readonly #standings: Standings;
  readonly #refuseInWords: RefuseInWords;
  /** Of requests that are handed in a second time. */
  readonly #granted = new WeakMap<Incoming, { readonly index: number; readonly grant: Grant }>();

  constructor({ config, store, askLocation, refuseInWords }: AccessOptions) {
    this.revocations = new Revocations(store.revoked);
    this.#standings = new Standings(this.revocations);
    this.#refuseInWords = refuseInWords;
    this.#locations = config.locations;
    const make = makerOf(config, this.revocations, askLocation);
    this.#gates = config.locations.map((location) =>
      location.grants === null && location.rate === null ? null : make(location),
    );
    this.#origins = config.locations.map((location, index) =>
      this.#gates[index] === null || location.allowedOrigins === null
        ? null
        : announcedOrigin(location, rawLocationValue(location, location.allowedOrigins)),
    );
  }

  /** Nobody is asked for anything in this location. */
  isOpen(index: number): boolean {
    return (this.#gates[index] ?? null) === null;
  }

  /**
   * null: let in, and `located` has what was granted. What takes its time gives a promise of a refusal, or of
   * what `resume` answers.
   */
  check<Server extends AddressSource | null>(
    located: LocatedRequest,
    server: Server,
    resume: (located: LocatedRequest, server: Server) => ReturnType<Resume>,
  ): Answer | Promise<Answer> | null {
    const gate = this.#gates[located.index] ?? null;
    if (gate === null) return null;
    const verdict = gate.ask(located);
    if (!(verdict instanceof Promise)) {
      // A guard behind it may take its time, and then the request comes again.
      return this.#act(located, server, verdict, gate.location.code !== null);
    }
    return this.#actLater(located, server, verdict, resume);
  }

  /** By itself, as what it makes for later would cost every request something. */
  #actLater<Server extends AddressSource | null>(
    located: LocatedRequest,
    server: Server,
    verdict: Promise<Verdict>,
    resume: (located: LocatedRequest, server: Server) => ReturnType<Resume>,
  ): Promise<Answer> {
    return verdict.then((late) => this.#act(located, server, late, true) ?? resume(located, server));
  }

  /** Where others let in whom they know: counts the request all the same. */
  count(located: LocatedRequest, server: AddressSource | null): Response | null {
    const verdict = this.#gates[located.index]?.count(located) ?? LET_IN;
    return isRefused(verdict) ? this.#refuse(located, server, verdict) : null;
  }

  #act(
    located: LocatedRequest,
    server: AddressSource | null,
    verdict: Verdict,
    isKept: boolean,
  ): Response | null {
    if (isRefused(verdict)) return this.#refuse(located, server, verdict);
    if (verdict === LET_IN) return null;
    if (isKept) this.#granted.set(located.request, { index: located.index, grant: verdict });
    give(located, verdict);
    return null;
  }

  /** The request is here again, as another object: what was granted to it still is. */
  recall(located: LocatedRequest): void {
    const said = this.#granted.get(located.request);
    // What another location has granted, from which it was sent on, is nothing here.
    if (said?.index === located.index) give(located, said.grant);
  }

  #refuse(located: LocatedRequest, server: AddressSource | null, { refusal, fields }: Refused): Response {
    const inWords = this.#refuseInWords(located, refusal, server);
    if (inWords !== null) return inWords;
    const origin = this.#origins[located.index]?.(located) ?? "";
    const hasCookies = readsCookies(this.#locations[located.index] ?? { grants: null });
    const all = { ...corsFields(origin, located.method, false, hasCookies), ...fields };
    if (!this.#hasPages(located.index)) return refuse(refusal, all);
    // Where people look, they are told so (as nginx does).
    const { status, explain } = refusal;
    return errorPage(status, explain === null ? all : { ...all, "X-Nginx-PushStream-Explain": explain });
  }

  #hasPages(index: number): boolean {
    const { kind = "none" } = this.#locations[index]?.role ?? {};
    return kind === "files" || kind === "none" || kind === "page" || kind === "examples";
  }

  /** The hooks of all locations, those who stand by a grant included. */
  hooksOf(others: HooksOf): HooksOf {
    const all = this.#gates.map((gate, index) => {
      const other = others(index);
      // A guard may grant as well.
      const hasGuard = (this.#locations[index]?.code?.authorize ?? null) !== null;
      return gate !== null || hasGuard ? new GrantHooks(gate, this.#standings, other) : other;
    });
    return (index) => all[index] ?? null;
  }

  stop(): void {
    this.#standings.stop();
  }
}

function give(located: LocatedRequest, grant: Grant): void {
  located.grant = grant;
  located.user ??= grant.sub;
}

/**
 * Issuers and files of keys are shared by the locations that name them: what is known of them is known once.
 */
function makerOf(
  config: Config,
  revocations: Revocations,
  askLocation: AskLocation,
): (location: LocationConfig) => Gate {
  const issuers = new Map<string, Issuer>();
  const keys = new Map<string, PublisherKeys>();
  const issuer = (name: string): Issuer[] => {
    const known = issuers.get(name);
    if (known !== undefined) return [known];
    const named = config.issuers.find((one) => one.name === name);
    if (named === undefined) return [];
    const made = new Issuer(named);
    issuers.set(name, made);
    return [made];
  };
  const keysIn = (path: string): PublisherKeys => {
    const made = keys.get(path) ?? new PublisherKeys(path);
    keys.set(path, made);
    return made;
  };
  return (location) => {
    const { grants, rate } = location;
    const question = grants?.question ?? null;
    return new Gate({
      location,
      maxChannels: config.limits.maxChannelsPerRequest,
      issuers: (grants?.issuers ?? []).flatMap(issuer),
      keys: grants === null || grants.keysFile === null ? null : keysIn(grants.keysFile),
      question: question === null ? null : new Question(question, location, askLocation),
      rates: rate === null ? null : new Rates(rate),
      isRevoked: (grant) => revocations.isRevoked(grant),
    });
  };
}
