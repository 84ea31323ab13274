/**
 * Small mistakes, drawn once by a seed from the conditions and sums of the parts that carry messages: what
 * stands there, and what stands there with the mistake. scripts/mutants.ts makes one after the other and runs
 * the tests that should notice.
 */
export type Mutant = readonly [file: string, find: string, put: string];

export const MUTANTS: readonly Mutant[] = [
  [
    "src/store/totals.ts",
    "const isApart = eventsChannelOf(arena) >= 0 || internalCount(arena) > 0;",
    "const isApart = eventsChannelOf(arena) > 0 || internalCount(arena) > 0;",
  ],
  [
    "src/store/channel/names.ts",
    "if ((incarnation & 1) === 0) return 0;",
    "if ((incarnation & 1) !== 0) return 0;",
  ],
  ["src/store/memory/mapping.ts", 'if (code === "ELOOP")', 'if (code !== "ELOOP")'],
  [
    "src/store/members/members-look.ts",
    "let sec = Math.min(nowSec, Math.max(u32[MH_SWEPT_SEC]!, nowSec - WHEEL_SLOTS));",
    "let sec = Math.min(nowSec, Math.min(u32[MH_SWEPT_SEC]!, nowSec - WHEEL_SLOTS));",
  ],
  [
    "src/store/members/members-remote.ts",
    "[u32[word + MN_NAME], u32[word + MN_NAME + 1]] = node;",
    "[u32[word + MN_NAME], u32[word + MN_NAME]] = node;",
  ],
  [
    "src/store/channel/sweep.ts",
    "if (done === nowSec || Atomics.compareExchange(arena.u32, HEAD_SWEEP_SECOND, done, " +
      "nowSec) !== done) return;",
    "if (done === nowSec && Atomics.compareExchange(arena.u32, HEAD_SWEEP_SECOND, done, " +
      "nowSec) !== done) return;",
  ],
  [
    "src/store/recovery/recover-channels.ts",
    "if (block === 0 || block > layout.blocks || used[block] !== 0) return false;",
    "if (block === 0 || block > layout.blocks || used[block] !== 0) return true;",
  ],
  [
    "src/store/message/ring.ts",
    "if (behind === 0 || behind >= layout.ringSize) return false;",
    "if (behind === 0 && behind >= layout.ringSize) return false;",
  ],
  [
    "src/store/recovery/recover-torn.ts",
    "if (time === u32[HEAD_CLOCK_SEC]) u32[HEAD_CLOCK_TAG] = Math.max(tag, u32[HEAD_CLOCK_TAG]!);",
    "if (time === u32[HEAD_CLOCK_SEC]) u32[HEAD_CLOCK_TAG] = Math.min(tag, u32[HEAD_CLOCK_TAG]!);",
  ],
  [
    "src/store/recovery/recover.ts",
    "if (wide(u32, at + MSG_ID) > wide(u32, lastId)) growWide(arena, lastId, wide(u32, at + MSG_ID));",
    "if (wide(u32, at + MSG_ID) >= wide(u32, lastId)) growWide(arena, lastId, wide(u32, at + MSG_ID));",
  ],
  [
    "src/store/members/presence-events.ts",
    "for (let block = u32[HEAD_TRANSIENT + AGE_OLDEST]!; block !== 0 && left > 0; left--) {",
    "for (let block = u32[HEAD_TRANSIENT + AGE_OLDEST]!; block !== 0 || left > 0; left--) {",
  ],
  [
    "src/store/members/members-look.ts",
    "(most === 0 || rate <= most * SHARE_TO_RETURN) &&",
    "(most === 0 && rate <= most * SHARE_TO_RETURN) &&",
  ],
  [
    "src/store/message/keys.ts",
    "u32[at + KEY_BODY + 1] = mark.bodyHigh;",
    "u32[at + KEY_BODY] = mark.bodyHigh;",
  ],
  [
    "src/store/recovery/recover-channels.ts",
    "const named = state !== STATE_FREE && markName(arena, index, used);",
    "const named = state === STATE_FREE && markName(arena, index, used);",
  ],
  [
    "src/store/channel/channel-life.ts",
    "setWide(u32, record + CH_BASE, layout.clusterWord === 0 ? nextSerial(arena) - 1 : 0);",
    "setWide(u32, record + CH_BASE, layout.clusterWord !== 0 ? nextSerial(arena) - 1 : 0);",
  ],
  [
    "src/store/jumps.ts",
    "if (position > wide(u32, at) && position < to) return to;",
    "if (position > wide(u32, at) && position <= to) return to;",
  ],
  [
    "src/store/message/append-all.ts",
    "for (let left = MOST_BYTES; at < end && left > 0; ) {",
    "for (let left = MOST_BYTES; at < end || left > 0; ) {",
  ],
  [
    "src/store/replica/replica.ts",
    "if (entry.base !== wide(u32, more + CX_BASE)) beginCounter(arena, record, entry);",
    "if (entry.base === wide(u32, more + CX_BASE)) beginCounter(arena, record, entry);",
  ],
  [
    "src/store/memory/header.ts",
    "header[HEAD_LAYOUT_VERSION] === versionOf(layout) &&",
    "header[HEAD_LAYOUT_VERSION] !== versionOf(layout) &&",
  ],
  [
    "src/store/webhook/webhook-store.ts",
    "return dropped !== false && dropped > 0;",
    "return dropped !== false && dropped >= 0;",
  ],
  [
    "src/store/members/members-of-store.ts",
    "arena.numberBase = members === null ? 0 : wide(members.u32, MH_BASE);",
    "arena.numberBase = members !== null ? 0 : wide(members.u32, MH_BASE);",
  ],
  [
    "src/store/message/last-search.ts",
    "if (!stepBack(this.#arena, this.#index, this.#incarnation, this.#sight)) return true;",
    "if (!stepBack(this.#arena, this.#index, this.#incarnation, this.#sight)) return false;",
  ],
  [
    "src/store/lock/redo.ts",
    "} else if (published === 0) carryOutDeletion(arena);",
    "} else if (published !== 0) carryOutDeletion(arena);",
  ],
  [
    "src/store/members/members.ts",
    "members.f64[MH_COUNTS + COUNT_JOINS] = members.f64[MH_COUNTS + COUNT_JOINS]! + 1;",
    "members.f64[MH_COUNTS + COUNT_JOINS] = members.f64[MH_COUNTS + COUNT_JOINS]!;",
  ],
  [
    "src/store/channel/evict.ts",
    "const lag = u32[HEAD_TRANSIENT + AGE_OLDEST] === 0 ? 0 : largestLag(arena);",
    "const lag = u32[HEAD_TRANSIENT + AGE_OLDEST] !== 0 ? 0 : largestLag(arena);",
  ],
  [
    "src/fanout/poll-carrier.ts",
    "if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() > deadlineMs) return false;",
    "if (i % CLOCK_EVERY !== 0 && this.#standing.nowMs() > deadlineMs) return false;",
  ],
  ["src/fanout/catch-up.ts", "if (outcome === WAIT) {", "if (outcome !== WAIT) {"],
  [
    "src/fanout/local-channel.ts",
    "if (last !== undefined && last !== subscription) {",
    "if (last !== undefined || last !== subscription) {",
  ],
  [
    "src/fanout/poll-carrier.ts",
    "if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() > deadlineMs) return false;",
    "if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() >= deadlineMs) return false;",
  ],
  [
    "src/fanout/read-on.ts",
    "const from = events === null ? null : subscription.sentNumber;",
    "const from = events !== null ? null : subscription.sentNumber;",
  ],
  ["src/fanout/arrivals.ts", "if (arrived === null) return;", "if (arrived !== null) return;"],
  [
    "src/fanout/batch.ts",
    "if (this.count > 0 && isPresence !== this.isPresence) return FOUND;",
    "if (this.count >= 0 && isPresence !== this.isPresence) return FOUND;",
  ],
  [
    "src/fanout/batch.ts",
    "if (isAfterHole || m.number > this.toNumber + 1) {",
    "if (isAfterHole && m.number > this.toNumber + 1) {",
  ],
  [
    "src/fanout/pump.ts",
    "const restMs = channel.busy ? 0 : this.#rests.leftMs(channel, beganMs);",
    "const restMs = channel.busy ? this.#rests.leftMs(channel, beganMs) : 0;",
  ],
  [
    "src/fanout/fanout.ts",
    "if (!subscription.isJoined) this.#catchUp.topic(subscription);",
    "if (subscription.isJoined) this.#catchUp.topic(subscription);",
  ],
  [
    "src/fanout/topics.ts",
    "if (known !== undefined) return known;",
    "if (known === undefined) return known;",
  ],
  ["src/fanout/turns.ts", "return this.#spentMs < SLICE_MS;", "return this.#spentMs <= SLICE_MS;"],
  [
    "src/fanout/read-on.ts",
    "const events = store.members !== null && sink.presence?.isWanted(subscription) ? sink.presence : null;",
    "const events = store.members !== null || sink.presence?.isWanted(subscription) ? sink.presence : null;",
  ],
  [
    "src/listen/http1/field-line.ts",
    "while (at > valueStart && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--;",
    "while (at >= valueStart && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--;",
  ],
  [
    "src/listen/http1/parse-head.ts",
    "const isRequestLine = head.stage === AT_REQUEST_LINE;",
    "const isRequestLine = head.stage !== AT_REQUEST_LINE;",
  ],
  [
    "src/listen/http1/request-line.ts",
    'if (first === POST && length === 4) return "POST";',
    'if (first !== POST && length === 4) return "POST";',
  ],
  [
    "src/listen/http1/body-reader.ts",
    "if (head.contentLength > bounds.bodyBytes) return -413;",
    "if (head.contentLength >= bounds.bodyBytes) return -413;",
  ],
  [
    "src/listen/http1/parse-head.ts",
    "if (stop === lineStop) return refuse(head, isRequestLine ? -414 : -431);",
    "if (stop !== lineStop) return refuse(head, isRequestLine ? -414 : -431);",
  ],
  [
    "src/listen/http1/request-line.ts",
    "if (afterTarget <= 0) return afterTarget;",
    "if (afterTarget < 0) return afterTarget;",
  ],
  [
    "src/listen/http1/octets.ts",
    "const isWord = isAlpha(code) || isDigit(code);",
    "const isWord = isAlpha(code) && isDigit(code);",
  ],
  [
    "src/listen/http1/octets.ts",
    "if (code > 0x20 && code !== 0x7f) found |= TARGET;",
    "if (code > 0x20 && code === 0x7f) found |= TARGET;",
  ],
  [
    "src/listen/http1/field-line.ts",
    "while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;",
    "while (end > start && (bytes[end] === SP || bytes[end - 1] === HTAB)) end--;",
  ],
  [
    "src/listen/http1/body-reader.ts",
    "return this.#expect(byte, LF, this.#left === 0 ? TRAILER : CHUNK);",
    "return this.#expect(byte, LF, this.#left !== 0 ? TRAILER : CHUNK);",
  ],
  ["src/publish/idempotency.ts", "if (value === null) return null;", "if (value !== null) return null;"],
  [
    "src/publish/put.ts",
    'if (next !== undefined && endMs < performance.now()) return "more";',
    'if (next !== undefined || endMs < performance.now()) return "more";',
  ],
  [
    "src/publish/put.ts",
    "place.refusal = place.outcome === KEY_REUSED ? Refusals.keyReused : Refusals.noRoom;",
    "place.refusal = place.outcome !== KEY_REUSED ? Refusals.keyReused : Refusals.noRoom;",
  ],
  [
    "src/publish/batch-line.ts",
    'const [name] = parsed === "too many" ? [] : parsed.names;',
    'const [name] = parsed !== "too many" ? [] : parsed.names;',
  ],
  [
    "src/publish/ingest.ts",
    "for (let at = from; at < targets.length && refused === null; at++) {",
    "for (let at = from; at < targets.length || refused === null; at++) {",
  ],
  [
    "src/publish/batch-line.ts",
    "if (Math.max(idBytes, typeBytes) > MAX_EVENT_NAME_BYTES) return Refusals.eventNameTooLarge;",
    "if (Math.min(idBytes, typeBytes) > MAX_EVENT_NAME_BYTES) return Refusals.eventNameTooLarge;",
  ],
  [
    "src/subscribe/poll.ts",
    "(historyUntil === 0 && store.publishedCount(index) > afterId);",
    "(historyUntil !== 0 && store.publishedCount(index) > afterId);",
  ],
  [
    "src/subscribe/socket-peer.ts",
    'const isNoise = data === "" || (!mayPublish && (isEarly || this.protocol === "template"));',
    'const isNoise = data !== "" || (!mayPublish && (isEarly || this.protocol === "template"));',
  ],
  [
    "src/subscribe/backlog.ts",
    "const isLost = moment.isForgotten || store.history.hasLostAfter(index, moment.time, moment.tag);",
    "const isLost = moment.isForgotten && store.history.hasLostAfter(index, moment.time, moment.tag);",
  ],
  [
    "src/subscribe/admit.ts",
    "wildcardChannelMaxQtd > 0 && wildcards > 0 && (wildcards > wildcardChannelMaxQtd || wildcards === all);",
    "wildcardChannelMaxQtd > 0 && wildcards > 0 && (wildcards > wildcardChannelMaxQtd || wildcards !== all);",
  ],
  [
    "src/subscribe/admit.ts",
    "if (incarnation !== NEVER_LIVES || Buffer.compare(seat.name, name) === 0) return true;",
    "if (incarnation !== NEVER_LIVES || Buffer.compare(seat.name, name) === 0) return false;",
  ],
  [
    "src/subscribe/stream.ts",
    "if (form.tellsLossInside || (asked.time === null && asked.eventId === null)) return NONE;",
    "if (form.tellsLossInside || (asked.time !== null && asked.eventId === null)) return NONE;",
  ],
  [
    "src/subscribe/socket-peer.ts",
    "if (lost.length > 0 && !this.format.tellsGaps) {",
    "if (lost.length >= 0 && !this.format.tellsGaps) {",
  ],
  [
    "src/subscribe/poll.ts",
    "this.#neverIdle || server === null || located.isDirect",
    "this.#neverIdle || server !== null || located.isDirect",
  ],
  [
    "src/cluster/log-reader.ts",
    "for (let at = 0; at + 1 < words.length; at += 2) {",
    "for (let at = 0; at < words.length; at += 2) {",
  ],
  [
    "src/cluster/entry.ts",
    "else if (flag === UNTOLD) isUntold = true;",
    "else if (flag !== UNTOLD) isUntold = true;",
  ],
  [
    "src/cluster/log-reader.ts",
    "if (performance.now() - lookedMs > BLOCK_MS) {",
    "if (performance.now() - lookedMs >= BLOCK_MS) {",
  ],
  [
    "src/cluster/entry.ts",
    "if (from >= end || into.base >= into.position) isFaulty = true;",
    "if (from < end || into.base >= into.position) isFaulty = true;",
  ],
];

/** Mistakes that change nothing anybody could see, and why. By what is put there. */
export const EQUIVALENT: Readonly<Record<string, string>> = {
  "if (wide(u32, at + MSG_ID) >= wide(u32, lastId)) growWide(arena, lastId, wide(u32, at + MSG_ID));":
    "a counter that grows to the number it has",
  "if (i % CLOCK_EVERY === 0 && this.#standing.nowMs() >= deadlineMs) return false;":
    "a slice of milliseconds that ends one tick of the clock earlier",
  "return this.#spentMs <= SLICE_MS;": "the same: a turn's time is measured in fractions of a microsecond",
  "if (performance.now() - lookedMs >= BLOCK_MS) {": "the same, of a second",
  "for (let at = 0; at < words.length; at += 2) {":
    "HGETALL answers in pairs, so the number of words is even",
};
