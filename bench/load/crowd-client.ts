// Many channels and many connections: starts crowd.c and, for the row "race", race.c. The commands are
// described at their tops. There is no stand-in without a C compiler: the rows then say that they were not
// measured.

import { join } from "node:path";
import { compileC } from "../compile.ts";
import { type Peer, publishPath, type Server, type Transport } from "../peers/peer.ts";
import { Generator } from "./generator.ts";
import { MESSAGE_BYTES } from "./swarm-client.ts";

export interface CrowdResult {
  readonly subscribers: number;
  readonly messages: number;
  readonly deliveries: number;
  readonly pings: number;
  readonly wallUs: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export interface CrowdOptions {
  readonly transport: Transport;
  /** Begins the names of its channels; no other crowd of this server may use it. */
  readonly name: string;
  readonly channels?: number;
  /** In how many of them each subscriber is. */
  readonly topics?: number;
  /** Which of the loopback addresses it connects from: 127.1.block.1 and on, so many as `sources`. */
  readonly block?: number;
  readonly sources?: number;
  /** One more field of a subscribe request. */
  readonly field?: string;
}

export class Crowd extends Generator {
  grow(subscribers: number, inFlight: number): Promise<CrowdResult> {
    return this.ask(`grow ${subscribers} ${inFlight}`);
  }

  /** Connects; each counts as here when it has read `behind` messages. */
  replay(subscribers: number, inFlight: number, behind: number): Promise<CrowdResult> {
    return this.ask(`replay ${subscribers} ${inFlight} ${behind}`);
  }

  store(count: number): Promise<CrowdResult> {
    return this.ask(`store ${count}`);
  }

  run(ms: number): Promise<CrowdResult> {
    return this.ask(`run ${ms}`);
  }

  pace(hz: number, ms: number): Promise<CrowdResult> {
    return this.ask(`pace ${hz} ${ms}`);
  }

  post(inFlight: number, ms: number): Promise<CrowdResult> {
    return this.ask(`post ${inFlight} ${ms}`);
  }

  idle(ms: number): Promise<CrowdResult> {
    return this.ask(`idle ${ms}`);
  }

  shut(): Promise<CrowdResult> {
    return this.ask("shut");
  }
}

async function executable(file: string): Promise<string> {
  const path = await compileC(join(import.meta.dir, file));
  if (path === null) throw new Error("needs a C compiler");
  return path;
}

const placeholder = "%s";

export async function startCrowd(peer: Peer, server: Server, options: CrowdOptions): Promise<Crowd> {
  const { transport, name, channels = 1, topics = 1, block = 1, sources = 1, field } = options;
  return new Crowd([await executable("crowd.c")], {
    port: server.port,
    mode: transport,
    subscribe: peer.subscribePath(transport, placeholder),
    publish: publishPath(placeholder),
    name,
    channels,
    topics,
    block,
    sources,
    size: MESSAGE_BYTES,
    ...(field === undefined ? {} : { field }),
  });
}

export interface RaceResult {
  readonly trials: number;
  readonly misses: number;
  /** From the request's last byte to the answer's first. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export class Race extends Generator {
  race(delayUs: number, trials: number): Promise<RaceResult> {
    return this.ask(`race ${delayUs} ${trials}`);
  }
}

export async function startRace(
  peer: Peer,
  server: Server,
  transport: Transport,
  name: string,
): Promise<Race> {
  return new Race([await executable("race.c")], {
    port: server.port,
    mode: transport,
    subscribe: peer.subscribePath(transport, placeholder),
    publish: publishPath(placeholder),
    name,
  });
}
