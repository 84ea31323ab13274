/**
 * Three nodes over one engine, publishers that keep every answer, and readers that move: what a fault is put
 * upon, and judged by.
 */
import { layout, type RunningServer, startServer, until } from "../binary/running-server.ts";
import { Engine, Wire } from "./engine.ts";
import { faultsOf, type History, type Outcome, type Published, readHistory } from "./history.ts";
import { Reader } from "./reader.ts";
import { EventSource, LongPoll, Socket, Stream, type Transport } from "./transports.ts";

export const CHANNELS = ["red", "green", "blue"] as const;

export const nodeToml = (port: number, node: string, cluster = "", top = ""): string =>
  layout(
    `${top}
[cluster]
engine = "redis://127.0.0.1:${port}"
node = "${node}"
engine_timeout = "1s"
${cluster}
[store]
size = "4MiB"
message_ttl = "10m"`,
    { ev: 'event_ids = "auto"' },
  ) + LINES;

/** For readers of streams and long polls (transports.ts). */
const LINES = `
[[location]]
match = "~ ^/lines/(.*)$"
subscriber = "streaming"
channels_path = "$1"
message_template = "~time~|~tag~|~text~\\n"
[[location]]
match = "~ ^/lp-lines/(.*)$"
subscriber = "long-polling"
channels_path = "$1"
message_template = "~text~\\n"
`;

const TRANSPORTS = [() => new EventSource(), () => new Socket(), () => new Stream(), () => new LongPoll()];
const transport = (at: number): Transport =>
  (TRANSPORTS[at % TRANSPORTS.length] ?? (() => new EventSource()))();

export class World {
  engine: Engine;
  readonly wire: Wire;
  readonly nodes: RunningServer[] = [];
  readonly readers: Reader[] = [];
  readonly published: Published[] = [];
  readonly before: History[] = [];
  readonly #more: Engine[] = [];
  #numbers = 0;
  #pace = 0;
  #publishers: Promise<void>[] = [];
  #isPublishing = false;

  private constructor(engine: Engine) {
    this.engine = engine;
    this.wire = new Wire(engine.port);
  }

  static async start(nodes = 3, engine = new Engine(), cluster = ""): Promise<World> {
    const world = new World(await engine.start());
    for (let at = 0; at < nodes; at++) world.nodes.push(await world.startNode(`node-${at}`, cluster));
    return world;
  }

  startNode(
    name: string,
    cluster = "",
    again: { folder?: string; port?: number } = {},
  ): Promise<RunningServer> {
    // Both doors in one cluster.
    const args = name === "node-1" ? ["--listener", "wire"] : [];
    return startServer({ toml: nodeToml(this.wire.port, name, cluster), args, ...again });
  }

  node(at: number): RunningServer {
    const node = this.nodes[at % this.nodes.length];
    if (node === undefined) throw new Error("there is no node");
    return node;
  }

  /** One reader for each channel on each node, every transport among those of each channel and each node. */
  async read(): Promise<void> {
    for (const [at, channel] of CHANNELS.entries())
      for (const [place, node] of this.nodes.entries())
        this.readers.push(await new Reader(channel, node, transport(at + place)).start());
    // The fourth of them for each channel.
    for (const [at, channel] of CHANNELS.entries())
      this.readers.push(await new Reader(channel, this.node(at), transport(at + this.nodes.length)).start());
  }

  /** Publishes once; what the publisher is told. */
  async publish(channel: string, at = this.#numbers): Promise<Published> {
    const text = `${channel}-${++this.#numbers}`;
    let outcome: Outcome = "unknown";
    try {
      const { status, headers } = await this.node(at).publish(channel, text);
      if (status === 200) outcome = "taken";
      else if (headers.get("x-sluice-outcome") !== "unknown") outcome = "refused";
    } catch {
      // The node went under way: nobody knows.
    }
    const one = { channel, text, outcome };
    this.published.push(one);
    return one;
  }

  async burst(each: number): Promise<void> {
    for (let turn = 0; turn < each; turn++)
      await Promise.all(CHANNELS.map((channel, at) => this.publish(channel, turn + at)));
  }

  /** Publishers that go on until `quiet`. */
  bustle(pauseMs = 3): void {
    this.#pace = pauseMs;
    this.#isPublishing = true;
    this.#publishers = CHANNELS.map((channel, at) => this.#publishOn(channel, at));
  }

  async #publishOn(channel: string, at: number): Promise<void> {
    for (let turn = at; this.#isPublishing; turn++) {
      await this.publish(channel, turn);
      await Bun.sleep(this.#pace);
    }
  }

  async quiet(): Promise<void> {
    this.#isPublishing = false;
    await Promise.all(this.#publishers);
  }

  get taken(): number {
    return this.published.filter(({ outcome }) => outcome === "taken").length;
  }

  /** Keeps the history as it is now: another one may follow. */
  async note(): Promise<void> {
    if (this.engine.redis !== null) this.before.push(await readHistory(this.engine.redis));
  }

  /** Publishing works again, on every node. */
  async works(withinMs = 15_000): Promise<void> {
    for (let at = 0; at < this.nodes.length; at++)
      await until(
        "publishing to work again",
        async () => (await this.publish("red", at)).outcome === "taken",
        withinMs,
      );
  }

  /** Everybody has what there is: the last message of each channel reaches every reader. */
  async settle(): Promise<void> {
    for (const channel of CHANNELS) {
      const last = await this.publish(channel);
      await until(`the last message in ${channel}`, () =>
        this.readers.every((reader) => reader.channel !== channel || reader.texts.at(-1) === last.text),
      );
    }
  }

  /** Broken promises, and differences between what the nodes say. */
  async faults(): Promise<string[]> {
    const { redis } = this.engine;
    if (redis === null) throw new Error("the engine does not run");
    const faults = faultsOf(this.published, this.readers, await readHistory(redis), this.before);
    return [...faults, ...(await this.#differences())];
  }

  /** (e) Counts of subscribers are right to within a heartbeat. */
  async #differences(): Promise<string[]> {
    let said: string[] = [];
    const agree = async (): Promise<boolean> => {
      said = await Promise.all(
        this.nodes.map(async (node) =>
          JSON.stringify(await Promise.all(CHANNELS.map((channel) => node.statistics(channel)))),
        ),
      );
      return new Set(said).size === 1;
    };
    try {
      await until("the nodes to agree", agree, 8000);
      return [];
    } catch {
      return said.map((text, at) => `node ${at} says ${text}`);
    }
  }

  /** One more server, which goes with this world. */
  async another(): Promise<Engine> {
    const made = await new Engine().start();
    this.#more.push(made);
    return made;
  }

  /** From here on it is the one that the nodes find; the one before is killed. */
  async promote(next: Engine): Promise<void> {
    await next.call("REPLICAOF", "NO", "ONE");
    const before = this.engine;
    this.#more.push(before);
    await before.kill();
    this.engine = next;
    this.wire.switchTo(next.port);
  }

  async stop(): Promise<void> {
    this.#isPublishing = false;
    await Promise.all(this.readers.map((reader) => reader.stop()));
    await Promise.all(this.nodes.map((node) => node.stop()));
    this.wire.stop();
    await this.engine.stop();
    for (const engine of this.#more) await engine.stop();
  }
}
