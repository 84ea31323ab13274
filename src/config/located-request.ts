/**
 * A request together with the location it belongs to: what endpoints evaluate their complex values on. The plugins of app.ts
 * each ask the one locator of the worker, which remembers the last request, so a request is matched once.
 */
import { compileLocations, type LocationMatch, type LocationMatcher } from "./locations.ts";
import type { LocationConfig, Role } from "./model.ts";
import type { RequestFacts } from "./variables.ts";

/** The part of Bun's server that a request may ask. */
export interface AddressSource {
  requestIP(request: Request): { readonly address: string } | null;
}

export class LocatedRequest implements RequestFacts {
  readonly request: Request;
  readonly rawUrlPath: string;
  readonly rawQuery: string;
  readonly #match: LocationMatch;
  readonly #addresses: AddressSource | null;

  constructor(
    request: Request,
    rawUrlPath: string,
    rawQuery: string,
    match: LocationMatch,
    addresses: AddressSource | null,
  ) {
    this.request = request;
    this.rawUrlPath = rawUrlPath;
    this.rawQuery = rawQuery;
    this.#match = match;
    this.#addresses = addresses;
  }

  get captures(): readonly string[] {
    return this.#match.captures;
  }
  get index(): number {
    return this.#match.index;
  }
  get method(): string {
    return this.request.method;
  }
  get remoteAddress(): string {
    return this.#addresses?.requestIP(this.request)?.address ?? "";
  }

  header(name: string): string | null {
    return this.request.headers.get(name);
  }
}

/** Scheme and "//": the authority starts here in every absolute URL Bun gives. Without a Host (HTTP/1.0) it gives the path alone. */
const AFTER_SCHEME = "http://".length;

export class Locator {
  readonly #find: LocationMatcher;
  readonly #roles: readonly Role["kind"][];
  #lastRequest: Request | null = null;
  #last: LocatedRequest | null = null;

  constructor(locations: readonly LocationConfig[]) {
    this.#find = compileLocations(locations);
    this.#roles = locations.map((location) => location.role.kind);
  }

  /** Matches a request for the claims that follow in the same turn. False: its path is malformed (400). */
  look(request: Request, addresses: AddressSource | null): boolean {
    this.#lastRequest = request;
    this.#last = this.#locate(request, addresses);
    return this.#last !== null;
  }

  /** The request in its location if that has the role; null: it is another plugin's, or no location's. */
  claim(role: Role["kind"], request: Request, addresses: AddressSource | null): LocatedRequest | null {
    if (request !== this.#lastRequest) this.look(request, addresses);
    const located = this.#last;
    return located !== null && this.#roles[located.index] === role ? located : null;
  }

  /** Lets go of the last request: called when it was given to an endpoint that keeps what it needs. */
  forget(): void {
    this.#lastRequest = null;
    this.#last = null;
  }

  #locate(request: Request, addresses: AddressSource | null): LocatedRequest | null {
    const { url } = request;
    const start = url.startsWith("/") ? 0 : url.indexOf("/", AFTER_SCHEME + 1);
    const mark = url.indexOf("?", start);
    const path = mark < 0 ? url.slice(start) : url.slice(start, mark);
    const match = this.#find(path);
    if (match === null) return null;
    return new LocatedRequest(request, path, mark < 0 ? "" : url.slice(mark + 1), match, addresses);
  }
}
