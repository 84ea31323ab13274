/**
 * The client: which channels are wanted, and what they are told. `Sluice` of sluice.d.ts.
 *
 *   subscribe() ─▶ Channel ─▶ sync() ─▶ a connection with all of them ─▶ frames ─▶ Channel ─▶ Subscription
 *                     ▲                            │ ends
 *                     └────────── position ◀───────┘ the next one asks from where each channel is
 *
 * A position moves only with what was handed on: so nothing is lost and nothing comes twice, whatever ends a
 * connection.
 */
import { delayMs, mayPass } from "./delay.ts";
import { Link, type Owner } from "./link.ts";
import type { End, Frame } from "./pipe.ts";
import { publish } from "./publish.ts";
import type * as api from "./sluice.d.ts";
import { Subscriber } from "./subscriber.ts";
import { type Channel, SluiceError } from "./subscription.ts";

const PATHS = { websocket: "ws/", sse: "ev/", poll: "lp/", publish: "pub?id=" };

export class Sluice extends Subscriber implements api.Sluice {
  readonly #paths: typeof PATHS;
  readonly #link: Link;
  /** Those the connection is asked for. */
  readonly #carried = new Set<Channel>();
  /** The server lets channels be added to an open WebSocket. */
  #mayAdd = true;
  #isChanging = false;

  constructor(url: string | URL, options: api.Options = {}) {
    super(url, options);
    this.#paths = { ...PATHS, ...options.paths };
    const owner: Owner = {
      carry: () => this.#wanted.map((channel) => this.#carry(channel)),
      lost: () => [...this.#carried].map((channel) => this.#forget(channel)),
      opened: () => this.change(),
      told: (frame) => this.#told(frame),
      refused: (channel, end) => this.#fail(channel, end),
      changed: (change) => this.tell(change),
    };
    this.#link = new Link(this.base, this.#paths, options, owner);
  }

  get state(): api.State {
    return this.#link.state;
  }

  get transport(): api.TransportName {
    return this.#link.transports.current;
  }

  publish(
    channel: string,
    data: string | Uint8Array,
    options: api.PublishOptions = {},
  ): Promise<api.Published> {
    const url = this.base + this.#paths.publish + encodeURIComponent(channel);
    const { credentials } = this.options;
    return publish({ url, channel, data, credentials, token: this.#link.token, say: this.#say }, options);
  }

  /** null: not by the connection, which is none, or does not have the channel. */
  readonly #say = (channel: string, frame: object): Promise<Frame | null> | null => {
    if (!this.#link.isTwoWay || this.channels.get(channel)?.isOn !== true) return null;
    return new Promise((resolve) => this.#link.say(frame, resolve));
  };

  close(): void {
    this.#link.rest("closed", "closed by the page");
    this.leaveAll();
  }

  // --- which channels --------------------------------------------------------------------------------------

  protected override key(name: string): string {
    return `sluice ${this.base}${name}`;
  }

  protected override startAt(channel: Channel, position: string): void {
    channel.position = position;
  }

  #fail(channel: Channel, { reason, status = 0 }: End): void {
    channel.tell("error", new SluiceError(reason, status));
  }

  get #wanted(): Channel[] {
    return [...this.channels.values()].filter(({ isWanted }) => isWanted);
  }

  #carry(channel: Channel): Channel {
    this.#carried.add(channel);
    channel.isAsked = true;
    return channel;
  }

  #forget(channel: Channel): Channel {
    this.#carried.delete(channel);
    channel.isOn = channel.isAsked = false;
    return channel;
  }

  /** At the end of the turn, whatever was changed in it. */
  protected override change(): void {
    if (this.#isChanging) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      if (this.state !== "closed") this.#sync();
    });
  }

  #sync(): void {
    const wanted = this.#wanted;
    if (wanted.length === 0) this.#link.rest("idle", "no channels");
    else if (this.state === "idle") void this.#link.open();
    if (this.state !== "open") return;
    const dropped = [...this.#carried].filter((one) => !wanted.includes(one));
    const added = wanted.filter(({ isAsked }) => !isAsked);
    if (dropped.length + added.length === 0) return;
    if (!this.#link.isTwoWay || !this.#mayAdd) {
      this.#link.reopen();
      return;
    }
    const channels = dropped.map((one) => this.#forget(one).name);
    if (channels.length > 0) this.#link.say({ kind: "unsubscribe", channels });
    if (added.length > 0) this.#ask(added);
  }

  #ask(added: readonly Channel[]): void {
    const channels = added.map((channel) => this.#carry(channel).path);
    const frame = { kind: "subscribe", channels, positions: added.map(({ position }) => position) };
    this.#link.say(frame, (answer) => {
      if (answer?.kind === "refused") this.#notAdded(added, answer);
      // Not by its name: it may have been dropped since, and be asked for again from elsewhere.
      else for (const [i, channel] of added.entries()) this.#begins(channel, answer?.positions?.[i]);
    });
  }

  #notAdded(channels: readonly Channel[], { status = 0, code, explain = "" }: Frame): void {
    for (const channel of channels) this.#forget(channel);
    const end = { status, reason: explain };
    if (code === "no_subscribing") {
      this.#mayAdd = false;
      this.change();
    } else if (mayPass(end)) setTimeout(() => this.change(), delayMs(end, 1, this.#link.longestMs));
    else if (channels.length > 1) for (const channel of channels) this.#ask([channel]);
    else for (const channel of channels) this.#fail(channel, end);
  }

  // --- what they are told ----------------------------------------------------------------------------------

  #told(frame: Frame): void {
    const { kind, channels = [], positions = [] } = frame;
    if (kind === "hello")
      for (const [i, name] of channels.entries()) this.#begins(this.channels.get(name), positions[i]);
    const channel = this.channels.get(frame.channel ?? "");
    if (channel?.isOn) this.#toldOf(channel, frame);
  }

  /** From here on it stands there. */
  #begins(channel: Channel | undefined, position: string | undefined): void {
    if (!channel?.isAsked || position === undefined) return;
    channel.position ||= position;
    channel.isOn = true;
    this.keep(channel);
    const { name, position: at } = channel;
    channel.tell("subscribed", { channel: name, position: at });
    this.relay({ kind: "subscribed", channel: name, position: at });
  }

  #toldOf(channel: Channel, frame: Frame): void {
    if (frame.kind === "deleted") {
      this.#forget(channel);
      this.change();
    }
    if (!channel.told(frame)) return;
    this.relay(frame);
    this.keep(channel);
  }

  /** For shared.ts: whether it stands there. */
  protected isIn(name: string): boolean {
    return this.channels.get(name)?.isOn === true;
  }

  /** For shared.ts: what was told here. */
  protected relay(_frame: Frame): void {
    // nobody else listens
  }
}
