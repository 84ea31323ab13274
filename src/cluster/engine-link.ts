/**
 * A connection to the primary of one shard that is made again whenever it ends, and what is known of the
 * server it leads to. The publisher of each worker has one, and the reader of the node another, which waits
 * in XREAD.
 *
 *   away ──► find the primary ──► connect ──► ask who it is ──► up ──► (the connection is over) ──► away
 */
import type { ClusterConfig, EngineAddress } from "../config/model/cluster.ts";
import { findPrimary } from "./discovery.ts";
import { EngineConnection } from "./engine-connection.ts";
import type { ShardKeys } from "./keys.ts";
import { askServer, type ServerInfo, unfit } from "./server-info.ts";

/** One connection, from the moment its server is known. */
export interface Session {
  readonly redis: EngineConnection;
  readonly server: ServerInfo;
  readonly at: string;
}

export interface LinkListener {
  up(session: Session): void;
  /** Not called for an attempt that failed. */
  down(): void;
  /** Each attempt that failed. */
  failed(cause: string): void;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

export class EngineLink {
  readonly #config: ClusterConfig;
  readonly #engine: EngineAddress;
  readonly #keys: ShardKeys;
  readonly #listener: LinkListener;
  #session: Session | null = null;
  #isStopped = false;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(config: ClusterConfig, engine: EngineAddress, keys: ShardKeys, listener: LinkListener) {
    this.#config = config;
    this.#engine = engine;
    this.#keys = keys;
    this.#listener = listener;
  }

  get session(): Session | null {
    return this.#session;
  }

  start(): void {
    this.#connect().catch((error: unknown) => {
      this.#listener.failed(error instanceof Error ? error.message : String(error));
      this.#later();
    });
  }

  /** The server does not answer, or is no primary any more: look for it anew. */
  giveUp(): void {
    const session = this.#session;
    if (session === null) return;
    this.#ended(session);
    session.redis.disconnect();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#session?.redis.disconnect();
  }

  async #connect(): Promise<void> {
    const host = await findPrimary(this.#config, this.#engine, this.#keys);
    const redis = await EngineConnection.open(this.#config, this.#engine, host);
    const server = await this.#ask(redis);
    if (this.#isStopped) {
      redis.disconnect();
      return;
    }
    if (!redis.isOpen) throw new Error("the connection ended at once");
    const session = { redis, server, at: `${host.host}:${host.port}` };
    this.#session = session;
    redis.onEnd(() => this.#ended(session));
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#listener.up(session);
  }

  async #ask(redis: EngineConnection): Promise<ServerInfo> {
    const timer = setTimeout(() => redis.disconnect(), this.#config.engineTimeoutMs);
    try {
      const server = await askServer(redis);
      const fault = unfit(server);
      if (fault !== null) throw new Error(`the server ${fault}`);
      return server;
    } catch (error) {
      redis.disconnect();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #ended(session: Session): void {
    if (this.#session !== session) return;
    this.#session = null;
    this.#listener.down();
    this.#later();
  }

  #later(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => this.start(), this.#pauseMs);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }
}
