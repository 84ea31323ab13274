/**
 * One worker's server: composes the plugins, connects publish with fan-out, listens, and knows how to leave. A worker process runs one
 * (supervisor/worker.ts); tests and embedders may run one inside their own process, with no other difference.
 */
import { Elysia } from "elysia";
import { admin } from "./admin/plugin.ts";
import { headerOnly, refuse } from "./answer.ts";
import { type LocatedRequest, Locator } from "./config/located-request.ts";
import type { Config } from "./config/model.ts";
import { DescriptorWatch } from "./descriptor-watch.ts";
import { Refusals } from "./errors.ts";
import { Fanout } from "./fanout/fanout.ts";
import { files } from "./files/plugin.ts";
import { errorPage } from "./front/error-page.ts";
import { Front } from "./front/front.ts";
import { returnedAnswer } from "./front/returned.ts";
import { peerOfRelay, startEarlyListener } from "./listen/early-listener.ts";
import { type Application, type Listener, startListener } from "./listen/listener.ts";
import { log } from "./log.ts";
import { type Ingest, ingest, openTarget, type Target } from "./publish/ingest.ts";
import { publish } from "./publish/plugin.ts";
import { Counter } from "./store/counters.ts";
import { Doorbell } from "./store/doorbell.ts";
import type { Store } from "./store/store.ts";
import { subscribe } from "./subscribe/plugin.ts";
import { Room } from "./subscribe/room.ts";
import { web } from "./web/plugin.ts";

export interface WorkerOptions {
  readonly config: Config;
  readonly store: Store;
  /** Claimed in the store for this process. */
  readonly slot: number;
  /** The doorbells lie beside it. */
  readonly storePath: string;
  /** Open connections this worker takes; 0 = no limit. */
  readonly maxConnections: number;
  /** Seconds without a byte after which a connection is closed; the configuration's keepalive_timeout unless a test is in a hurry. */
  readonly idleSec?: number;
}

export interface RunningWorker {
  /** Where it listens, as URLs or unix:paths. */
  readonly addresses: readonly string[];
  /** Stops listening, ends what is held, resolves when all connections are gone or the time is over. */
  drain(deadlineMs: number): Promise<void>;
  /**
   * Stops listening, and resolves when all that is held has ended by its own timer or its client, however long that takes
   * (push-stream spec 8.2, QUIT). A drain meanwhile ends it.
   */
  quit(): Promise<void>;
  /** The access logs were moved away: opens them again. */
  reopenLogs(): void;
  stop(): void;
}

const HOUSEKEEPING_MS = 1000;
const DRAIN_LOOK_MS = 10;
const QUIT_LOOK_MS = 50;

/** Throws when an address cannot be listened on. */
export function startWorker(options: WorkerOptions): RunningWorker {
  const { config, store, slot, idleSec = Math.ceil(config.keepaliveTimeoutMs / 1000) } = options;
  const listeners: Listener[] = [];
  const bell = new Doorbell(options.storePath, slot, () => fanout.rung());
  const fanout = new Fanout({
    store,
    slot,
    publish: (topic, payload) => publishTo(listeners, topic, payload),
    ringOther: (other) => bell.ring(other),
    deletedText: new TextEncoder().encode(config.messages.channelDeletedText),
  });
  const inlet: Ingest = { store, slot, published: () => fanout.published() };
  const room = new Room({ config, store, slot, fanout, idleSec, publishFrom: publisherFor(inlet) });
  const locator = new Locator(config);
  const front = new Front(config);
  const plugins = {
    publish: publish({ config, locator, ingest: inlet, front }),
    subscribe: subscribe(room, locator, front),
    files: files(config, locator, front),
    web: web(locator, front),
    admin: admin({ config, store, locator, front, isReady: () => !room.draining }),
  };
  bell.listen();
  // One application a server: an answer to an upgrade has to come from the server that got the request.
  const compose = (): Application => {
    const self: Pick<Application, "fetch"> = { fetch: () => refuse(Refusals.draining) };
    const app = new Elysia({ name: "sluice", handler: { standardHostname: false } })
      .use(entrance(options, listeners, locator, front, (request) => self.fetch(request)))
      .use(plugins.publish)
      .use(plugins.subscribe)
      .use(plugins.files)
      .use(plugins.web)
      .use(plugins.admin);
    // Elysia guesses from a hook's source text whether it is asynchronous and awaits when in doubt: five awaits a request. Ours
    // answer at once or with a promise that Elysia passes on.
    for (const hook of app.event.request ?? []) hook.isAsync = false;
    self.fetch = (request) => app.fetch(request);
    return app;
  };
  const maxBodyBytes = largestBody(config);
  config.listeners.forEach((listener, i) => {
    const { address } = listener;
    const common = { listener, maxBodyBytes, idleSec, compose };
    const serves = (server: object): void => locator.listens(server, address);
    const relays = (server: object): void => locator.listens(server, address, peerOfRelay);
    const socketPath = `${options.storePath}.relay-${slot}-${i}`;
    listeners.push(
      listener.earlyHeads
        ? startEarlyListener({ ...common, serves, relays, socketPath })
        : startListener({ ...common, serves }),
    );
  });
  const descriptors = new DescriptorWatch();
  const housekeeping = setInterval(() => {
    store.sweep(Date.now());
    fanout.closeStuck(performance.now());
    store.setCounter(slot, Counter.CONNECTIONS, connections(listeners));
    descriptors.look();
  }, HOUSEKEEPING_MS);

  const stop = (): void => {
    clearInterval(housekeeping);
    room.stop();
    fanout.stop();
    bell.close();
    void front.close();
    for (const listener of listeners) listener.stop(true);
  };
  return {
    addresses: listeners.map(({ address }) => address),
    stop,
    reopenLogs: () => front.reopenLogs(),
    async drain(deadlineMs) {
      const endMs = performance.now() + deadlineMs;
      for (const listener of listeners) listener.stop(false);
      room.sendAway();
      while (connections(listeners) > 0 && performance.now() < endMs) await Bun.sleep(DRAIN_LOOK_MS);
      await front.close();
      stop();
    },
    async quit() {
      for (const listener of listeners) listener.stop(false);
      room.beginLastRound();
      while (connections(listeners) > 0) await Bun.sleep(QUIT_LOOK_MS);
      await front.close();
      stop();
    },
  };
}

/**
 * What every request passes first: the limit of connections, a path that can be read at all, what the steps of its location
 * return, and who may come in. `again` hands a request in a second time, when a password was verified off the event loop.
 */
const entrance = (
  { store, slot, maxConnections, config }: WorkerOptions,
  listeners: readonly Listener[],
  locator: Locator,
  front: Front,
  again: (request: Request) => Response | Promise<Response>,
) => {
  const admitted = new WeakSet<Request>();
  return new Elysia({ name: "entrance" })
    .onRequest(({ request, server }) => {
      if (maxConnections > 0 && connections(listeners) > maxConnections) {
        store.count(slot, Counter.REFUSED, 1);
        return refuse(Refusals.tooManyConnections, { "Retry-After": "1", Connection: "close" });
      }
      if (hasBadHost(request)) return headerOnly(400);
      const located = locator.look(request, server);
      if (located === null) return headerOnly(400);
      if (located.returned !== null) return front.finish(located, returned(located, config));
      if (admitted.has(request)) return undefined;
      const refused = front.before(located, () => {
        admitted.add(request);
        return again(request);
      });
      if (!(refused instanceof Promise)) return refused === null ? undefined : front.finish(located, refused);
      // Who was let in after all was answered, and finished, by the role.
      return refused.then((answer) => (admitted.has(request) ? answer : front.finish(located, answer)));
    })
    .onError({ as: "global" }, ({ code, error }) => {
      if (code === "NOT_FOUND") return errorPage(404);
      log("error", "a request failed", { code: String(code), error: String(error) });
      return refuse(Refusals.internal);
    });
};

/** What nginx's `return` answers; a URL without a host is one of this server. */
function returned(located: LocatedRequest, { locations }: Config): Response {
  const { status, text } = located.returned ?? { status: 500, text: null };
  const host = located.header("host");
  const origin = host === null ? "" : `${located.scheme}://${host}`;
  return returnedAnswer(status, text, locations[located.index]?.defaultType ?? "text/plain", origin);
}

/** RFC 9112 3.2: a Host that is none is 400. Bun then gives the path alone, as it does when there is no Host or an empty one. */
const hasBadHost = (request: Request): boolean =>
  request.url.startsWith("/") && Boolean(request.headers.get("host"));

/** Bun's server needs one number for all locations; publish/ keeps each to its own. 0 = unlimited. */
function largestBody({ limits, locations }: Config): number {
  const sizes = [limits.maxBodyBytes, ...locations.map(({ maxBodyBytes }) => maxBodyBytes)];
  return sizes.includes(0) ? 0 : Math.max(...sizes);
}

const connections = (listeners: readonly Listener[]): number => {
  let open = 0;
  for (const listener of listeners) open += listener.open;
  return open;
};

/** A topic may have sockets on several listeners; it is delivered when one of them took it. */
function publishTo(listeners: readonly Listener[], topic: string, payload: string | Uint8Array): number {
  let outcome = 0;
  for (const listener of listeners) {
    const sent = listener.publish(topic, payload);
    if (sent !== 0) outcome = sent;
  }
  return outcome;
}

/** How subscribe/ publishes what a WebSocket client sent, without knowing publish/. */
function publisherFor(inlet: Ingest) {
  return (names: readonly Uint8Array[], data: Uint8Array, stored: boolean): boolean => {
    const targets: Target[] = [];
    for (const name of names) {
      const target = openTarget(inlet.store, name, Date.now());
      // A socket that also listens to events publishes to its other channels (push-stream spec 4.13.5).
      if (target === Refusals.eventsChannelReadOnly) continue;
      if ("status" in target) return false;
      targets.push(target);
    }
    return ingest(inlet, targets, { data, eventId: null, eventType: null, stored }, Date.now()) === null;
  };
}
