// Many subscribers of one channel: starts swarm.c (or swarm.ts where there is no compiler). The commands are
// described at the top of swarm.c.

import { join } from "node:path";
import { compileC } from "../compile.ts";
import { type Peer, publishPath, type Server, type Transport } from "../peers/peer.ts";
import { Generator } from "./generator.ts";

export interface RunResult {
  readonly messages: number;
  /** Messages times subscribers, each checked for order and completeness. */
  readonly deliveries: number;
  readonly wallUs: number;
  /** The generator's own CPU time. */
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** Only from `pace`: every latency, sorted. */
  readonly samplesUs?: readonly number[];
}

export const MESSAGE_BYTES = 100;

export class Swarm extends Generator {
  async grow(subscribers: number): Promise<void> {
    await this.ask(`grow ${subscribers}`);
  }

  /** Closed loop: `window` publishes in flight for `ms`. */
  run(window: number, ms: number): Promise<RunResult> {
    return this.ask(`run ${window} ${ms}`);
  }

  /**
   * Open loop: `hz` publishes a second for `ms`. They go over `most` connections, each of which waits for its
   * answer; what is late for that counts from the time at which it was due.
   */
  pace(hz: number, ms: number, most = 64): Promise<RunResult> {
    return this.ask(`pace ${hz} ${ms} ${most}`);
  }

  once(): Promise<RunResult> {
    return this.several(1);
  }

  /** Publishes so many, each when all have the last. */
  several(messages: number): Promise<RunResult> {
    return this.ask(`several ${messages}`);
  }
}

/** Starts a generator for one channel of one server; no subscriber is connected yet. */
export async function startSwarm(
  peer: Pick<Peer, "subscribePath">,
  server: Pick<Server, "port">,
  transport: Transport,
  channel: string,
  size: number = MESSAGE_BYTES,
): Promise<Swarm> {
  const executable = await compileC(join(import.meta.dir, "swarm.c"));
  const command = executable === null ? [process.execPath, join(import.meta.dir, "swarm.ts")] : [executable];
  return new Swarm(command, {
    port: server.port,
    mode: transport,
    subscribe: peer.subscribePath(transport, channel),
    publish: publishPath(channel),
    size,
  });
}
