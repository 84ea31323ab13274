/**
 * One location of role `proxy`, compiled: what plugin.ts and the entrance hand requests to. What goes to a
 * backend and comes back is passed on as it comes, in both directions (pass.ts).
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import type { ProxyConfig } from "../config/model/proxy.ts";
import type { LocationConfig } from "../config/model.ts";
import { errorPage } from "../front/error-page.ts";
import { type BodySource, bodySourceOf } from "../http/body-source.ts";
import { type Answer, asResponse, LaterAnswer } from "../http/direct-answer.ts";
import { log } from "../log.ts";
import type { Backends } from "./backends.ts";
import { compileDestination, type Destination, type DestinationFinder } from "./destination.ts";
import { Pass } from "./pass.ts";
import { compileRequestLines } from "./request-lines.ts";
import { Route } from "./route.ts";
import type { Watch } from "./watch.ts";

const NO_BYTES = new Uint8Array(0);

export class ProxyEndpoint {
  readonly #route: Route;
  readonly #find: DestinationFinder;
  readonly #compose: ReturnType<typeof compileRequestLines>;

  constructor(location: LocationConfig, proxy: ProxyConfig, backends: Backends, watch: Watch) {
    this.#route = new Route(location, proxy, watch);
    this.#find = compileDestination(location, proxy, (target) => backends.of(target, proxy));
    this.#compose = compileRequestLines(location, proxy);
  }

  /** Of a request of Bun's own door a Response. */
  handle(located: LocatedRequest): Answer | Promise<Answer> {
    const answer = this.#handle(located);
    if (located.isDirect) return answer;
    if (answer instanceof LaterAnswer) return answer.promise().then(asResponse);
    return answer instanceof Promise ? answer.then(responseOf) : answer;
  }

  #handle(located: LocatedRequest): Answer | Promise<Answer> {
    const destination = this.#find(located);
    if (destination === null) {
      log("error", "proxy has no valid address", { path: located.path });
      return errorPage(500);
    }
    const { proxy, maxBodyBytes } = this.#route;
    const told = located.header("content-length");
    if (told !== null && maxBodyBytes > 0 && Number(told) > maxBodyBytes) return errorPage(413);
    // An error page is asked for without the body of what went wrong.
    const isWanted = proxy.passesBody && located.method === located.request.method;
    if (!isWanted) return this.#pass(located, destination, NO_BYTES, null, -1);
    const source = bodySourceOf(located.request);
    if (source === null) {
      const here = located.bodyNow() ?? NO_BYTES;
      return this.#pass(located, destination, here, null, told === null ? -1 : here.length);
    }
    if (told !== null) return this.#pass(located, destination, NO_BYTES, source, Number(told));
    if (proxy.minor > 0) return this.#pass(located, destination, NO_BYTES, source, -1);
    return this.#gathered(located, destination);
  }

  #pass(
    located: LocatedRequest,
    destination: Destination,
    here: Uint8Array,
    body: BodySource | null,
    length: number,
  ): Answer {
    const isChunked = body !== null && length < 0;
    const { text, wantsUpgrade } = this.#compose(located, destination, { length, isChunked });
    return new Pass({
      route: this.#route,
      located,
      destination,
      head: text,
      here,
      body,
      isChunked,
      wantsUpgrade,
    }).begin();
  }

  /** HTTP/1.0 knows no chunks: how long the body is has to be known first. */
  async #gathered(located: LocatedRequest, destination: Destination): Promise<Answer> {
    const { maxBodyBytes } = this.#route;
    let body: Uint8Array;
    try {
      body = await located.request.bytes();
    } catch (error) {
      return errorPage(error instanceof RangeError ? 413 : 400);
    }
    if (maxBodyBytes > 0 && body.length > maxBodyBytes) return errorPage(413);
    return this.#pass(located, destination, body, null, body.length);
  }
}

const responseOf = (answer: Answer): Response | Promise<Response> =>
  answer instanceof LaterAnswer ? answer.promise().then(asResponse) : asResponse(answer);
