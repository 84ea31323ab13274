/**
 * Who is in a channel, as the answer of a `presence_list` location:
 *
 *   {"channel":"chat","count":2,"degraded":false,"number":1760…,"position":"…","members":[
 *   {"sub":"ann","info":{…},"since":1760000000,"connections":3},
 *   {"sub":"4fG…","anonymous":true,"since":…,"connections":1}]}
 *
 * `number` is that of the last event that is in it, and `position` the place in the channel: events with
 * higher numbers, or those that a subscriber hears who begins at the position, come on top of it
 * (store/members/member-reading.ts says why that fits).
 *
 * Long lists are read and written a slice a turn, one list at a time, and sent as the client takes them; what
 * is kept of a list that nobody takes are two numbers a member.
 */

import type { LocatedRequest } from "../config/location/located-request.ts";
import { locationValue } from "../config/location/location-values.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { Config, LocationConfig } from "../config/model.ts";
import type { Fanout } from "../fanout/fanout.ts";
import { ANTI_CACHE, methodNotAllowed, NOSNIFF, refuse } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import { ChannelRef } from "../store/channel/channel-ref.ts";
import { type Found, MemberView } from "../store/members/member-reading.ts";
import type { MemberStore, Occupancy } from "../store/members/member-store.ts";
import { BUSY } from "../store/outcome.ts";
import { type Continued, chunkedAnswer } from "../subscribe/chunked-answer.ts";
import { nameRefusal, parseChannelsPath } from "../wire/channels-path.ts";
import { formatPosition, lifeOf } from "../wire/position.ts";

/** What is written in one go. */
const PIECE_BYTES = 64 * 1024;
const PIECE_MS = 4;
const MEMBERS_BETWEEN_CLOCKS = 64;
/** Slices in which the lock could not be had, in a row. */
const MOST_BUSY = 50;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const found = new ChannelRef();
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Asked {
  readonly name: Uint8Array;
  /** -1: there is no such channel. */
  readonly index: number;
  readonly incarnation: number;
}

/** Of a channel that nobody ever stood in. */
const NOBODY: Occupancy = { count: 0, isDegraded: false, lastId: 0, number: 0 };

export class PresenceListings {
  readonly #fanout: Fanout;
  /** Settled when the last list that was asked for is read: a worker reads one at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(fanout: Fanout) {
    this.#fanout = fanout;
  }

  get fanout(): Fanout {
    return this.#fanout;
  }

  /**
   * The records of its members, and how many there were when the reading began; null: the store was busy all
   * the time.
   */
  read(members: MemberStore, asked: Asked): Promise<{ seen: Occupancy; records: Found } | null> {
    const mine = this.#last.then(() => this.#read(members, asked));
    const over = (): void => undefined;
    this.#last = mine.then(over, over);
    return mine;
  }

  async #read(members: MemberStore, { index, incarnation }: Asked) {
    const { slot } = this.#fanout;
    const records: Found = [];
    let seen: Occupancy | null = null;
    for (let busy = 0; busy < MOST_BUSY; ) {
      seen ??= members.occupancy(slot, index, incarnation, true, Date.now());
      const outcome = seen === null ? "busy" : members.readOn(slot, index, records);
      if (outcome === "done" && seen !== null) return { seen, records };
      busy = outcome === "busy" ? busy + 1 : 0;
      await nextTurn();
    }
    return null;
  }
}

export class PresenceEndpoint {
  readonly #listings: PresenceListings;
  readonly #config: Config;
  readonly #channelsPath: CompiledValue;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(listings: PresenceListings, config: Config, location: LocationConfig) {
    this.#listings = listings;
    this.#config = config;
    this.#channelsPath = locationValue(location, location.channelsPath);
    const sniffing = location.nosniff ? NOSNIFF : {};
    this.#headers = { "Content-Type": "application/json", ...ANTI_CACHE, ...sniffing };
  }

  handle(located: LocatedRequest): Response | Promise<Response> {
    if (located.method !== "GET") return methodNotAllowed("GET");
    const path = parseChannelsPath(located.granted ?? this.#channelsPath(located), 1);
    if (path === "empty") return refuse(Refusals.noChannel);
    const name = path === "too many" ? undefined : path.names[0];
    if (name === undefined) return refuse(Refusals.tooManyChannelsInRequest);
    const refusal = nameRefusal(name, this.#config.limits.maxChannelIdLength);
    if (refusal !== null) return refuse(refusal);
    const { store } = this.#listings.fanout;
    const index = store.find(name, found);
    if (index === BUSY) return refuse(Refusals.busy);
    const asked = { name, index, incarnation: found.incarnation };
    const { members } = store;
    if (members === null || index < 0) return this.#answer(members, asked, NOBODY, []);
    return this.#listings
      .read(members, asked)
      .then((read) =>
        read === null ? refuse(Refusals.busy) : this.#answer(members, asked, read.seen, read.records),
      );
  }

  #answer(members: MemberStore | null, asked: Asked, seen: Occupancy, records: Found): Response {
    const { fanout } = this.#listings;
    const pieces = new Pieces(members, asked, records);
    const first = encoder.encode(`${this.#head(asked, seen)}${pieces.next()}`);
    const rest: Continued = { next: () => (pieces.isOver ? null : encoder.encode(pieces.next())) };
    return chunkedAnswer(first, this.#headers, fanout, pieces.isOver ? null : rest);
  }

  #head({ name, index }: Asked, { count, isDegraded, lastId, number }: Occupancy): string {
    const { store } = this.#listings.fanout;
    const base = index < 0 ? 0 : store.positions.base(index);
    const position = lastId === 0 ? store.positions.beginning(base) : base + lastId;
    const token = formatPosition({
      life: lifeOf(store.epoch, [name]),
      positions: [position],
      numbers: [number],
    });
    const head = { channel: decoder.decode(name), count, degraded: isDegraded, number, position: token };
    return `${JSON.stringify(head).slice(0, -1)},"members":[`;
  }
}

/** The members of the list and its end, as text. */
class Pieces {
  isOver = false;
  readonly #members: MemberStore | null;
  readonly #index: number;
  readonly #records: Found;
  readonly #view = new MemberView();
  #at = 0;
  #isFirst = true;

  constructor(members: MemberStore | null, { index }: Asked, records: Found) {
    this.#members = members;
    this.#index = index;
    this.#records = records;
  }

  next(): string {
    let text = "";
    const deadlineMs = performance.now() + PIECE_MS;
    for (let written = 0; this.#at < this.#records.length && text.length < PIECE_BYTES; written++) {
      if (written % MEMBERS_BETWEEN_CLOCKS === MEMBERS_BETWEEN_CLOCKS - 1 && performance.now() > deadlineMs)
        return text;
      text += this.#member(this.#records[this.#at] ?? 0, this.#records[this.#at + 1] ?? 0);
      this.#at += 2;
    }
    if (this.#at < this.#records.length) return text;
    this.isOver = true;
    return `${text}]}\n`;
  }

  /** Empty: gone since. */
  #member(record: number, stamp: number): string {
    const view = this.#view;
    if (this.#members?.read(this.#index, record, stamp, view) !== true) return "";
    const comma = this.#isFirst ? "\n" : ",\n";
    this.#isFirst = false;
    const anonymous = view.isAnonymous ? ',"anonymous":true' : "";
    const info = view.info === "" ? "" : `,"info":${view.info}`;
    const { sinceSec, connections } = view;
    return (
      `${comma}{"sub":${JSON.stringify(view.name)}${anonymous}${info},"since":${sinceSec},` +
      `"connections":${connections}}`
    );
  }
}
