/**
 * One worker's server: composes the plugins, connects publish with fan-out, listens, and knows how to leave. A worker process runs one
 * (supervisor/worker.ts); tests and embedders may run one inside their own process, with no other difference.
 */
import { Elysia } from "elysia";
import { admin } from "./admin/plugin.ts";
import { headerOnly, refuse } from "./answer.ts";
import { Locator } from "./config/located-request.ts";
import type { Config } from "./config/model.ts";
import { DescriptorWatch } from "./descriptor-watch.ts";
import { Refusals } from "./errors.ts";
import { Fanout } from "./fanout/fanout.ts";
import { log } from "./log.ts";
import { type Ingest, ingest, openTarget, type Target } from "./publish/ingest.ts";
import { publish } from "./publish/plugin.ts";
import { Counter } from "./store/counters.ts";
import { Doorbell } from "./store/doorbell.ts";
import type { Store } from "./store/store.ts";
import { subscribe } from "./subscribe/plugin.ts";
import { Room } from "./subscribe/room.ts";
import type { SocketPeer } from "./subscribe/socket-peer.ts";
import { socketHandlers } from "./subscribe/websocket.ts";
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
  /** Seconds without a byte after which a connection is closed; IDLE_SEC unless a test is in a hurry. */
  readonly idleSec?: number;
}

export interface RunningWorker {
  /** Where it listens, as URLs or unix:paths. */
  readonly addresses: readonly string[];
  /** Stops listening, ends what is held, resolves when all connections are gone or the time is over. */
  drain(deadlineMs: number): Promise<void>;
  stop(): void;
}

type Server = Bun.Server<SocketPeer>;

/** Idle keep-alive connections are closed after this, as nginx's keepalive_timeout; held ones are exempt (subscribe/line.ts). */
const IDLE_SEC = 75;
const HOUSEKEEPING_MS = 1000;
const DRAIN_LOOK_MS = 10;

/** Throws when an address cannot be listened on. */
export function startWorker(options: WorkerOptions): RunningWorker {
  const { config, store, slot, idleSec = IDLE_SEC } = options;
  const servers: Server[] = [];
  const bell = new Doorbell(options.storePath, slot, () => fanout.rung());
  const fanout = new Fanout({
    store,
    slot,
    publish: (topic, payload) => publishTo(servers, topic, payload),
    ringOther: (other) => bell.ring(other),
    deletedText: new TextEncoder().encode(config.messages.channelDeletedText),
  });
  const inlet: Ingest = { store, slot, published: () => fanout.published() };
  const room = new Room({ config, store, slot, fanout, idleSec, publishFrom: publisherFor(inlet) });
  const locator = new Locator(config.locations);
  const plugins = {
    entrance: entrance(options, servers, locator),
    publish: publish({ config, locator, ingest: inlet }),
    subscribe: subscribe(room, locator),
    web: web(locator),
    admin: admin({ config, store, locator, isReady: () => !room.draining }),
  };
  bell.listen();
  for (const address of config.listen) {
    // One Elysia a listener: an answer to an upgrade has to come from the server that got the request.
    const app = new Elysia({ name: "sluice" })
      .use(plugins.entrance)
      .use(plugins.publish)
      .use(plugins.subscribe)
      .use(plugins.web)
      .use(plugins.admin);
    // Elysia guesses from a hook's source text whether it is asynchronous and awaits when in doubt: five awaits a request. Ours
    // answer at once or with a promise that Elysia passes on.
    for (const hook of app.event.request ?? []) hook.isAsync = false;
    app.listen(listenOptions(address, config, idleSec));
    if (app.server === null) throw new Error(`cannot listen on ${address}`);
    servers.push(app.server as Server);
  }
  const descriptors = new DescriptorWatch();
  const housekeeping = setInterval(() => {
    store.sweep(Date.now());
    fanout.closeStuck(performance.now());
    store.setCounter(slot, Counter.CONNECTIONS, connections(servers));
    descriptors.look();
  }, HOUSEKEEPING_MS);

  const stop = (): void => {
    clearInterval(housekeeping);
    room.stop();
    fanout.stop();
    bell.close();
    for (const server of servers) void server.stop(true);
  };
  return {
    addresses: servers.map((server, i) => server.url?.href ?? config.listen[i] ?? ""),
    stop,
    async drain(deadlineMs) {
      const endMs = performance.now() + deadlineMs;
      for (const server of servers) void server.stop(false);
      room.sendAway();
      while (connections(servers) > 0 && performance.now() < endMs) await Bun.sleep(DRAIN_LOOK_MS);
      stop();
    },
  };
}

/** What every request passes first: the limit of connections, and a path that can be read at all. */
const entrance = (
  { store, slot, maxConnections }: WorkerOptions,
  servers: readonly Server[],
  locator: Locator,
) =>
  new Elysia({ name: "entrance" })
    .onRequest(({ request, server }) => {
      if (maxConnections > 0 && connections(servers) > maxConnections) {
        store.count(slot, Counter.REFUSED, 1);
        return refuse(Refusals.tooManyConnections, { "Retry-After": "1", Connection: "close" });
      }
      if (hasBadHost(request)) return headerOnly(400);
      return locator.look(request, server) ? undefined : headerOnly(400);
    })
    .onError({ as: "global" }, ({ code, error }) => {
      if (code === "NOT_FOUND") return refuse(Refusals.unknownLocation);
      log("error", "a request failed", { code: String(code), error: String(error) });
      return refuse(Refusals.internal);
    });

/** RFC 9112 3.2: a Host that is none is 400. Bun then gives the path alone, as it does when there is no Host or an empty one. */
const hasBadHost = (request: Request): boolean =>
  request.url.startsWith("/") && Boolean(request.headers.get("host"));

/** Without a body limit a WebSocket frame still has one: Bun wants a 32-bit number. */
const MAX_FRAME_BYTES = 0x7fffffff;

function listenOptions(address: string, config: Config, idleSec: number) {
  const maxBodyBytes = config.limits.maxBodyBytes > 0 ? config.limits.maxBodyBytes : MAX_FRAME_BYTES;
  const common = {
    development: false,
    error: failed,
    maxRequestBodySize: maxBodyBytes,
    websocket: socketHandlers(maxBodyBytes),
  };
  if (address.startsWith("unix:")) return { ...common, unix: address.slice("unix:".length) };
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return {
    ...common,
    hostname,
    port: Number(address.slice(colon + 1)),
    reusePort: true,
    idleTimeout: idleSec,
  };
}

const connections = (servers: readonly Server[]): number => {
  let open = 0;
  for (const server of servers) open += server.pendingRequests + server.pendingWebSockets;
  return open;
};

/** A topic may have sockets on several listeners; it is delivered when one of them took it. */
function publishTo(servers: readonly Server[], topic: string, payload: string | Uint8Array): number {
  let outcome = 0;
  for (const server of servers) {
    const sent = server.publish(topic, payload as Bun.StringOrBuffer, false);
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
      if ("status" in target) return false;
      targets.push(target);
    }
    return ingest(inlet, targets, { data, eventId: null, eventType: null, stored }, Date.now()) === null;
  };
}

/** A handler's promise failed: Elysia's onError does not hear of those, and Bun would answer with a page that shows our source. */
function failed(error: Error): Response {
  log("error", "a request failed", { error: String(error) });
  return refuse(Refusals.internal);
}
