/**
 * How subscribe/ publishes what a WebSocket client says, without knowing this folder: app.ts hands this over.
 * In the order of its calls, unless `publish` answers with a promise; then the next one has to wait for it.
 * What is said to one channel and has no key goes the short way, in a run (client-run.ts).
 */

import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { ClientRun } from "./client-run.ts";
import { keyWith } from "./idempotency.ts";
import { type Draft, type Ingest, marksFor } from "./ingest.ts";
import { type Result, Results } from "./own-form.ts";
import { type Place, placesOf, putAll, refusalOf } from "./put.ts";

export interface SaidMessage extends Draft {
  /** With what was sent, before a hook made something else of it; null: it has none. */
  readonly key: { readonly bytes: Uint8Array; readonly sent: Uint8Array } | null;
  /** Its client waits to hear where it is. */
  readonly isTold: boolean;
  /** Who a grant says its client is; null: nobody said. */
  readonly by: string | null;
  readonly trace: Uint8Array | null;
}

export interface Published {
  /** null: it is in. */
  readonly refusal: Refusal | null;
  /** Where; empty: nobody asked. */
  readonly where: Result;
  /** When it is on the disk, and false if that is not known; null: nobody waits for a disk. */
  readonly onDisk: Promise<boolean> | null;
}

const NOWHERE = {};

export interface ClientPublishing {
  readonly publish: (names: readonly Uint8Array[], message: SaidMessage) => Published | Promise<Published>;
  readonly run: ClientRun;
}

export function clientPublishing(inlet: Ingest): ClientPublishing {
  const results = new Results(inlet.store);
  const outcomeOf = (all: readonly Place[], isTold: boolean): Published => {
    const [only] = all;
    // Most of what is said: for one channel, and it is in.
    if (all.length === 1 && only?.refusal === null) {
      const where = isTold ? results.of(all) : NOWHERE;
      return { refusal: null, where, onDisk: isTold ? (inlet.onDisk?.() ?? null) : null };
    }
    // A socket that also listens to events publishes to its other channels (push-stream spec 4.13.5).
    const places = all.filter(({ refusal }) => refusal !== Refusals.eventsChannelReadOnly);
    const refusal = places.length === 0 && isTold ? Refusals.eventsChannelReadOnly : refusalOf(places);
    const where = refusal === null && isTold ? results.of(places) : NOWHERE;
    return { refusal, where, onDisk: refusal === null && isTold ? (inlet.onDisk?.() ?? null) : null };
  };
  const publish: ClientPublishing["publish"] = (names, message) => {
    const { key, isTold, data, by, trace } = message;
    const marks = marksFor(inlet, by, null, data, trace);
    const own = key === null ? null : keyWith(key.bytes, key.sent, null, null);
    const { eventId, eventType, stored } = message;
    const places = placesOf(names, { data, eventId, eventType, stored, marks, key: own });
    // What stands for the message, while it waits for a busy store.
    const late = putAll(inlet, places, places);
    return late === null ? outcomeOf(places, isTold) : late.then(() => outcomeOf(places, isTold));
  };
  return { publish, run: new ClientRun(inlet, results) };
}
