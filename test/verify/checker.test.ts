/**
 * The checker of histories, held against histories with one fault each: what it does not see, no run of
 * `sluice verify` can show. A history is written as text, an event a word, so that the fault can be read.
 */
import { describe, expect, test } from "bun:test";
import { check } from "../../src/verify/checker.ts";
import type { History, Publish, ReaderEvent, ReaderLine } from "../../src/verify/history.ts";
import { Recorder } from "../../src/verify/recorder.ts";

/**
 * `3` was accepted with number 3, `3!` refused, `3?` nobody knows. Publisher 0 sends one after the other, a
 * second each.
 */
function publishes(text: string): readonly Publish[] {
  return text.split(" ").map((word, at): Publish => {
    const key = `0-${Number.parseInt(word, 10)}`;
    const outcome = word.endsWith("!") ? "refused" : word.endsWith("?") ? "unknown" : "accepted";
    const status = { accepted: 200, refused: 503, unknown: 0 }[outcome];
    const count = outcome === "accepted" ? at + 1 : null;
    return {
      channel: "a",
      key,
      publisher: 0,
      sentAt: at * 1000,
      answeredAt: at * 1000 + 10,
      outcome,
      status,
      count,
    };
  });
}

/** The number of a message, or of `2@9` the 9: the second, sent again by its node. */
const numberOf = (word: string): number => Number(word.split("@").at(-1));

/**
 * `new` and `back` are connections, `gap2` and `gap?` what it is told, a number is the message with it, `3.`
 * one of which it is not told the number, `3@9` the third with another number.
 */
function line(text: string, { startAt = 100, stays = true } = {}): ReaderLine {
  const events = text.split(" ").map((word, index): ReaderEvent => {
    const at = startAt + index * 1000;
    if (word === "new" || word === "back") return { kind: "open", at, lane: "sse", resumes: word === "back" };
    if (word === "end") return { kind: "close", at, why: "left" };
    if (word.startsWith("gap")) {
      const missed = word === "gap?" ? null : Number(word.slice(3));
      return { kind: "gap", at, channel: "a", missed };
    }
    const number = Number.parseInt(word, 10);
    return {
      kind: "message",
      at,
      channel: "a",
      key: `0-${number}`,
      id: word.endsWith(".") ? null : numberOf(word),
    };
  });
  return { name: "reader", channels: ["a"], events, stays };
}

interface Written {
  readonly sent: string;
  readonly lines: readonly ReaderLine[];
  readonly stored?: string;
  readonly more?: Partial<History>;
}

const broken = ({ sent, lines, stored = "", more = {} }: Written): readonly string[] => {
  const words = stored === "" ? [] : stored.split(" ");
  const messages = words.map((word) => ({ key: `0-${Number.parseInt(word, 10)}`, id: numberOf(word) }));
  const history: History = {
    publishes: publishes(sent),
    lines,
    stored: stored === "" ? new Map() : new Map([["a", messages]]),
    cuts: [],
    losses: [],
    isDense: true,
    keepsAll: true,
    ...more,
  };
  return [...new Set(check(history).violations.map(({ promise }) => promise))].toSorted();
};

describe("nothing is broken when", () => {
  test.each([
    ["everyone has everything", "1 2 3", ["new 1 2 3", "new 1 2 3"], "1 2 3"],
    ["a reader resumes", "1 2 3", ["new 1 end back 2 3"], "1 2 3"],
    ["a reader is told how many are lost", "1 2 3 4", ["new 1 end back gap2 4"], ""],
    ["a reader is told that nobody knows", "1 2 3 4", ["new 1 end back gap? 4"], ""],
    ["a loss is told in two parts", "1 2 3 4", ["new 1 gap1 end back gap1 4"], ""],
    ["a reader comes later, and stands", "1 2 3", ["new 3"], "1 2 3"],
    ["nobody knows whether it was stored, and it was", "1 2? 3", ["new 1 2 3"], "1 2 3"],
    ["nobody knows whether it was stored, and it was not", "1 2?", ["new 1"], "1"],
    ["a lane does not tell numbers", "1 2 3", ["new 1. 2. 3."], "1 2 3"],
    ["all who are told numbers were too slow", "1 2 3 4", ["new 1. 2. 3. 4.", "new 1 gap2 4"], ""],
    ["they were, and of the rest all are told", "1 2 3 4", ["new 1. 2. gap1 4.", "new 1 gap2 4"], ""],
    ["they were, and the rest is told at the end", "1 2 3 4", ["new 1. 2. gap2", "new 1 gap2 4"], ""],
  ])("%s", (_name, sent, lines, stored) => {
    const all = lines.map((text) => line(text, text === "new 3" ? { startAt: 1900 } : {}));
    expect(broken({ sent, lines: all, stored })).toEqual([]);
  });
});

describe("it is seen that", () => {
  test.each([
    ["two messages are given the other way round", "order", "1 2 3", ["new 2 1 3"], "1 2 3"],
    ["they are, on a lane that tells no numbers", "order", "1 2 3", ["new 2. 1. 3."], "1 2 3"],
    ["a message comes twice", "once", "1 2", ["new 1 2 2"], "1 2"],
    ["a message comes twice after a return", "once", "1 2", ["new 1 2 end back 2"], "1 2"],
    ["a message is left out while the connection stands", "gapless", "1 2 3", ["new 1 3"], "1 2 3"],
    ["a message that nobody saw is left out", "gapless", "1 2 3", ["new 1 3"], ""],
    ["a message is left out at a return", "resumable", "1 2 3", ["new 1 end back 3"], "1 2 3"],
    ["the last message never comes", "gapless", "1 2 3", ["new 1 2"], "1 2 3"],
    ["too few are told as lost", "counted", "1 2 3 4", ["new 1 end back gap1 4"], ""],
    ["nobody is said to know what is lost, and none is", "counted", "1 2", ["new 1 end back gap? 2"], "1 2"],
    ["too few are told as lost, and nothing comes any more", "counted", "1 2 3 4", ["new 1 gap1"], "1 2 3 4"],
    ["some are told as lost, and none is", "counted", "1 2", ["new 1 end back gap1 2"], ""],
    ["one without a number is left out", "gapless", "1 2 3 4", ["new 1. 2. 4.", "new 1 gap2 4"], ""],
    ["too few of them are told as lost", "counted", "1 2 3 4 5", ["new 1. 2. gap1 5.", "new 1 gap3 5"], ""],
    ["too many of them are told as lost", "counted", "1 2 3", ["new 1. 2. gap1 3.", "new 1 gap1 3"], ""],
    ["too few of them are at the end", "counted", "1 2 3 4", ["new 1. 2. gap1", "new 1 gap2 4"], ""],
    [
      "two without numbers stand the other way round",
      "order",
      "1 2 3 4",
      ["new 1. 3. 2. 4.", "new 1 gap2 4"],
      "",
    ],
    ["one without a number stands too late", "order", "1 2 3 4", ["new 1 4 2. 3.", "new 1 gap2 4"], ""],
    ["more are given than there are numbers", "order", "1 2 3", ["new 1. 2. 3.", "new 1 3@2"], ""],
    ["an accepted message is not stored", "kept", "1 2 3", ["new 1 2 3"], "1 3"],
    ["a refused message is stored", "honest", "1 2! 3", ["new 1 3"], "1 2 3"],
    ["a refused message is given to a reader", "honest", "1 2! 3", ["new 1 2 3"], ""],
    ["a message comes that nobody published", "gapless", "1 2", ["new 1 2 7"], ""],
  ])("%s (%s)", (_name, promise, sent, lines, stored) => {
    expect(broken({ sent, lines: lines.map((text) => line(text)), stored })).toContain(promise);
  });

  test("what was sent while a newcomer stood there did not come", () => {
    const lines = [line("new 3", { startAt: 500 }), line("new 1 2 3")];
    expect(broken({ sent: "1 2 3", lines, stored: "1 2 3" })).toEqual(["gapless"]);
  });

  test("a publisher's messages stand in another order than it sent them", () => {
    const sent = publishes("1 2").map((publish, at) => ({ ...publish, key: `0-${2 - at}` }));
    expect(broken({ sent: "1 2", lines: [line("new 1 2")], more: { publishes: sent } })).toContain("order");
  });

  test("a message stands before another publisher's that was answered before it was sent", () => {
    const sent = publishes("2 3 1").map((publish, at) => ({ ...publish, publisher: at }));
    expect(broken({ sent: "1", lines: [line("new 1 2 3")], more: { publishes: sent } })).toContain("order");
  });

  test("a message is cut off, or has a piece of another one", () => {
    const recorder = new Recorder("r");
    const text = recorder.sending("0-1", "a", 40);
    expect([text.length, recorder.keyOf(text)]).toEqual(["vr-0-1 ".length + 40, "0-1"]);
    for (const damaged of [text.slice(0, -1), `${text}0`, text.replace("0-1.0", "0-2.0"), "vr-0-1"])
      expect([recorder.keyOf(damaged), recorder.channelOf(recorder.keyOf(damaged) ?? "")]).toEqual([
        "0-1 damaged",
        "a",
      ]);
    expect(recorder.keyOf(recorder.sending("0-2", "a", 0))).toBe("0-2");
  });

  test("two readers are told different numbers of one message", () => {
    const other: ReaderLine = {
      ...line("new 1 2"),
      events: [{ kind: "message", at: 1, channel: "a", key: "0-1", id: 2 }],
    };
    expect(broken({ sent: "1 2", lines: [line("new 1 2"), other] })).toContain("once");
  });

  test("counts in answers do not grow", () => {
    const sent = publishes("1 2").map((publish) => ({ ...publish, count: 5 }));
    expect(broken({ sent: "1 2", lines: [line("new 1 2")], more: { publishes: sent } })).toEqual(["honest"]);
  });
});

describe("behind a cut of the store", () => {
  // The first two messages are sent before it, the others behind; numbers begin again.
  const more: Partial<History> = { cuts: [1500], keepsAll: false };
  const before = line("new 1 2 end", { startAt: 100 });
  const after = (text: string): ReaderLine => ({
    ...before,
    events: [...before.events, ...line(text, { startAt: 2000 }).events],
  });

  test("who is told may be given again what survived", () => {
    expect(broken({ sent: "1 2 3", lines: [after("back gap? 1 2 3")], more })).toEqual([]);
  });

  test("who is not told is wronged", () => {
    expect(broken({ sent: "1 2 3", lines: [after("back 3")], more })).toContain("resumable");
  });
});

describe("where the engine of a cluster has lost its tail", () => {
  // The second and the third were taken, and are in no history any more; the fourth was sent after that.
  const more: Partial<History> = { losses: [{ keptUntil: 500, from: 1900, until: 2500 }], isDense: false };
  const judged = (...lines: ReaderLine[]): readonly string[] =>
    broken({ sent: "1 2 3 4", lines, stored: "1 4", more });

  test("who had it and was told goes on, and so does who never had it", () => {
    expect(judged(line("new 1 2 3 gap? 4"), line("new 1 2 end back gap? 4"), line("new 1 4"))).toEqual([]);
  });

  test("who had it and was not told is wronged, whether more comes or not", () => {
    expect(judged(line("new 1 2 3 4"))).toEqual(["gapless"]);
    expect(judged(line("new 1 4"), line("new 1 2 end back 4"))).toEqual(["gapless"]);
    expect(judged(line("new 1 4"), line("new 1 2 3 end back"))).toEqual(["gapless"]);
  });

  test("what was answered before the replica was cut off must be there", () => {
    const lines = [line("new 1 2 3 gap? 4")];
    expect(broken({ sent: "1 2 3 4", lines, stored: "4", more })).toContain("kept");
    const emptied = { ...more, losses: [{ keptUntil: Number.NEGATIVE_INFINITY, from: 1900, until: 2500 }] };
    expect(broken({ sent: "1 2 3 4", lines, stored: "4", more: emptied })).toEqual([]);
  });

  test("it counts anew, or what the node has that answers; counts that no loss lies between grow", () => {
    const judge = (counts: readonly number[], late: number | null = null): readonly string[] => {
      const sent = publishes("1 2 3 4").map((publish, at) => ({
        ...publish,
        count: counts[at] ?? 0,
        answeredAt: publish.answeredAt + (at === late ? 910 : 0),
      }));
      return broken({ sent: "1 2 3 4", lines: [], more: { ...more, publishes: sent } });
    };
    expect([judge([1, 2, 3, 1]), judge([1, 2, 1, 2])]).toEqual([[], []]);
    expect([judge([1, 1, 2, 3]), judge([1, 1, 2, 3], 1)]).toEqual([["honest"], []]);
    expect(judge([1, 2, 3, 0])).toEqual(["honest"]);
    // The third was lost before its publisher was answered; the first was not.
    expect(judge([1, 2, 0, 1])).toEqual([]);
    expect(judge([0, 2, 3, 1])).toEqual(["honest"]);
  });

  test("what was sent after it must be there, and come to everyone", () => {
    expect(broken({ sent: "1 2 3 4", lines: [line("new 1 gap?")], stored: "1", more })).toEqual(["kept"]);
    expect(judged(line("new 1 4"), line("new 1"))).toEqual(["gapless"]);
  });

  describe("and a message that was not answered by then is sent again by its node", () => {
    // The second was answered and is lost; the third stood behind it, and stands behind the gap now.
    const again = (...lines: string[]): readonly string[] =>
      broken({ sent: "1 2 3?", lines: lines.map((text) => line(text)), stored: "1 3@9", more });

    test("it may come again, with another number", () => {
      const once = { sent: "1 2?", lines: [line("new 1 2 gap? 2@9")], stored: "1 2@9" };
      expect(broken({ ...once, more })).toEqual([]);
      expect(broken(once)).toContain("once");
    });

    test("who is told behind the place it is lost from is told in time", () => {
      expect(again("new 1 2 3 gap? 3@9", "new 1 2 3 end back gap? 3@9")).toEqual([]);
      // Others are told no numbers; and where nobody is, its coming twice around the gap says it.
      expect(again("new 1 2 3 gap? 3@9", "new 1. 2. 3. gap? 3.", "new 1 3@9", "new 1. 3.")).toEqual([]);
      expect(again("new 1 2. 3. gap? 3.")).toEqual([]);
    });

    test("who never had what is lost is given it once, and goes on", () => {
      const lines = [line("new 1 2 3 gap? 3@9 4@10"), line("new 1. 3. 4.")];
      expect(broken({ sent: "1 2 3? 4", lines, stored: "1 3@9 4@10", more })).toEqual([]);
    });

    test("who is not told is wronged", () => {
      expect(again("new 1 2 3 3@9")).toEqual(["gapless"]);
      expect(again("new 1 3 3@9")).toEqual(["gapless"]);
      expect(again("new 1 2 3@9")).toEqual(["gapless"]);
      expect(again("new 1 3@9", "new 1 2 3 end back")).toEqual(["gapless"]);
      expect(again("new 1 2 3 gap? 3@9", "new 1. 2. 3. 3.")).toEqual(["gapless"]);
    });
  });
});
