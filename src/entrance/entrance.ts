/**
 * What every request passes first, whichever door it came by: the limit of connections, a path that can be
 * read at all, what the steps of its location return, and who may come in: access rules, passwords and grants
 * (access/), then somebody's guard.
 *
 * Both doors ask it first for the two roles that carry messages (`serve`); what is another role's goes
 * through the application, whose first plugin it is (`enter`). Composed by app.ts.
 */
import type { Access } from "../access/access.ts";
import { Admission } from "../access/admission.ts";
import { contentTypeOf } from "../config/location/content-type.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { Locator } from "../config/location/locator.ts";
import type { Config } from "../config/model.ts";
import { type AddressSource, UnknownPeer } from "../config/server/door.ts";
import { errorPage } from "../front/error-page.ts";
import type { Front } from "../front/front.ts";
import { originOf, returnedAnswer } from "../front/returned.ts";
import { UnknownClients } from "../front/unknown-clients.ts";
import type { Guards } from "../handlers/guard.ts";
import { closing, headerOnly, refuse } from "../http/answer.ts";
import { type Answer, asResponse } from "../http/direct-answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Incoming } from "../http/incoming.ts";
import type { ProxyEndpoint } from "../proxy/endpoint.ts";
import type { ProxyEndpoints } from "../proxy/plugin.ts";
import type { PublisherEndpoint } from "../publish/endpoint.ts";
import type { Ingest } from "../publish/ingest.ts";
import type { PublisherEndpoints } from "../publish/plugin.ts";
import { Counter } from "../store/counters.ts";
import type { SubscriberEndpoint } from "../subscribe/endpoint.ts";
import type { IdleTimer } from "../subscribe/line.ts";
import type { SubscriberEndpoints } from "../subscribe/plugin.ts";
import type { Upgrader } from "../subscribe/websocket.ts";

export interface EntranceOptions {
  readonly config: Config;
  readonly ingest: Pick<Ingest, "store" | "slot">;
  readonly locator: Locator;
  readonly front: Front;
  readonly access: Access;
  readonly guards: Guards;
  readonly publishers: PublisherEndpoints;
  readonly subscribers: SubscriberEndpoints;
  readonly proxies: ProxyEndpoints;
  /** No further connection is to be served. */
  readonly isFull: () => boolean;
}

/** The part of a listening server that is used. */
export type EntranceServer = AddressSource & Upgrader & IdleTimer;

type Answering = Answer | Promise<Answer>;

const AT_THE_FRONT = 0;
const AT_THE_GATE = 1;
const AT_THE_GUARD = 2;
const INSIDE = 3;

export class Entrance {
  readonly #options: EntranceOptions;
  /** How far a request that is handed in again has come. */
  readonly #passed = new WeakMap<Incoming, number>();
  /** Somebody is in it. */
  #hasPassed = false;
  readonly #unknown = new UnknownClients();
  /** Nobody stands before most locations, and their requests go straight on. */
  readonly #isOpen: readonly boolean[];
  /** Nobody but the gate of grants. */
  readonly #isGated: readonly boolean[];
  readonly #countsRequests: boolean;
  /** Whose 404 has the location's own page and headers. */
  readonly #isEmpty: readonly boolean[];
  readonly #admission: Admission;
  /**
   * By index of Config.locations: whom `serve` hands requests to. What may be sent on to another role is the
   * application's.
   */
  readonly #served: readonly (PublisherEndpoint | SubscriberEndpoint | ProxyEndpoint | null)[];
  /** Looked at by `serve` and left to the application, which enters it in the same turn. */
  #handedOn: LocatedRequest | null = null;

  constructor(options: EntranceOptions) {
    const { config, front, access, guards, publishers, subscribers, proxies } = options;
    this.#options = options;
    this.#served = config.locations.map((_, index) =>
      front.leadsOn(index) ? null : (publishers[index] ?? subscribers[index] ?? proxies[index] ?? null),
    );
    this.#admission = new Admission(config, front, access);
    this.#countsRequests = config.locations.some(({ role }) => role.kind === "stub-status");
    this.#isEmpty = config.locations.map(
      ({ role }, index) => role.kind === "none" && !config.builtInPaths && !front.isOpen(index),
    );
    this.#isOpen = config.locations.map(
      (_, index) => front.isOpen(index) && access.isOpen(index) && guards.isOpen(index),
    );
    this.#isGated = config.locations.map(
      (_, index) => front.isOpen(index) && !access.isOpen(index) && guards.isOpen(index),
    );
  }

  /**
   * undefined: a role may answer. `again` hands the request in once more, when a password was verified off
   * the event loop or a guard took its time.
   */
  enter(request: Incoming, server: AddressSource | null, again: () => Answering): Answering | undefined {
    const located = this.#look(request, server);
    return "index" in located ? this.#admit(located, server, again) : located;
  }

  /**
   * Publishing and subscribing without the application around them. null: the request is another role's, and
   * nobody has looked at more of it than where it belongs.
   */
  serve(request: Incoming, server: EntranceServer): Answering | null {
    const { locator, front } = this.#options;
    this.#handedOn = null;
    const located = this.#look(request, server);
    if (!("index" in located)) return located;
    const endpoint = this.#served[located.index] ?? null;
    if (endpoint === null) {
      this.#handedOn = located;
      return null;
    }
    const refused = this.#isPlain(located, this.#isOpen) ? undefined : this.#admitServed(located, server);
    if (refused !== undefined) return refused;
    locator.forget();
    return front.finish(located, endpoint.handle(located, server));
  }

  /** Where it belongs, or why nobody looks at it any further. */
  #look(request: Incoming, server: AddressSource | null): LocatedRequest | Response {
    const { locator, subscribers, isFull } = this.#options;
    const handedOn = this.#handedOn;
    this.#handedOn = null;
    if (handedOn?.request === request) return handedOn;
    if (request.exchange?.isExtra ?? isFull()) {
      this.#countRefused(Refusals.tooManyConnections.status);
      const asked = hasBadHost(request) ? null : locator.look(request, server);
      const away =
        asked === null ? null : subscribers[asked.index]?.turnAway(asked, Refusals.tooManyConnections);
      return closing(away ?? refuse(Refusals.tooManyConnections));
    }
    if (hasBadHost(request)) return headerOnly(400);
    // A door of our own makes another request of what it hands on.
    if (this.#countsRequests && handedOn === null)
      this.#options.ingest.store.counters.add(this.#options.ingest.slot, Counter.REQUESTS, 1);
    const located = locator.look(request, server);
    if (located !== null) return located;
    this.#countRefused(Refusals.unknownClient.status);
    return this.#unknown.refuse(locator.unknown);
  }

  /** Nobody and nothing stands between a request and its role, or nobody but the gate: of most locations. */
  #isPlain(located: LocatedRequest, ways: readonly boolean[]): boolean {
    const { front } = this.#options;
    return ways[located.index] === true && located.returned === null && front.misuse(located) === null;
  }

  #admitServed(located: LocatedRequest, server: EntranceServer): Answering | undefined {
    const isFirst = !(this.#hasPassed && this.#passed.has(located.request));
    if (isFirst && this.#isPlain(located, this.#isGated) && located.method !== "OPTIONS")
      return this.#passGate(located, server);
    return this.#admitAll(located, server);
  }

  #admitAll(located: LocatedRequest, server: EntranceServer): Answering | undefined {
    return this.#admit(located, server, () => this.serve(located.request, server) ?? headerOnly(500));
  }

  #admit(
    located: LocatedRequest,
    server: AddressSource | null,
    again: () => Answering,
  ): Answering | undefined {
    const { config, front, access, guards, locator } = this.#options;
    const misuse = front.misuse(located);
    if (misuse !== null) {
      this.#countRefused(misuse.status);
      return front.finish(located, refuse(misuse));
    }
    const { request } = located;
    if (front.sendsOn)
      located.sendOn = (to) => {
        locator.sendOn(located, to);
        // Another door to stand at, and none it has passed.
        this.#pass(request, -located.moves);
        const answer = again();
        return answer instanceof Promise ? answer.then(asResponse) : asResponse(answer);
      };
    if (located.returned !== null) return front.finish(located, returned(located, config));
    if (this.#isOpen[located.index] === true) return undefined;
    const preflight = front.preflight(located);
    if (preflight !== null) return preflight === "role" ? undefined : front.finish(located, preflight);
    const mark = this.#passed.get(request) ?? AT_THE_FRONT;
    const stage = Math.max(mark, AT_THE_FRONT);
    if (stage >= AT_THE_GUARD) access.recall(located);
    if (stage === INSIDE) {
      guards.recall(located);
      return this.#inside(located);
    }
    const passing = (next: number) => () => {
      this.#pass(request, next);
      locator.keepCallers(located);
      return again();
    };
    const admission = this.#admission;
    let refused: Answering | null = null;
    if (stage === AT_THE_FRONT)
      refused = admission.check(located, server, passing(AT_THE_GATE), passing(AT_THE_GUARD));
    else if (stage === AT_THE_GATE) refused = admission.gate(located, server, passing(AT_THE_GUARD));
    refused ??= guards.check(located, server, passing(INSIDE));
    if (refused === null) return this.#inside(located);
    if (!(refused instanceof Promise)) return front.finish(located, refused);
    // Who was let on after all was answered, and finished, further in.
    return refused.then((answer) =>
      (this.#passed.get(request) ?? AT_THE_FRONT) === mark ? front.finish(located, answer) : answer,
    );
  }

  /** As #admit, where there is nothing else to pass: what a request with a key or token costs more. */
  #passGate(located: LocatedRequest, server: EntranceServer): Answering | undefined {
    const { access, front } = this.#options;
    const refused = access.check(located, server, this.#pastGate);
    if (refused === null) return undefined;
    return refused instanceof Promise ? this.#finishLate(located, refused) : front.finish(located, refused);
  }

  readonly #pastGate = (located: LocatedRequest, server: EntranceServer): Answering => {
    this.#pass(located.request, AT_THE_GUARD);
    this.#options.locator.keepCallers(located);
    return this.serve(located.request, server) ?? headerOnly(500);
  };

  #finishLate(located: LocatedRequest, refused: Promise<Answer>): Promise<Answer> {
    const { front } = this.#options;
    return refused.then((answer) =>
      this.#passed.has(located.request) ? answer : front.finish(located, answer),
    );
  }

  #pass(request: Incoming, mark: number): void {
    this.#passed.set(request, mark);
    this.#hasPassed = true;
  }

  /** Past everybody who may refuse it: files that are tried, and what has no role. */
  #inside(located: LocatedRequest): Answering | undefined {
    const { front } = this.#options;
    const answer = front.inside(located);
    if (answer !== null) return answer;
    return this.#isEmpty[located.index] === true ? front.finish(located, errorPage(404)) : undefined;
  }

  /** The answer where a role threw because nobody can say whose the request is; null: that was not it. */
  unknownClient(error: unknown): Response | null {
    if (!(error instanceof UnknownPeer)) return null;
    this.#countRefused(Refusals.unknownClient.status);
    return this.#unknown.refuse(error);
  }

  #countRefused(status: number): void {
    const { store, slot } = this.#options.ingest;
    store.counters.addRefusal(slot, status);
  }
}

/** What nginx's `return` answers; a URL without a host is one of this server. */
function returned(located: LocatedRequest, { locations }: Config): Response {
  const { status, text } = located.returned ?? { status: 500, text: null };
  const location = locations[located.index];
  const type = location === undefined ? "text/plain" : contentTypeOf(location, located.path);
  return returnedAnswer(status, text, type, originOf(located, location));
}

/**
 * RFC 9112 3.2: a Host that is none is 400. Bun then gives the path alone, as it does when there is no Host
 * or an empty one.
 */
const hasBadHost = (request: Incoming): boolean =>
  request.exchange === undefined && request.url.startsWith("/") && Boolean(request.headers.get("host"));
