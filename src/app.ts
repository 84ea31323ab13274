/**
 * One worker's server: composes the plugins and connects publish with fan-out; app/ has what it is given, its
 * listeners and how it leaves. A worker process runs one (supervisor/worker/worker.ts); tests and embedders
 * may run one inside their own process, with no other difference.
 */
import { Elysia } from "elysia";
import { Access } from "./access/access.ts";
import { revoke } from "./access/plugin.ts";
import { admin } from "./admin/plugin.ts";
import { drain, quit } from "./app/leaving.ts";
import { idleSecOf, openListeners, publishTo } from "./app/listening.ts";
import { clusterNode, isCaughtUp } from "./app/node.ts";
import type { RunningWorker, WorkerOptions } from "./app/running-worker.ts";
import { AnswerLeases } from "./cluster/answer-leases.ts";
import { lifeOf } from "./cluster/node.ts";
import { WebhookLease } from "./cluster/webhook-lease.ts";
import { Locator } from "./config/location/locator.ts";
import { Console } from "./console/plugin.ts";
import { Entrance } from "./entrance/entrance.ts";
import { innerQuestions } from "./entrance/inner-question.ts";
import { Fanout } from "./fanout/fanout.ts";
import { files } from "./files/plugin.ts";
import { ChannelQuota } from "./front/channel-quota.ts";
import { errorPage } from "./front/error-page.ts";
import { Front } from "./front/front.ts";
import { Guards } from "./handlers/guard.ts";
import { hooksOf } from "./handlers/hooks.ts";
import { HandlerHost } from "./handlers/host.ts";
import { loadHandlers } from "./handlers/loader.ts";
import { handlerEndpoints, handlers } from "./handlers/plugin.ts";
import { closing, isLastRequest, refuse } from "./http/answer.ts";
import { Refusals } from "./http/errors.ts";
import { ConnectionLimit } from "./listen/connection-limit.ts";
import { DescriptorWatch } from "./listen/descriptor-watch.ts";
import { HeapWatch } from "./listen/heap-watch.ts";
import type { Application, Listener } from "./listen/listener.ts";
import { isWebSocket, socketSizes } from "./listen/socket-sizes.ts";
import { sendAnswers } from "./listen/wire/turn-answers.ts";
import { log } from "./log.ts";
import { presenceHooksOf } from "./presence/hooks.ts";
import { PresenceKeeper } from "./presence/keeper.ts";
import { NodePresence } from "./presence/nodes.ts";
import { presence } from "./presence/plugin.ts";
import { proxies, proxy } from "./proxy/plugin.ts";
import { clientPublishing } from "./publish/client-publishing.ts";
import { DiskWait } from "./publish/disk-wait.ts";
import type { Ingest } from "./publish/ingest.ts";
import { publish, publisherEndpoints } from "./publish/plugin.ts";
import { Counter } from "./store/counters.ts";
import { Doorbell } from "./store/message/doorbell.ts";
import { RoomWatch } from "./store/room-watch.ts";
import { Hub } from "./subscribe/hub.ts";
import { subscribe, subscriberEndpoints } from "./subscribe/plugin.ts";
import { type RefusedUpgrader, refuseSocket } from "./subscribe/refused-socket.ts";
import { web } from "./web/plugin.ts";
import { forgetWebhooks, Webhooks } from "./webhooks/webhooks.ts";

// Defined by the build script; started from source it does not exist.
declare const SLUICE_VERSION: string;
const VERSION = typeof SLUICE_VERSION === "string" ? SLUICE_VERSION : "source";

const HOUSEKEEPING_MS = 1000;
/** Throws when an address cannot be listened on. */
export function startWorker(options: WorkerOptions): RunningWorker {
  const { config, store, slot, doors } = options;
  const idleSec = idleSecOf(config);
  const listeners: Listener[] = [];
  const bell = new Doorbell(options.storePath, slot, () => fanout.rung());
  const ring = (other: number): void => bell.ring(other);
  const fanout = new Fanout({
    store,
    slot,
    publish: (topic, payload) => publishTo(listeners, topic, payload),
    ringOther: ring,
    beforeWork: sendAnswers,
    sendMs: config.connections.sendMs,
    deletedText: new TextEncoder().encode(config.messages.channelDeletedText),
  });
  const perAddress = config.limits.maxChannelsCreatedPerAddress;
  const quota = perAddress > 0 ? new ChannelQuota(perAddress) : null;
  const disk = DiskWait.of(store, config.store.sync);
  const nodePresence =
    store.members !== null && config.cluster ? new NodePresence(store, store.members, config.cluster) : null;
  const cluster = config.cluster
    ? clusterNode(config, config.cluster, options, () => fanout.published(), nodePresence, VERSION)
    : null;
  if (cluster !== null) nodePresence?.begin((channel, said) => cluster.note(channel, said));
  const elsewhere = config.cluster ? new WebhookLease(config.cluster, "webhooks", lifeOf(store)) : null;
  const webhooks = config.webhooks ? new Webhooks({ config: config.webhooks, store, slot, elsewhere }) : null;
  // Those of a configuration of before are forgotten.
  if (webhooks === null) forgetWebhooks(store, slot);
  const published = (): void => {
    fanout.published();
    disk?.settled();
  };
  const inlet: Ingest = {
    store,
    slot,
    published,
    onDisk: disk?.settled ?? null,
    quota,
    order: cluster?.order ?? null,
    marksOf: webhooks?.marksOf ?? null,
  };
  const handlerFiles = options.handlerFiles ?? loadHandlers(config);
  const host = new HandlerHost({
    config,
    ingest: inlet,
    fanout,
    files: handlerFiles,
    idleSec,
    storePath: options.storePath,
    timerTurn: config.cluster ? new WebhookLease(config.cluster, "timers", null) : null,
    answerLeases: config.cluster ? new AnswerLeases(config.cluster) : null,
  });
  const programs = handlerEndpoints(host);
  const access = new Access({
    config,
    store,
    askLocation: innerQuestions(programs),
    refuseInWords: (located, refusal, server) =>
      (isWebSocket(config.locations[located.index])
        ? refuseSocket(located, refusal, server as RefusedUpgrader | null)
        : null) ??
      subscribers[located.index]?.turnAway(located, refusal) ??
      null,
  });
  const front = new Front(config, (located, refusal) => {
    store.counters.addRefusal(slot, refusal.status);
    return subscribers[located.index]?.turnAway(located, refusal) ?? refuse(refusal);
  });
  const keeper = store.members === null ? null : new PresenceKeeper(store, store.members, slot);
  const hooks = presenceHooksOf(
    keeper,
    config.locations,
    front.addressLimits.hooksOf(access.hooksOf(hooksOf(host))),
  );
  host.hooks = hooks;
  const handlerBytes = Math.max(0, ...programs.map((program) => program?.maxPayload ?? 0));
  const sizes = socketSizes(config, store.maxMessageBytes, handlerBytes);
  const hub = new Hub({
    config,
    store,
    slot,
    fanout,
    idleSec,
    clients: clientPublishing(inlet),
    hooks,
    quota,
    maxFrameBytes: sizes.subscriberFrameBytes,
  });
  const locator = new Locator(config);
  const guards = new Guards(host, (located, refusal, server, spoken) =>
    refuseSocket(located, refusal, server as RefusedUpgrader | null, spoken),
  );
  const subscribers = subscriberEndpoints(hub);
  const publishers = publisherEndpoints({ config, ingest: inlet, hooks });
  const passing = proxies(config);
  const limit = new ConnectionLimit(listeners, options.maxConnections, options.maxDescriptors);
  const entrance = new Entrance({
    config,
    ingest: inlet,
    locator,
    front,
    access,
    guards,
    publishers,
    subscribers,
    proxies: passing.endpoints,
    isFull: () => limit.isFull,
  });
  const operators = Console.of({ config, ingest: inlet, locator, front, version: VERSION });
  const plugins = {
    publish: publish(publishers, locator, front),
    subscribe: subscribe(subscribers, locator, front),
    files: files(config, locator, front),
    proxy: proxy(passing.endpoints, locator, front),
    handlers: handlers(programs, locator, front),
    web: web(config, locator, front),
    presence: presence({ config, fanout, locator, front }),
    console: operators?.plugin() ?? new Elysia({ name: "console" }),
    revoke: revoke({
      locator,
      front,
      revocations: access.revocations,
      share: cluster === null ? null : (mark) => cluster.order.revoke(mark),
    }),
    admin: admin({
      config,
      store,
      slot,
      ring,
      locator,
      front,
      isReady: () => !hub.draining && isCaughtUp(config, store),
      dictionaries: () => host.dictionaries.counts(),
    }),
  };
  bell.listen();
  // One application a server: an answer to an upgrade has to come from the server that got the request.
  const compose = (): Application => {
    const self: Pick<Application, "fetch"> = { fetch: () => refuse(Refusals.draining) };
    const app = new Elysia({ name: "sluice", handler: { standardHostname: false } })
      .use(entering(entrance, (request) => self.fetch(request)))
      .use(plugins.publish)
      .use(plugins.subscribe)
      .use(plugins.files)
      .use(plugins.proxy)
      .use(plugins.handlers)
      .use(plugins.web)
      .use(plugins.presence)
      .use(plugins.console)
      .use(plugins.revoke)
      .use(plugins.admin);
    // Elysia guesses from a hook's source text whether it is asynchronous and awaits when in doubt: five
    // awaits a request. Ours answer at once or with a promise that Elysia passes on.
    for (const hook of app.event.request ?? []) hook.isAsync = false;
    self.fetch = (request) => app.fetch(request);
    return app;
  };
  openListeners(listeners, { config, entrance, locator, limit, sockets: sizes.sockets, compose });
  doors?.opened();
  const descriptors = new DescriptorWatch(doors);
  const heap = new HeapWatch();
  const roomWatch = new RoomWatch(store);
  const housekeeping = setInterval(() => {
    store.sweep(Date.now());
    fanout.closeStuck(performance.now());
    for (const listener of listeners) listener.look(performance.now());
    store.counters.set(slot, Counter.CONNECTIONS, limit.open);
    descriptors.look();
    heap.look(limit.open);
    roomWatch.look(performance.now());
  }, HOUSEKEEPING_MS);

  const stop = (): void => {
    clearInterval(housekeeping);
    operators?.stop();
    webhooks?.stop();
    cluster?.stop();
    hub.stop();
    keeper?.stop();
    nodePresence?.stop();
    access.stop();
    passing.stop();
    fanout.stop();
    bell.close();
    disk?.stop();
    void front.close();
    for (const listener of listeners) listener.stop(true);
  };
  const leaver = { listeners, doors, limit, hub, host, front, cluster, webhooks, stop };
  return {
    addresses: listeners.map(({ address }) => address),
    stop,
    reopenLogs: () => front.reopenLogs(),
    drain: (how) => drain(leaver, how),
    quit: () => quit(leaver),
  };
}

/** Bun's door: every request passes the entrance before the plugins see it. */
const entering = (entrance: Entrance, again: Application["fetch"]) =>
  new Elysia({ name: "entrance" })
    .onRequest(({ request, server }) => entrance.enter(request, server, () => again(request)))
    .onError({ as: "global" }, ({ code, error, request }) => {
      const unknown = entrance.unknownClient(error);
      if (unknown !== null) return unknown;
      if (code === "NOT_FOUND") return isLastRequest(request) ? closing(errorPage(404)) : errorPage(404);
      log("error", "a request failed", { code: String(code), error: String(error) });
      return refuse(Refusals.internal);
    });
