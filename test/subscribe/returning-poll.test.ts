/**
 * A poll that comes back at the very moment its channel's last poll is answered must not stand where nobody
 * looks. In one process and turn by turn, because over sockets it happens once in a thousand polls; the last
 * test tries that anyway.
 */
import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import { Fanout } from "../../src/fanout/fanout.ts";
import { type WaitingPoll, WaitingSubscription } from "../../src/fanout/waiting.ts";
import type { Store } from "../../src/store/store.ts";
import { TemplateFormat } from "../../src/subscribe/formats.ts";
import { RawConnection } from "../binary/raw-client.ts";
import { layout, startServer, until } from "../binary/running-server.ts";
import { bytes, Channel, NOW_SEC, newStore, removeTempFolders, text } from "../store/fixture.ts";

afterAll(removeTempFolders);

class Poll implements WaitingPoll {
  readonly subscriptions: WaitingSubscription[] = [];
  readonly answers: string[] = [];
  readonly format: TemplateFormat;
  constructor(format: TemplateFormat) {
    this.format = format;
  }
  answer(_subscription: unknown, _message: unknown, body: Uint8Array): void {
    this.answers.push(text(body));
  }
}

let store: Store;
let fanout: Fanout;
beforeEach(() => {
  store = newStore();
  const slot = store.workers.claimSlot(process.pid, NOW_SEC);
  const nobody = () => undefined;
  fanout = new Fanout({
    store,
    slot,
    publish: () => 0,
    ringOther: nobody,
    deletedText: bytes("Channel deleted"),
  });
});
afterEach(() => {
  fanout.stop();
  store.close();
});

const format = new TemplateFormat("test", "~text~");

/** As a long poll does it: first all channels, then its place in each. */
function wait(...channels: readonly Channel[]): Poll {
  const poll = new Poll(format);
  const locals = channels.map((channel) => fanout.channel(channel));
  for (const local of locals) {
    poll.subscriptions.push(new WaitingSubscription(local, poll, store.publishedCount(local.index)));
  }
  fanout.joinPoll(poll);
  return poll;
}

test("a poll that settles its channel by coming is answered by the next message", async () => {
  const channel = new Channel(store, "busy");
  const first = wait(channel);
  // Published on another worker: the bell has not been heard yet when the second poll comes.
  channel.append("one");
  const second = wait(channel);
  channel.append("two");
  fanout.published();
  await until("the second poll is answered", () => second.answers.length > 0, 2000);
  expect([first.answers, second.answers]).toEqual([["one"], ["two"]]);
});

test("the same when the last poll stood in several channels, and another one is settled", async () => {
  const [quiet, busy] = [new Channel(store, "quiet"), new Channel(store, "busy")];
  const first = wait(quiet, busy);
  busy.append("one");
  const second = wait(quiet, busy);
  quiet.append("two");
  fanout.published();
  await until("the second poll is answered", () => second.answers.length > 0, 2000);
  expect([first.answers, second.answers]).toEqual([["one"], ["two"]]);
});

test("a poll that was let in a moment before its channel was deleted hears of it", async () => {
  const channel = new Channel(store, "short-lived");
  store.deleteChannel(bytes("short-lived"), bytes("gone"), NOW_SEC * 1000);
  const poll = wait(channel);
  await until("it is told", () => poll.answers.length > 0, 2000);
  expect(poll.answers).toEqual(["Channel deleted"]);
});

test("a channel that somebody only looked at, or left, is forgotten after the turn", async () => {
  const channel = new Channel(store, "looked-at");
  fanout.channel(channel);
  await Bun.sleep(0);
  expect([...fanout.standing.channels()].length).toBe(0);
  const [subscription] = wait(channel).subscriptions;
  await Bun.sleep(0);
  expect([...fanout.standing.channels()].length).toBe(1);
  if (subscription !== undefined) fanout.leavePoll(subscription);
  await Bun.sleep(0);
  expect([...fanout.standing.channels()].length).toBe(0);
});

test("polls that come back while both workers are busy get every message, once, in order", async () => {
  const server = await startServer({
    toml: layout("", { lp: 'message_template = "~text~;"\nlongpolling_connection_ttl = "3s"' }),
  });
  const COUNT = 1500;
  const poller = async (): Promise<string[]> => {
    const connection = await RawConnection.open(server.port);
    let headers: Record<string, string> = {
      "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT",
      "If-None-Match": "0",
    };
    const got: string[] = [];
    while (got.length < COUNT) {
      connection.request("/lp/busy", { headers });
      const { status, fields, body } = await connection.answer();
      if (status !== 200) break; // waited in vain for what was published long ago
      got.push(...body.toString().split(";").slice(0, -1));
      const [time = "", tag = ""] = [fields.get("last-modified"), fields.get("etag")];
      headers = { "If-Modified-Since": time, "If-None-Match": tag };
    }
    connection.close();
    return got;
  };
  const pollers = Array.from({ length: 6 }, poller);
  const publisher = await RawConnection.open(server.port);
  const all: string[] = [];
  for (let count = 0; count < COUNT; count++) {
    publisher.request("/pub?id=busy", { method: "POST", body: `m${count}` });
    await publisher.answer();
    all.push(`m${count}`);
  }
  for (const got of await Promise.all(pollers)) expect(got).toEqual(all);
  publisher.close();
  await server.stop();
}, 30_000);
