/**
 * How a worker leaves: a drain within a time, or a quit as long as its connections last. Used by app.ts. The
 * order is the point of it: nobody new, then those who are held, then what their last bytes need.
 */
import type { ClusterNode } from "../cluster/node.ts";
import type { Front } from "../front/front.ts";
import type { HandlerHost } from "../handlers/host.ts";
import type { ConnectionLimit } from "../listen/connection-limit.ts";
import type { Closing, Doors } from "../listen/doors.ts";
import type { Listener } from "../listen/listener.ts";
import type { Hub } from "../subscribe/hub.ts";
import type { Webhooks } from "../webhooks/webhooks.ts";
import type { Drain } from "./running-worker.ts";

const DRAIN_LOOK_MS = 10;
/** Of the time for a drain: the rest is for those who are slow to take their last bytes. */
const PACED_SHARE = 0.7;
const QUIT_LOOK_MS = 50;
/** Of the time for a drain, at most, until the listening sockets are closed. */
const DOORS_SHARE = 0.5;
const QUIT_DOORS_MS = 2000;

/** The parts of a worker that have to do with its leaving. */
export interface Leaver {
  readonly listeners: readonly Listener[];
  readonly doors: Doors | undefined;
  readonly limit: ConnectionLimit;
  readonly hub: Hub;
  readonly host: HandlerHost;
  readonly front: Front;
  readonly cluster: ClusterNode | null;
  readonly webhooks: Webhooks | null;
  /** Ends what is left, at once. */
  readonly stop: () => void;
}

/** {@link RunningWorker.drain} */
export async function drain(parts: Leaver, { deadlineMs, perSecond, isReload }: Drain): Promise<void> {
  const { cluster, webhooks, listeners, doors, host, hub, limit, front } = parts;
  const endMs = performance.now() + deadlineMs;
  cluster?.leave();
  webhooks?.leave();
  const shut = () => shutDoors(listeners, doors, { isReload, withinMs: deadlineMs * DOORS_SHARE });
  if (isReload || perSecond === 0) await shut();
  host.sendAway();
  await hub.sendAway(isReload, { perSecond, withinMs: (endMs - performance.now()) * PACED_SHARE });
  if (!isReload && perSecond > 0) await shut();
  while ((limit.open > 0 || host.isBusy) && performance.now() < endMs) await Bun.sleep(DRAIN_LOOK_MS);
  host.abandon();
  await front.close();
  parts.stop();
}

/** {@link RunningWorker.quit} */
export async function quit(parts: Leaver): Promise<void> {
  const { cluster, webhooks, listeners, doors, hub, limit, front } = parts;
  cluster?.leave();
  webhooks?.leave();
  await shutDoors(listeners, doors, { isReload: false, withinMs: QUIT_DOORS_MS });
  hub.beginLastRound();
  while (limit.open > 0) await Bun.sleep(QUIT_LOOK_MS);
  await front.close();
  parts.stop();
}

/** Takes nobody any more, when those who are at the door already are in. */
async function shutDoors(
  listeners: readonly Listener[],
  doors: Doors | undefined,
  closing: Closing,
): Promise<void> {
  if (doors !== undefined) {
    for (const listener of listeners) listener.endKept();
    await doors.mayClose(closing);
  }
  for (const listener of listeners) listener.stop(false);
  doors?.closed();
}
