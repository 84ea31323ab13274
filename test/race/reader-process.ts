/**
 * One subscriber side: `reader-process.ts <store> <messages>`. Follows the ring entry by entry, reads the
 * channels themselves when it was lapped, as a worker's pump does, and checks that in each channel every id
 * comes once, in order, or is accounted for as missed. Ends when `messages` messages were published and it
 * has seen them all.
 */
import { Message } from "../../src/store/message/message-view.ts";
import { FOUND, GONE } from "../../src/store/message/reader.ts";
import { RingEntry } from "../../src/store/message/ring.ts";
import { attachStore } from "../../src/store/opening.ts";
import { BUSY } from "../../src/store/outcome.ts";
import { beforeLast } from "../store/fixture.ts";
import { provePayload } from "./payload.ts";
import { RACE_CHANNELS, RACE_POLICY, type ReaderResult, raceName } from "./race-setting.ts";

const [path = "", messages = "0"] = process.argv.slice(2);
const store = attachStore(path, RACE_POLICY);
const result: ReaderResult = { faults: [], delivered: 0, missed: 0, lapped: 0, evicted: 0, walks: 0 };
const entry = new RingEntry();
const message = new Message();

interface Seen {
  index: number;
  incarnation: number;
  lastId: number;
  /** Messages known to be lost since lastId: their entry was there, their block was not. */
  lost: number;
  /** False when some of `lost` may have been delivered by a catch-up: then it is a bound. */
  exact: boolean;
  /** Last count seen of each writer, which must grow within a channel. */
  writers: Map<number, number>;
}

const channels = new Map<number, Seen>();
let total = 0;
for (let number = 0; number < RACE_CHANNELS; number++) {
  const index = store.open(raceName(number), Math.floor(Date.now() / 1000));
  const incarnation = store.incarnation(index);
  channels.set(index, { index, incarnation, lastId: 0, lost: 0, exact: true, writers: new Map() });
}

function fault(sentence: string): void {
  if (result.faults.length < 10) result.faults.push(sentence);
}

function deliver(seen: Seen): void {
  const { whole, writer, count } = provePayload(message.bytes, message.dataOffset, message.dataLength);
  if (!whole) fault(`message ${message.id} of channel ${seen.index} is torn`);
  if (count <= (seen.writers.get(writer) ?? -1)) fault(`writer ${writer}: ${count} came after a later one`);
  if (message.channelIndex !== seen.index || message.incarnation !== seen.incarnation)
    fault("a message of another channel");
  seen.writers.set(writer, count);
  result.delivered++;
  skipTo(seen, message.id - 1);
  seen.lastId = message.id;
  total++;
}

/** Everything up to `id` that was not delivered is missed. */
function skipTo(seen: Seen, id: number): void {
  const skipped = Math.max(0, id - seen.lastId);
  result.missed += skipped;
  total += skipped;
  seen.lastId += skipped;
  seen.lost = 0;
  seen.exact = true;
}

/** Up to this serial the ring may show what a catch-up has delivered already. */
let caughtUpTo = 0;

function followEntry(): void {
  const seen = channels.get(entry.channel);
  if (seen === undefined || seen.incarnation !== entry.incarnation) return;
  const mayRepeat = ((entry.serial - caughtUpTo) | 0) < 0;
  if (!store.history.read(entry.block, entry.stamp, message)) {
    result.evicted++;
    seen.lost++;
    if (mayRepeat) seen.exact = false;
    return;
  }
  if (message.id <= seen.lastId) {
    if (!mayRepeat) fault(`channel ${seen.index}: ${message.id} came after ${seen.lastId}`);
    return;
  }
  const skipped = message.id - seen.lastId - 1;
  if (skipped > seen.lost || (seen.exact && skipped !== seen.lost)) {
    fault(`channel ${seen.index}: ${seen.lastId} → ${message.id}, but ${seen.lost} were lost`);
  }
  deliver(seen);
}

/** The whole ring went by: asks the channels themselves. */
function catchUp(): void {
  result.lapped++;
  for (const seen of channels.values()) {
    // Before the walk: what was published by now and is not met was evicted.
    const published = store.publishedCount(seen.index);
    const reader = store.history.reader(seen.index, seen.incarnation, seen.lastId);
    let outcome = reader.next(message);
    // BUSY: others evict at this very place; a worker looks again a moment later.
    for (; outcome === FOUND || outcome === BUSY; outcome = reader.next(message)) {
      if (outcome === BUSY) continue;
      if (message.id <= seen.lastId) fault(`a Reader gave ${message.id} after ${seen.lastId}`);
      reader.accept(message);
      deliver(seen);
    }
    if (outcome === GONE) fault("a channel is gone");
    skipTo(seen, published);
  }
  // One more: a message stands in its channel a moment before the ring head shows it, so the walk may have
  // been ahead by one.
  caughtUpTo = (store.head() + 1) >>> 0;
}

/** Lock-free walks and look-ups while everything moves. */
function walkSomewhere(turn: number): void {
  const number = turn % RACE_CHANNELS;
  const index = store.find(raceName(number));
  const seen = channels.get(index);
  if (seen === undefined) {
    fault(`race ${number} was not found`);
    return;
  }
  const before = Math.max(0, seen.lastId - (turn % 50));
  const after = turn % 2 === 0 ? before : beforeLast(store, index, seen.incarnation, 20);
  const reader = store.history.reader(index, seen.incarnation, after);
  let previous = after;
  for (let step = 0; step < 20 && reader.next(message) === FOUND; step++) {
    if (message.id <= previous) fault(`a walk met ${message.id} after ${previous}`);
    if (!provePayload(message.bytes, message.dataOffset, message.dataLength).whole)
      fault("a walk met a torn message");
    reader.accept(message);
    previous = message.id;
  }
  if (after > store.publishedCount(index)) fault(`the last 20 begin after ${after}`);
  result.walks++;
}

let cursor = 1;
let quietTurns = 0;
const deadline = Date.now() + 20_000;
for (let turn = 0; total < Number(messages) && Date.now() < deadline; turn++) {
  const head = store.head();
  while (cursor !== head) {
    if (!store.entry(cursor, entry)) {
      cursor = store.head();
      catchUp();
      break;
    }
    followEntry();
    cursor = (cursor + 1) >>> 0;
  }
  walkSomewhere(turn);
  if (turn % 8 === 0) {
    await Bun.sleep(0);
    if (cursor === store.head() && allPublished()) for (const seen of channels.values()) settleTail(seen);
  }
}

/** True when the writers are done and nothing of theirs can be on its way into the ring. */
function allPublished(): boolean {
  let published = 0;
  for (const { index } of channels.values()) published += store.publishedCount(index);
  if (published < Number(messages)) quietTurns = 0;
  return published === Number(messages) && ++quietTurns > 3;
}

/** What was lost at the very end shows in no later id: the channel's counter tells of it. */
function settleTail(seen: Seen): void {
  const published = store.publishedCount(seen.index);
  if (published - seen.lastId > seen.lost)
    fault(`channel ${seen.index}: ${published} published, ${seen.lastId} seen`);
  skipTo(seen, published);
}

if (total < Number(messages)) fault(`only ${total} of ${messages} were accounted for`);
process.stdout.write(JSON.stringify(result));
