/**
 * Presence in a cluster: says to all nodes who comes to this one and who has left it, and hears the same of
 * them (cluster/notes.ts). Every worker says; the one that reads the log hears, and puts it into the table,
 * where the others find it (store/members/members-remote.ts). Made by app.ts.
 */
import { shardOf } from "../cluster/keys.ts";
import type { Answered, Note, NoteListener } from "../cluster/notes.ts";
import type { ClusterConfig } from "../config/model/cluster.ts";
import type { Refusal } from "../http/refusal.ts";
import { log } from "../log.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import type { MemberStore } from "../store/members/member-store.ts";
import type { Newcomer, Said } from "../store/members/member-table.ts";
import { digestOf } from "../store/members/members-remote.ts";
import { BUSY } from "../store/outcome.ts";
import type { LogPlace } from "../store/replica/replica-store.ts";
import type { Store } from "../store/store.ts";

/** Tells all nodes; null: it is in the log. */
type Tell = (channel: Uint8Array, said: Uint8Array) => Promise<Refusal | null>;

/** What the engine did not take is said again. */
const AGAIN_MS = 1000;
const BUSY_MS = 20;
/**
 * Above so many that wait for the engine the oldest go: who is here is said again when the others are said,
 * who is not, until it is heard.
 */
const MOST_WAITING = 16_384;
/** Of a note; what a grant tells of somebody goes first. */
const MOST_INFO_BYTES = 3000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const found = new ChannelRef();

interface Waiting {
  readonly channel: Uint8Array;
  readonly said: Uint8Array;
}

export class NodePresence implements NoteListener {
  readonly #store: Store;
  readonly #members: MemberStore;
  readonly #node: string;
  readonly #shards: number;
  readonly #waiting: Waiting[] = [];
  readonly #lives = new Map<string, string>();
  /** Which lives the table knows. */
  readonly #told = new Map<string, string>();
  readonly #gone = new Set<string>();
  #tell: Tell | null = null;
  #isTelling = false;
  #isSayingAll = false;
  /** Notes that were to be said, those that wait no longer, and those that went to make room for others. */
  #noted = 0;
  #passed = 0;
  #dropped = 0;
  #asksAgain = false;
  /** By shard: where others asked last, up to where they were answered, and where this node asks. */
  readonly #asks = new Map<number, Answered>();
  readonly #answered = new Map<number, Answered>();
  readonly #asking = new Map<number, Answered>();
  /** MemberStore.forgotten when everything was said last; -1: this worker has just begun to read. */
  #saidAfter = -1;
  #isStopped = false;

  constructor(store: Store, members: MemberStore, { node, shards }: Pick<ClusterConfig, "node" | "shards">) {
    this.#shards = shards;
    this.#store = store;
    this.#members = members;
    this.#node = node;
  }

  begin(tell: Tell): void {
    this.#tell = tell;
    this.#members.onSaid = (said) => this.#say(said);
  }

  stop(): void {
    this.#isStopped = true;
    this.#members.onSaid = null;
  }

  #say(said: Said): void {
    this.#waiting.push({ channel: said.channel, said: writeNote(said) });
    this.#noted++;
    if (this.#waiting.length > MOST_WAITING) {
      this.#waiting.shift();
      this.#passed++;
      this.#dropped++;
    }
    if (!this.#isTelling) void this.#tellAll();
  }

  /** One after the other, as they happened. */
  async #tellAll(): Promise<void> {
    this.#isTelling = true;
    const dropped = this.#dropped;
    for (
      let next = this.#waiting.shift();
      next !== undefined && !this.#isStopped;
      next = this.#waiting.shift()
    ) {
      for (;;) {
        const refusal = (await this.#tell?.(next.channel, next.said)) ?? null;
        // What is wrong with the note itself will not pass.
        if (refusal === null || refusal.status < 500 || this.#isStopped) break;
        await Bun.sleep(AGAIN_MS);
      }
      this.#passed++;
    }
    this.#isTelling = false;
    if (this.#dropped > dropped && !this.#isStopped) this.asked(null);
  }

  // --- heard, by the worker that reads the log -------------------------------------------------------------

  heard({ node, life, channel, said }: Note): boolean {
    if (!this.#settled()) return false;
    const who = readNote(said);
    if (who === null) {
      log("warn", "another node has said something of presence that this version does not know", { node });
      return true;
    }
    const index = this.#indexOf(channel, who.isHere);
    if (index === BUSY) return false;
    // There is no such channel here, or no room for it.
    if (index < 0) return true;
    const from = node === this.#node ? null : ([digestOf(node), digestOf(life)] as const);
    return this.#members.nodes.hear(from, who.isHere, index, found.incarnation, who, Date.now());
  }

  #indexOf(channel: Uint8Array, isHere: boolean): number {
    const index = this.#store.find(channel, found);
    if (index === BUSY || index >= 0 || !isHere) return index;
    return this.#store.open(channel, Math.floor(Date.now() / 1000), found);
  }

  alive(node: string, life: string): void {
    if (node === this.#node) this.#sayForTheDead();
    if (node === this.#node || this.#lives.get(node) === life) return;
    this.#lives.set(node, life);
    this.#settleSoon();
  }

  gone(node: string): void {
    if (node === this.#node) return;
    this.#lives.delete(node);
    this.#gone.add(node);
    this.#settleSoon();
  }

  /**
   * A worker that dies between a join and its note leaves a member whom nobody else knows: he may be back on
   * another worker within the linger, for whom he was there all the time. Looked at with each own heartbeat,
   * which only the worker that reads hears; it may be in the place of one that died.
   */
  #sayForTheDead(): void {
    const { forgotten } = this.#members;
    if (forgotten === this.#saidAfter || this.#isSayingAll) return;
    this.#saidAfter = forgotten;
    this.asked(null);
  }

  /** Somebody new reads, lacks a part of the log, or took this node for gone. */
  asked(place: LogPlace | null): void {
    if (place !== null) this.#asks.set(place.shard, { term: place.term, n: place.n });
    this.#asksAgain = true;
    if (!this.#isSayingAll) void this.#sayAll();
  }

  async #sayAll(): Promise<void> {
    this.#isSayingAll = true;
    while (this.#asksAgain && !this.#isStopped) {
      this.#asksAgain = false;
      const [asks, dropped] = [new Map(this.#asks), this.#dropped];
      for (let from = 0; from <= this.#members.records && !this.#isStopped; ) {
        from = this.#members.nodes.sayAll(from, Date.now());
        // Not more at a time than the log takes.
        while (this.#waiting.length > MOST_WAITING / 2 && !this.#isStopped) await Bun.sleep(BUSY_MS);
        await new Promise((resolve) => setImmediate(resolve));
      }
      // Until all of it is in the log: this is what the next heartbeat says.
      for (const noted = this.#noted; this.#passed < noted && !this.#isStopped; ) await Bun.sleep(BUSY_MS);
      if (this.#dropped === dropped) for (const [shard, place] of asks) this.#answered.set(shard, place);
    }
    this.#isSayingAll = false;
  }

  answered(shard: number): Answered | null {
    return this.#answered.get(shard) ?? null;
  }

  // --- what this node did not read -------------------------------------------------------------------------

  /** Who left meanwhile nobody says again: who is not named by those that are asked now has left. */
  doubts(shard: number): void {
    this.#asking.delete(shard);
    this.#members.nodes.doubt(shard);
  }

  asking(shard: number, place: Answered): void {
    this.#asking.set(shard, place);
  }

  /** Each heartbeat of a node says so: where the store is busy, the next one does it. */
  saidAll(shard: number, node: string, answers: Answered): void {
    const asking = this.#asking.get(shard);
    if (asking === undefined || node === this.#node || !this.#settled()) return;
    if (answers.term < asking.term || (answers.term === asking.term && answers.n < asking.n)) return;
    const isOfShard = (index: number): boolean => shardOf(this.#store.name(index), this.#shards) === shard;
    this.#members.nodes.settle(shard, digestOf(node), isOfShard, Date.now());
  }

  #settleSoon(): void {
    if (!this.#settled() && !this.#isStopped) setTimeout(() => this.#settleSoon(), BUSY_MS);
  }

  /** What does not hold any more is forgotten before anything new is heard. False: the store is busy. */
  #settled(): boolean {
    const nowMs = Date.now();
    for (const node of this.#gone) {
      if (!this.#members.nodes.lostNode(digestOf(node), nowMs)) return false;
      this.#gone.delete(node);
      this.#told.delete(node);
    }
    for (const [node, life] of this.#lives) {
      if (this.#told.get(node) === life) continue;
      if (!this.#members.nodes.heardNode(digestOf(node), digestOf(life), nowMs)) return false;
      this.#told.set(node, life);
    }
    return true;
  }
}

function writeNote(said: Said): Uint8Array {
  const info = said.info.length > 0 && said.info.length <= MOST_INFO_BYTES ? decoder.decode(said.info) : "";
  return encoder.encode(
    JSON.stringify({
      here: said.isHere,
      sub: decoder.decode(said.name),
      ...(info === "" ? {} : { info }),
      anonymous: said.isAnonymous,
      listed: said.isListed,
      linger: said.lingerSec,
      members: said.mostMembers,
      events: said.mostEvents,
    }),
  );
}

/** null: it is of a version that says other things. */
function readNote(said: Uint8Array): (Newcomer & { readonly isHere: boolean }) | null {
  const note = parsed(decoder.decode(said));
  if (typeof note !== "object" || note === null) return null;
  const { here, sub, info, anonymous, listed, linger, members, events } = note as Record<string, unknown>;
  if (typeof here !== "boolean" || typeof sub !== "string") return null;
  return {
    isHere: here,
    name: encoder.encode(sub),
    // It becomes part of frames as it is.
    info: encoder.encode(typeof info === "string" && parsed(info) !== undefined ? info : ""),
    isAnonymous: anonymous === true,
    isListed: listed === true,
    lingerSec: whole(linger),
    mostMembers: whole(members),
    mostEvents: whole(events),
  };
}

/** undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // whoever said it is of another version
  }
}

const whole = (value: unknown): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
