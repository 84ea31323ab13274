/** Reconnecting: which endings are final, how long it waits, and when silence counts as death. */
import { describe, expect, test } from "bun:test";
import { QuietWatch } from "../../../src/cli/client/quiet-watch.ts";
import { keepSubscribed, nextDelayMs } from "../../../src/cli/client/session.ts";
import { closed, type Ending, type Sink, type Transport, UNTOLD } from "../../../src/cli/client/transport.ts";

const SINK: Sink = {
  opened: () => undefined,
  delivered: () => undefined,
  missed: () => undefined,
  deleted: () => undefined,
  pinged: () => undefined,
};

/** A transport that plays one step per connection: whether it opens and delivers, and how it ends. */
function scripted(
  steps: readonly (readonly [opens: boolean, ending: Ending])[],
): Transport & { connections: number } {
  return {
    name: "scripted",
    connections: 0,
    canResume: () => true,
    retryMs: () => 0,
    async connect(sink) {
      const [opens, ending] = steps[this.connections++] ?? [false, closed("end of the script")];
      if (opens) {
        sink.opened();
        sink.delivered({ ...UNTOLD, data: new Uint8Array() });
      }
      return ending;
    },
  };
}

async function play(
  ...steps: (readonly [boolean, Ending])[]
): Promise<{ ending: Ending | null; connections: number }> {
  const transport = scripted(steps);
  const stop = new AbortController();
  const listener = {
    connected: () => undefined,
    lost: () => {
      if (transport.connections >= steps.length) stop.abort();
    },
  };
  const ending = await keepSubscribed(transport, SINK, listener, stop.signal);
  return { ending, connections: transport.connections };
}

const unreachable: Ending = { kind: "unreachable", reason: "connection refused" };
const refused = (status: number): Ending => ({ kind: "refused", status, explain: "", retryAfterMs: null });

describe("what is final", () => {
  test("the first connection that fails, for whatever reason", async () => {
    for (const ending of [unreachable, refused(403), refused(503), closed("cut")]) {
      expect(await play([false, ending])).toEqual({ ending, connections: 1 });
    }
  });

  test("later: a 4xx refusal", async () => {
    expect(await play([true, closed("cut")], [false, refused(403)])).toMatchObject({ connections: 2 });
  });

  test("later: not being there, 5xx and 429 are waited out", async () => {
    for (const ending of [unreachable, refused(503), refused(429), closed("cut")]) {
      expect(await play([true, closed("cut")], [false, ending])).toEqual({ ending: null, connections: 2 });
    }
  });

  test("a peer that breaks the protocol, always", async () => {
    const broken: Ending = { kind: "broken", sentence: "no." };
    expect(await play([true, broken])).toEqual({ ending: broken, connections: 1 });
  });
});

describe("how long it waits", () => {
  test("doubles up to a ceiling; the upper half is random", () => {
    const least = (failures: number) => nextDelayMs(failures, 0, () => 0);
    const most = (failures: number) => nextDelayMs(failures, 0, () => 1);
    expect([0, 1, 2, 3, 10, 1000].map(least)).toEqual([250, 500, 1000, 2000, 7500, 7500]);
    expect([0, 1, 2, 3, 10, 1000].map(most)).toEqual([500, 1000, 2000, 4000, 15000, 15000]);
  });

  test("never less than the server asks for, and not absurdly more", () => {
    expect(nextDelayMs(0, 3000, () => 0)).toBe(3250);
    expect(nextDelayMs(0, Number.MAX_SAFE_INTEGER, () => 0)).toBe(300_250);
  });
});

describe("silence", () => {
  test("without two pings in a row nothing is concluded", () => {
    const watch = new QuietWatch();
    watch.heard();
    watch.pinged();
    expect(watch.isDead(performance.now() + 1e9)).toBe(false);
  });

  test("three ping intervals and some slack", async () => {
    const watch = new QuietWatch();
    watch.pinged();
    await Bun.sleep(100);
    watch.pinged();
    expect(watch.isDead(performance.now() + 1_900)).toBe(false);
    expect(watch.isDead(performance.now() + 60_000)).toBe(true);
    watch.heard();
    expect(watch.isDead(performance.now() + 1_900)).toBe(false);
  });
});
