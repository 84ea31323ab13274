/**
 * Safety steps of the server, each with what stands for it in the source and what stands there without it. A
 * server built without one must make `sluice verify` find the promise broken: else the checker is blind
 * there. Used by scripts/controls.ts.
 */
export interface Control {
  readonly name: string;
  readonly edits: readonly (readonly [file: string, find: string, put: string])[];
  /** Under which fault of src/verify/faults.ts it shows. */
  readonly fault: string;
  /** It shows on nodes over an engine. */
  readonly isCluster?: true;
  /** Promises, one of which has to be found broken. */
  readonly breaks: readonly string[];
}

export const CONTROLS: readonly Control[] = [
  {
    name: "what was missed is read before a stream is live",
    edits: [
      [
        "src/fanout/catch-up.ts",
        "const outcome = readOn(this.#store, subscription, Number.MAX_SAFE_INTEGER, this.#streamSink);",
        "const outcome: number = this.#store === null ? readOn(this.#store, subscription, " +
          "0, this.#streamSink) : 0;",
      ],
    ],
    fault: "none",
    breaks: ["resumable", "gapless"],
  },
  {
    name: "what was missed is read before a socket enters its topic",
    edits: [
      [
        "src/fanout/catch-up.ts",
        "const outcome = readOn(this.#store, subscription, delivered, this.#topicSink, deliveredNumber);",
        "const outcome: number = delivered < 0 ? readOn(this.#store, subscription, 0, this.#topicSink, " +
          "deliveredNumber) : 0;\n      subscription.sentId = delivered;",
      ],
    ],
    fault: "none",
    breaks: ["resumable", "gapless"],
  },
  {
    name: "what is missing is told",
    edits: [
      [
        "src/fanout/read-on.ts",
        "return missed === 0 || sink.gap(subscription, toldCount(missed), upTo);",
        "return missed >= 0 || sink.gap(subscription, toldCount(missed), upTo);",
      ],
    ],
    fault: "store-full",
    breaks: ["resumable", "gapless"],
  },
  {
    name: "what is missing is counted right",
    edits: [
      [
        "src/fanout/read-on.ts",
        "sink.gap(subscription, toldCount(missed), upTo);",
        "sink.gap(subscription, toldCount(missed + 1), upTo);",
      ],
    ],
    fault: "store-full",
    breaks: ["counted"],
  },
  {
    name: "a position of another life is foreign",
    edits: [
      [
        "src/subscribe/backlog.ts",
        "const isOurs = token.life === life && token.positions.length === seats.length;",
        'const isOurs = life !== "" && token.positions.length === seats.length;',
      ],
    ],
    fault: "power-cut",
    breaks: ["resumable", "gapless", "order", "once", "counted"],
  },
  {
    name: "a resume begins behind the last message, and not behind the one after it",
    edits: [
      [
        "src/subscribe/backlog.ts",
        "return this.#store.isLive(seat.index, seat.incarnation) ? start : NOWHERE;",
        "return { ...start, afterId: Math.min(start.newest, start.afterId + 1) };",
      ],
    ],
    fault: "none",
    breaks: ["resumable", "gapless"],
  },
  {
    name: "a resume begins behind the last message, and not before it",
    edits: [
      [
        "src/subscribe/backlog.ts",
        "return this.#store.isLive(seat.index, seat.incarnation) ? start : NOWHERE;",
        "return { ...start, afterId: Math.max(0, start.afterId - 1) };",
      ],
    ],
    fault: "none",
    breaks: ["once"],
  },
  {
    name: "only what has expired goes while there is room",
    edits: [
      [
        "src/store/channel/evict.ts",
        "arena.u32[blockWord(arena.layout, block) + MSG_EXPIRES]! <= nowSec;",
        "arena.u32[blockWord(arena.layout, block) + MSG_EXPIRES]! <= nowSec || block % 3 > 0;",
      ],
    ],
    fault: "none",
    breaks: ["kept"],
  },
  {
    name: "sockets that take no more read on from the store, or are closed",
    edits: [
      [
        "src/fanout/slow-sockets.ts",
        "socket.direct === undefined ? socket.getBufferedAmount() > SOCKET_FULL_BYTES : " +
          "socket.direct.isStalled;",
        "socket.direct === undefined ? SOCKET_FULL_BYTES === 0 : socket.direct.isStalled;",
      ],
      [
        "src/listen/socket-handlers.ts",
        "closeOnBackpressureLimit: true,",
        "closeOnBackpressureLimit: false,",
      ],
    ],
    fault: "slow-readers",
    breaks: ["gapless", "resumable"],
  },
  {
    name: "streams that take no more read on from the store",
    edits: [
      [
        "src/fanout/streams.ts",
        "if (this.#is(ENDED) || this.#sink === null) return false;\n    const written",
        "if (this.#is(ENDED | STALLED) || this.#sink === null) return false;\n    const written",
      ],
      [
        "src/fanout/streams.ts",
        "if (this.#is(ENDED) || this.#sink === null) return;\n    const written",
        "if (this.#is(ENDED | STALLED) || this.#sink === null) return;\n    const written",
      ],
      [
        "src/fanout/streams.ts",
        "this.#mark(BEHIND | STALLED, true);\n    this.terms.keeper.lagged(this);",
        "this.#mark(STALLED, true);",
      ],
    ],
    fault: "slow-readers",
    breaks: ["gapless", "resumable"],
  },
  {
    name: "one process changes the lists at a time",
    edits: [
      [
        "src/store/lock/lock.ts",
        "if (Atomics.compareExchange(arena.i32, HEAD_LOCK, 0, OWN_PID) !== 0 && !acquireSlowly(arena, " +
          "patienceMs))\n    return false;",
        "if (patienceMs < -1 && !acquireSlowly(arena, patienceMs)) return false;\n" +
          "  Atomics.store(arena.i32, HEAD_LOCK, OWN_PID);",
      ],
    ],
    fault: "worker-twitch",
    breaks: ["order", "once", "gapless", "resumable", "kept", "honest", "workers"],
  },
  {
    name: "polls say in their head what is missing",
    edits: [
      [
        "src/subscribe/poll-fields.ts",
        'return { ...fields, "Sluice-Gap": gap };',
        'return { ...fields, ...(gap === "" ? { gap } : {}) };',
      ],
    ],
    fault: "store-full",
    breaks: ["resumable", "gapless"],
  },
  {
    name: "publishers are told a count that counts their own",
    edits: [
      [
        "src/store/channel/channel-statistics.ts",
        "published: store.positions.publishedTotal(index),",
        "published: Math.min(3, store.positions.publishedTotal(index)),",
      ],
    ],
    fault: "none",
    breaks: ["honest"],
  },
  {
    name: "an engine that is another than before begins a term above all",
    edits: [
      [
        "src/cluster/script.ts",
        "if found[1] ~= ARGV[2] or tonumber(ARGV[3]) > term or tonumber(ARGV[4]) > top then",
        "if not found[1] then",
      ],
    ],
    fault: "engine-failover",
    isCluster: true,
    // Nodes pass over what has places that they have read: it was accepted, and is nowhere.
    breaks: ["kept", "gapless", "order", "once"],
  },
  {
    name: "what the engine has lost is taken out, and told",
    edits: [
      [
        "src/cluster/fork.ts",
        "else if (fork.term < term || fork.n < n) await this.#cut(redis, fork, base);",
        "else if (fork.term < 0 || fork.n < 0) await this.#cut(redis, fork, base);",
      ],
    ],
    fault: "engine-fork",
    isCluster: true,
    breaks: ["gapless"],
  },
];
