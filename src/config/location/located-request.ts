/**
 * A request together with the location it belongs to: what endpoints evaluate their complex values on. Made
 * by the locator (locator.ts), which finds the location.
 */
import type { Exchange, Gone, Incoming } from "../../http/incoming.ts";
import { type Callers, type KnownPeer, peerText } from "../../http/peer.ts";
import type { Grant } from "../grant/grant.ts";
import { type Door, UnknownPeer } from "../server/door.ts";
import type { LocationMatch } from "./locations.ts";
import { type Returned, type SteppedRequest, TOO_LONG } from "./rewrite.ts";
import type { Place, Redirect } from "./search.ts";

const ONCE = { once: true };

export class LocatedRequest implements SteppedRequest {
  readonly request: Incoming;
  readonly rawUrlPath: string;
  readonly sentQuery: string;
  rawQuery: string;
  /** That of a page that stands for an error is GET. */
  method: string;
  /** Of Config.locations, the variant that serves; -1: none. */
  index: number;
  /**
   * The channels path a guard gave in place of the location's own, as a binary string; null: it gave none.
   */
  granted: string | null = null;
  /** What was granted (src/access); null: nobody asked, and the location is as open as it is. */
  grant: Grant | null = null;
  /** Who a guard or a grant said it is; null: nobody said. */
  user: string | null = null;
  /** What a step answers; the location's role is then not asked. */
  returned: Returned | null = null;
  captures: readonly string[];
  pathCaptures: readonly string[];
  /** The decoded, normalised path, as a binary string; steps rewrite it. */
  path: string;
  /** The path that its location was found by. */
  foundPath: string;
  /** Something inside has sent it here: it may see locations that are `internal`. */
  isInternal = false;
  /** Its method is one that the location's limit_except is about. */
  isExcepted = false;
  /** How often the location was looked for again. */
  moves = 0;
  /** It was sent on by an error_page, which happens once. */
  hasErrorPage = false;
  /** What error_page wants the answer's status to be; 0: what it is. */
  statusInstead = 0;
  /** Answers from another place of its server; null: nothing in the configuration does that. */
  sendOn: ((to: Redirect) => Response | Promise<Response>) | null = null;
  /** Its server. */
  readonly place: Place;
  readonly #door: Door;
  readonly #exchange: Exchange | undefined;
  /** null: not asked for yet. */
  #callers: Callers | null;
  #variables: Map<string, string> | null = null;

  constructor(
    request: Incoming,
    rawUrlPath: string,
    rawQuery: string,
    match: LocationMatch,
    door: Door,
    place: Place,
    callers: Callers | null,
  ) {
    this.request = request;
    this.#exchange = request.exchange;
    this.method = request.method;
    this.rawUrlPath = rawUrlPath;
    this.sentQuery = rawQuery;
    this.rawQuery = rawQuery;
    this.index = match.index;
    this.captures = match.captures;
    this.pathCaptures = match.captures;
    this.path = match.path;
    this.foundPath = match.path;
    this.#door = door;
    this.place = place;
    this.#callers = callers;
  }

  /** Its door writes the bytes of answers itself, and takes them as such (direct-answer.ts). */
  get isDirect(): boolean {
    return this.#exchange !== undefined;
  }
  /** Bytes of the body, as announced; -1: it says nothing of them. */
  get declaredBytes(): number {
    const exchange = this.#exchange;
    if (exchange !== undefined) return exchange.contentLength;
    const text = this.request.headers.get("content-length");
    return text === null ? -1 : Number(text);
  }
  /** The body, if it is here already and the door has it: good until the next request is looked at. */
  bodyNow(): Uint8Array | null {
    return this.#exchange?.bodyNow() ?? null;
  }
  /** The client has left before it was answered: told once. */
  whenGone(listener: Gone & EventListenerObject): void {
    if (this.#exchange !== undefined) this.#exchange.whenGone(listener);
    else this.request.signal.addEventListener("abort", listener, ONCE);
  }
  /** The address it came to, as configured. */
  get listener(): string {
    return this.#door.address;
  }
  /**
   * Throws UnknownPeer when it was not asked for before the client was gone, or when a trusted proxy does not
   * say who that is.
   */
  get callers(): Callers {
    if (this.#callers !== null) return this.#callers;
    const connection = this.#door.peerOf(this.request);
    if (connection.kind === "unknown") throw new UnknownPeer();
    const client = this.place.readClient?.(connection, this) ?? connection;
    this.#callers = { connection, client };
    return this.#callers;
  }
  /** null: nobody has asked who it is. */
  get knownCallers(): Callers | null {
    return this.#callers;
  }
  /** The client, through whatever proxies. Throws UnknownPeer, as all that follow. */
  get peer(): KnownPeer {
    return this.callers.client;
  }
  get remoteAddress(): string {
    return peerText(this.peer);
  }
  get connectionAddress(): string {
    return peerText(this.callers.connection);
  }
  get scheme(): string {
    const told = this.#door.schemeOf?.(this.request);
    return told ?? (this.request.url.startsWith("https:") ? "https" : "http");
  }

  /**
   * A request that is made in the course of this one, for another location of its server: whoever asks there
   * is who asks here.
   */
  within(request: Incoming, match: LocationMatch): LocatedRequest {
    return new LocatedRequest(request, match.path, "", match, this.#door, this.place, this.callers);
  }

  header(name: string): string | null {
    const exchange = this.#exchange;
    return exchange === undefined ? this.request.headers.get(name) : exchange.field(name);
  }

  variable(name: string): string {
    return this.#variables?.get(name) ?? this.#mapped(name);
  }

  /** Of a map, and the same for the rest of the request. */
  #mapped(name: string): string {
    const value = this.place.maps?.valueOf(name, this) ?? null;
    if (value === null) return "";
    const text = typeof value === "string" ? value : "";
    // What cannot be looked at is not taken for anything, least of all for what is let in.
    if (typeof value !== "string") this.returned = TOO_LONG;
    this.setVariable(name, text);
    return text;
  }

  setVariable(name: string, value: string): void {
    this.#variables ??= new Map();
    this.#variables.set(name, value);
  }

  setCaptures(captures: readonly string[]): void {
    this.captures = captures;
  }

  rewrite(path: string, query: string): void {
    this.path = path;
    this.rawQuery = query;
    this.isInternal = true;
  }
}
