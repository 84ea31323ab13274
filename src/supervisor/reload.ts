/**
 * What a new configuration may change while the store stays: decided here, without side effects, carried out
 * by supervisor.ts.
 *
 * The store's file cannot change its size or place under running workers. As the push stream module does
 * (push-stream spec 8.4), such a change is ignored with a warning, and so is one of the events channel, which
 * is made together with the store (spec 7); everything else takes effect.
 */

import type { StoreConfig } from "../config/model/store.ts";
import type { Config } from "../config/model.ts";
import { parseAddress, renameAddresses } from "./sockets/addresses.ts";

export interface ReloadPlan {
  /** The new configuration with the store settings that stay in force. */
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Addresses nobody of ours listens on yet: main has to find out whether they are free. */
  readonly unprobed: readonly string[];
}

/** The zone is the store: its name, which logs use, stays with it. */
const STORE_NAMES: Readonly<Record<keyof StoreConfig, string>> = {
  size: "memory area size",
  path: "store path",
  sync: "store sync",
  blockSize: "store block size",
  channels: "store channel capacity",
  ringSize: "store ring size",
  keys: "number of idempotency keys",
  members: "number of presence members",
  keep: "whether the store is kept",
  zone: "zone name",
};

/** `ports` maps an address as configured to what it became ("127.0.0.1:0" → "127.0.0.1:41234"). */
export function planReload(current: Config, next: Config, ports: ReadonlyMap<string, string>): ReloadPlan {
  const warnings: string[] = [];
  for (const [field, name] of Object.entries(STORE_NAMES)) {
    const key = field as keyof StoreConfig;
    if (current.store[key] !== next.store[key]) {
      warnings.push(`Cannot change ${name} without restart, ignoring change on zone: ${current.store.zone}`);
    }
  }
  const { eventsChannelId } = current.messages;
  if (eventsChannelId !== next.messages.eventsChannelId) {
    warnings.push(
      `Cannot change events channel without restart, ignoring change on zone: ${current.store.zone}`,
    );
  }
  if (JSON.stringify(current.cluster ?? null) !== JSON.stringify(next.cluster ?? null))
    warnings.push("Cannot change [cluster] without restart, ignoring change");
  if (JSON.stringify(current.user) !== JSON.stringify(next.user))
    warnings.push("Cannot change user without restart, ignoring change");
  const config = renameAddresses(next, (text) => ports.get(text) ?? text);
  return {
    config: {
      ...config,
      store: current.store,
      cluster: current.cluster ?? null,
      user: current.user,
      messages: { ...next.messages, eventsChannelId },
    },
    warnings,
    unprobed: config.listen.filter((text) => !isTaken(text, current.listen)),
  };
}

/**
 * Ours already, or on a port of ours: a probe of 0.0.0.0:8080 would collide with our own 127.0.0.1:8080,
 * which the workers (SO_REUSEPORT) do not.
 */
function isTaken(text: string, ours: readonly string[]): boolean {
  const address = parseAddress(text);
  return ours.some((each) => {
    if (each === text) return true;
    const known = parseAddress(each);
    return known?.kind === "tcp" && address?.kind === "tcp" && known.port === address.port;
  });
}
