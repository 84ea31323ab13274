/**
 * Checks the whole store against itself: every list, count and link. For tests (fuzz, race, crash) and for a
 * debugging session on a live file; takes the lock for the whole time, so never on the road of a message.
 */
import { FLAG_DELETION, FLAG_INTERNAL, FLAG_PRESENCE, FLAG_STORED } from "../../src/message.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { copyName, hashName } from "../../src/store/channel/names.ts";
import { JOURNAL_KIND, NOTHING } from "../../src/store/lock/journal.ts";
import { acquire, release } from "../../src/store/lock/lock.ts";
import { type Arena, blockWord, channelWord, wide } from "../../src/store/memory/arena.ts";
import { blocksForName } from "../../src/store/memory/blocks.ts";
import { probe } from "../../src/store/memory/hash-table.ts";
import {
  CH_AFTER,
  CH_BEFORE,
  CH_CLASS,
  CH_CREATED,
  CH_INCARNATION,
  CH_LAST_ID,
  CH_NAME_BLOCK,
  CH_NAME_LENGTH,
  CH_NEWEST,
  CH_OLDEST,
  CH_OLDEST_STORED,
  CH_STATE,
  CH_STORED_BLOCKS,
  CH_STORED_COUNT,
  CH_VERSION,
  CLASS_NORMAL,
  CLASS_WILDCARD,
  STATE_DELETED,
  STATE_FREE,
  STATE_LIVE,
  STATE_TRASHED,
} from "../../src/store/memory/layout-channel.ts";
import {
  AGE_COUNT,
  AGE_NEWEST,
  AGE_OLDEST,
  HEAD_DELETED,
  HEAD_EVENTS_CHANNEL,
  HEAD_FREE_BLOCK,
  HEAD_FREE_BLOCKS,
  HEAD_FREE_CHANNEL,
  HEAD_HASH_VERSION,
  HEAD_INTERNAL,
  HEAD_LIVING,
  HEAD_NAME_BLOCKS,
  HEAD_STORED,
  HEAD_TRANSIENT,
  HEAD_TRASHED,
  HEAD_WILDCARDS,
  LIST_COUNT,
  LIST_FIRST,
  LIST_LAST,
} from "../../src/store/memory/layout-header.ts";
import { MSG_NUMBER } from "../../src/store/memory/layout-members.ts";
import {
  MORE_NEXT,
  MSG_AGE_NEWER,
  MSG_AGE_OLDER,
  MSG_CHANNEL,
  MSG_CHECK,
  MSG_FLAGS,
  MSG_ID,
  MSG_LAST,
  MSG_NEWER,
  MSG_OLDER,
  MSG_SERIAL,
  MSG_STAMP,
} from "../../src/store/memory/layout-message.ts";
import { blocksOf, checkOf } from "../../src/store/message/message-words.ts";
import { nextSerial, stampOf } from "../../src/store/message/ring.ts";

/** What is wrong, one sentence each; empty = nothing. */
export function checkInvariants(arena: Arena): string[] {
  acquire(arena);
  const check = new Check(arena);
  check.ageList(HEAD_STORED, true);
  check.ageList(HEAD_TRANSIENT, false);
  check.ageList(HEAD_INTERNAL, true);
  check.channelList(HEAD_LIVING, STATE_LIVE);
  check.channelList(HEAD_DELETED, STATE_DELETED);
  check.channelList(HEAD_TRASHED, STATE_TRASHED);
  check.classes();
  check.hashTable();
  check.freeChannels();
  check.freeBlocks();
  release(arena);
  return check.faults;
}

class Check {
  readonly faults: string[] = [];
  readonly #arena: Arena;
  readonly #usedBlocks: Uint8Array;
  readonly #seenRecords: Uint8Array;
  #nameBlocks = 0;
  #inChannels = 0;
  #inAgeLists = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#usedBlocks = new Uint8Array(arena.layout.blocks + 1);
    this.#seenRecords = new Uint8Array(arena.layout.channels);
    this.#expect((arena.u32[HEAD_HASH_VERSION]! & 1) === 0, "the hash version is odd");
    this.#expect(arena.u32[JOURNAL_KIND] === NOTHING, "a change was planned and not carried out");
  }

  #expect(ok: boolean, sentence: string): void {
    if (!ok && this.faults.length < 20) this.faults.push(sentence);
  }

  #useBlock(block: number, what: string): boolean {
    const fresh = block > 0 && block <= this.#arena.layout.blocks && this.#usedBlocks[block] === 0;
    this.#expect(fresh, `${what}: block ${block} is out of range or used twice`);
    if (fresh) this.#usedBlocks[block] = 1;
    return fresh;
  }

  /** A list by age: links, order, membership, each message's header and chain. */
  ageList(list: number, stored: boolean): void {
    const { u32, layout } = this.#arena;
    let older = 0;
    let count = 0;
    let serial = 0;
    for (
      let block = u32[list + AGE_OLDEST]!;
      block !== 0;
      block = u32[blockWord(layout, block) + MSG_AGE_NEWER]!
    ) {
      const at = blockWord(layout, block);
      if (!this.#messageBlocks(block)) break;
      this.#expect(u32[at + MSG_AGE_OLDER] === older, `message ${block}: the link to its elder is wrong`);
      // Demoted messages enter the unstored list behind younger ones.
      const inOrder = !stored || wide(u32, at + MSG_SERIAL) > serial;
      this.#expect(inOrder, `message ${block}: out of publish order`);
      const flags = u32[at + MSG_FLAGS]!;
      const isOfList = ((flags & FLAG_STORED) !== 0) === stored;
      const isInternal = (flags & FLAG_INTERNAL) !== 0;
      this.#expect(
        isOfList && isInternal === (list === HEAD_INTERNAL),
        `message ${block}: in the wrong list`,
      );
      if ((u32[at + MSG_FLAGS]! & FLAG_DELETION) === 0) this.#inAgeLists++;
      serial = wide(u32, at + MSG_SERIAL);
      older = block;
      count++;
    }
    this.#expect(u32[list + AGE_NEWEST] === older, "an age list has the wrong newest message");
    this.#expect(
      u32[list + AGE_COUNT] === count,
      `an age list counts ${u32[list + AGE_COUNT]} instead of ${count}`,
    );
    this.#expect(serial < nextSerial(this.#arena), "a message has a serial that was not published");
  }

  #messageBlocks(first: number): boolean {
    const { u32, layout } = this.#arena;
    if (!this.#useBlock(first, "message")) return false;
    const at = blockWord(layout, first);
    this.#expect(u32[at + MSG_STAMP] === stampOf(u32[at + MSG_SERIAL]!), `message ${first}: wrong stamp`);
    this.#expect(u32[at + MSG_CHECK] === checkOf(this.#arena, at), `message ${first}: wrong check word`);
    let block = first;
    for (let seen = 1; seen < blocksOf(layout, u32, at); seen++) {
      block = u32[blockWord(layout, block) + MORE_NEXT]!;
      if (!this.#useBlock(block, `message ${first}`)) return false;
      this.#expect(
        u32[blockWord(layout, block)] === 0,
        `message ${first}: word 0 of a further block is not 0`,
      );
    }
    this.#expect(u32[at + MSG_LAST] === block, `message ${first}: wrong last block`);
    this.#expect(u32[blockWord(layout, block) + MORE_NEXT] === 0, `message ${first}: its chain goes on`);
    return true;
  }

  channelList(list: number, state: number): void {
    const { u32, layout } = this.#arena;
    let before = 0;
    let count = 0;
    let created = 0;
    for (let link = u32[list + LIST_FIRST]!; link !== 0; count++) {
      const record = channelWord(layout, link - 1);
      if (!this.#useRecord(link - 1)) break;
      this.#expect(u32[record + CH_STATE] === state, `channel ${link - 1}: wrong state for its list`);
      this.#expect(u32[record + CH_BEFORE] === before, `channel ${link - 1}: wrong link back`);
      if (state === STATE_LIVE) {
        this.#expect(wide(u32, record + CH_CREATED) > created, `channel ${link - 1}: out of creation order`);
        created = wide(u32, record + CH_CREATED);
      }
      this.#channel(link - 1, state);
      before = link;
      link = u32[record + CH_AFTER]!;
    }
    this.#expect(u32[list + LIST_LAST] === before, "a channel list has the wrong last channel");
    this.#expect(
      u32[list + LIST_COUNT] === count,
      `a channel list counts ${u32[list + LIST_COUNT]} instead of ${count}`,
    );
  }

  #useRecord(index: number): boolean {
    const fresh = index >= 0 && index < this.#arena.layout.channels && this.#seenRecords[index] === 0;
    this.#expect(fresh, `channel ${index} is out of range or in two lists`);
    if (fresh) this.#seenRecords[index] = 1;
    return fresh;
  }

  #channel(index: number, state: number): void {
    const { u32, layout } = this.#arena;
    const record = channelWord(layout, index);
    const isOdd = (u32[record + CH_INCARNATION]! & 1) === 1;
    this.#expect(isOdd === (state === STATE_LIVE), `channel ${index}: incarnation does not fit its state`);
    this.#expect((u32[record + CH_VERSION]! & 1) === 0, `channel ${index}: version is odd`);
    this.#name(index, state);
    let older = 0;
    let stored = 0;
    let storedBlocks = 0;
    let oldestStored = 0;
    let id = 0;
    let number = 0;
    for (let block = u32[record + CH_OLDEST]!; block !== 0; ) {
      const at = blockWord(layout, block);
      this.#inChannels++;
      if (this.#usedBlocks[block] !== 1 || this.#inChannels > layout.blocks) {
        this.#expect(false, `channel ${index}: message ${block} is in no age list`);
        break;
      }
      this.#expect(u32[at + MSG_CHANNEL] === index, `message ${block}: in the wrong channel`);
      this.#expect(u32[at + MSG_OLDER] === older, `message ${block}: wrong link to the older one`);
      const isPresence = (u32[at + MSG_FLAGS]! & FLAG_PRESENCE) !== 0;
      const grows = wide(u32, at + MSG_ID) >= id + (isPresence ? 0 : 1);
      this.#expect(grows, `message ${block}: ids do not grow`);
      if (isPresence) {
        this.#expect(u32[at + MSG_NUMBER]! > number, `event ${block}: numbers do not grow`);
        number = u32[at + MSG_NUMBER]!;
      }
      id = wide(u32, at + MSG_ID);
      if ((u32[at + MSG_FLAGS]! & FLAG_STORED) !== 0) {
        stored++;
        storedBlocks += blocksOf(layout, u32, at);
        oldestStored ||= block;
      }
      older = block;
      block = u32[at + MSG_NEWER]!;
    }
    this.#expect(u32[record + CH_NEWEST] === older, `channel ${index}: wrong newest message`);
    this.#expect(u32[record + CH_STORED_COUNT] === stored, `channel ${index}: wrong stored count`);
    this.#expect(u32[record + CH_STORED_BLOCKS] === storedBlocks, `channel ${index}: wrong stored blocks`);
    this.#expect(
      u32[record + CH_OLDEST_STORED] === oldestStored,
      `channel ${index}: wrong oldest stored message`,
    );
    this.#expect(wide(u32, record + CH_LAST_ID) >= id, `channel ${index}: last id is behind its messages`);
  }

  /** Wildcard channels are counted right, and the events channel lives and is a normal one. */
  classes(): void {
    const { u32, layout } = this.#arena;
    const recordOf = (index: number): number => channelWord(layout, index);
    let wildcards = 0;
    for (let index = 0; index < layout.channels; index++) {
      const record = recordOf(index);
      if (u32[record + CH_STATE] === STATE_LIVE && u32[record + CH_CLASS] === CLASS_WILDCARD) wildcards++;
    }
    this.#expect(
      u32[HEAD_WILDCARDS] === wildcards,
      `${u32[HEAD_WILDCARDS]} wildcard channels counted instead of ${wildcards}`,
    );
    const events = u32[HEAD_EVENTS_CHANNEL]!;
    if (events === 0) return;
    const record = recordOf(Math.min(events, layout.channels) - 1);
    const fits = u32[record + CH_STATE] === STATE_LIVE && u32[record + CH_CLASS] === CLASS_NORMAL;
    this.#expect(fits, "the events channel does not live, or is a wildcard channel");
  }

  #name(index: number, state: number): void {
    const { u32, layout } = this.#arena;
    const record = channelWord(layout, index);
    const count = blocksForName(layout, u32[record + CH_NAME_LENGTH]!);
    let block = u32[record + CH_NAME_BLOCK]!;
    for (let seen = 0; seen < count; seen++) {
      if (!this.#useBlock(block, `name of channel ${index}`)) return;
      block = u32[blockWord(layout, block) + MORE_NEXT]!;
    }
    this.#nameBlocks += count;
    const name = copyName(this.#arena, index);
    const found = probe(this.#arena, name, hashName(this.#arena, name), new ChannelRef());
    if (state === STATE_LIVE) this.#expect(found === index, `channel ${index}: not found by its name`);
    else this.#expect(found !== index, `channel ${index}: found although it is gone`);
  }

  /** Each entry is that of a living channel, which is found by it (#name); so as many as those are enough. */
  hashTable(): void {
    const { u32, layout } = this.#arena;
    let entries = 0;
    for (let place = 0; place < layout.hashSize; place++) if (u32[layout.hashWord + place] !== 0) entries++;
    const living = u32[HEAD_LIVING + LIST_COUNT]!;
    this.#expect(entries === living, `the hash table has ${entries} entries for ${living} channels`);
  }

  freeChannels(): void {
    const { u32, layout } = this.#arena;
    for (let link = u32[HEAD_FREE_CHANNEL]!; link !== 0; ) {
      if (!this.#useRecord(link - 1)) break;
      const record = channelWord(layout, link - 1);
      this.#expect(u32[record + CH_STATE] === STATE_FREE, `free channel ${link - 1}: wrong state`);
      link = u32[record + CH_AFTER]!;
    }
    this.#expect(!this.#seenRecords.includes(0), "a channel record is in no list");
    this.#expect(this.#inChannels === this.#inAgeLists, "a message is in no channel");
  }

  freeBlocks(): void {
    const { u32, layout } = this.#arena;
    let count = 0;
    for (let block = u32[HEAD_FREE_BLOCK]!; block !== 0; block = u32[blockWord(layout, block) + MORE_NEXT]!) {
      if (!this.#useBlock(block, "free list")) break;
      this.#expect(u32[blockWord(layout, block)] === 0, `free block ${block}: word 0 is not 0`);
      count++;
    }
    this.#expect(
      u32[HEAD_FREE_BLOCKS] === count,
      `${u32[HEAD_FREE_BLOCKS]} free blocks counted instead of ${count}`,
    );
    this.#expect(this.#usedBlocks.indexOf(0, 1) < 0, "a block is in no list");
    this.#expect(u32[HEAD_NAME_BLOCKS] === this.#nameBlocks, "the blocks of names are miscounted");
  }
}
