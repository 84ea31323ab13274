/**
 * A reader that takes nothing for a minute is closed, like nginx's send_timeout does (promise P4). Here with
 * a clock of our own and a socket that is always full, because nobody waits a minute for a test; what a real
 * slow reader gets is in slow-readers.test.ts.
 */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fanout } from "../../src/fanout/fanout.ts";
import { StreamSubscription } from "../../src/fanout/local-channel.ts";
import { StreamConnection } from "../../src/fanout/streams.ts";
import type { StreamSink } from "../../src/http/direct-answer.ts";
import { ChannelRef } from "../../src/store/channel/channel-ref.ts";
import { Counter } from "../../src/store/counters.ts";
import { openStore } from "../../src/store/opening.ts";
import type { Store } from "../../src/store/store.ts";
import { TemplateFormat } from "../../src/subscribe/formats.ts";
import { storePolicy, storeShape } from "../../src/supervisor/store/store-settings.ts";
import { testConfig } from "../supervisor/test-config.ts";

const NAME = new TextEncoder().encode("stuck");
const BYTES = new Uint8Array(1000);

let folder = "";
let store: Store;
let fanout: Fanout;
let slot = 0;
let channel = 0;
const ref = new ChannelRef();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-stuck-"));
  const path = join(folder, "store");
  const config = testConfig(path);
  store = openStore(storeShape(config, path), storePolicy(config)).store;
  slot = store.workers.claimSlot(process.pid, Math.floor(Date.now() / 1000));
  const nothing = new Uint8Array(0);
  fanout = new Fanout({ store, slot, publish: () => 0, ringOther: () => undefined, deletedText: nothing });
  channel = store.open(NAME, Math.floor(Date.now() / 1000), ref);
  store.append(channel, ref.incarnation, BYTES, null, null, true, Date.now());
});

afterEach(() => {
  fanout.stop();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Its write is under way until `drain` is called. */
class FullSink implements StreamSink {
  written = 0;
  ended = false;
  drain: () => void = () => undefined;

  write(bytes: Uint8Array): Promise<number> {
    this.written += bytes.length;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.drain = () => resolve(bytes.length);
    return promise;
  }
  flush(): number {
    return 0;
  }
  end(): void {
    this.ended = true;
  }
  start(): void {
    // nothing to prepare
  }
}

/** A newcomer who asked for everything stored. */
function joinAll(sink: FullSink): StreamConnection {
  const format = new TemplateFormat("test", "~text~");
  const connection = new StreamConnection({ keeper: fanout, format, footer: new Uint8Array(0) });
  connection.subscriptions = [
    new StreamSubscription(
      fanout.channel({ index: ref.index, incarnation: ref.incarnation, name: NAME }),
      connection,
      0,
      1,
    ),
  ];
  connection.attach(sink);
  fanout.joinStream(connection);
  return connection;
}

const lagging = () => store.counters.get(slot, Counter.LAGGING);

test("no progress for a minute: closed and counted once", () => {
  const sink = new FullSink();
  const connection = joinAll(sink);
  const nowMs = performance.now();
  fanout.closeStuck(nowMs + 59_000);
  expect([connection.isBehind, lagging()]).toEqual([true, 1]);
  fanout.closeStuck(nowMs + 61_000);
  fanout.closeStuck(nowMs + 62_000);
  expect([connection.isEnded, sink.ended, lagging()]).toEqual([true, true, 0]);
  expect(store.counters.get(slot, Counter.CLOSED_SLOW)).toBe(1);
  expect(store.subscribers.countOf(channel)).toBe(0);
  // Not one byte beyond what the socket held already.
  expect(sink.written).toBe(BYTES.length);
});

test("whoever takes a little now and then stays", async () => {
  const sink = new FullSink();
  const connection = joinAll(sink);
  store.append(channel, ref.incarnation, BYTES, null, null, true, Date.now());
  await Bun.sleep(20);
  const beforeMs = performance.now();
  sink.drain();
  await Bun.sleep(0);
  expect(fanout.standing.lagging.get(connection)).toBeGreaterThanOrEqual(beforeMs);
  expect(sink.written).toBe(2 * BYTES.length);
  fanout.closeStuck(beforeMs + 59_999);
  expect(connection.isBehind).toBeTrue();
});
