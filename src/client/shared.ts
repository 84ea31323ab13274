/**
 * One connection for all tabs of a browser: `share(url, options)` instead of `new Sluice(url, options)`; the
 * entry of /sluice.shared.js and of `sluice-client/shared`.
 *
 *   tab ──"want" what, from where──▶ the tab that holds a Web Lock, which has the client (Host)
 *   tab ◀──────every frame────────── by BroadcastChannel
 *
 * When that tab closes or dies another one gets the lock, and all say again what they want and where they
 * are. Each tab keeps its own places: what it is told twice it shows once, and before it is told that it
 * stands somewhere it takes nothing from there.
 */
import { Sluice } from "./client.ts";
import type { Frame } from "./pipe.ts";
import { publish } from "./publish.ts";
import type * as api from "./sluice.d.ts";
import { Subscriber } from "./subscriber.ts";
import { type Channel, SluiceError, type Subscription } from "./subscription.ts";
import { Token } from "./token.ts";

export { SluiceError };

/** What a tab wants of a channel: its name, where it is, and how many old messages it would have. */
type Want = readonly [name: string, position: string, last: number];

interface Word {
  /** Absent: for all. */
  readonly to?: string;
  readonly isLeader?: true;
  readonly want?: readonly Want[];
  readonly from?: string;
  readonly frame?: Frame;
  readonly state?: api.StateChange;
  readonly refused?: { readonly name: string; readonly reason: string; readonly status: number };
}

/** Without them each tab has a connection of its own. */
const canShare = (): boolean => "BroadcastChannel" in globalThis && "locks" in navigator;

export const share = (url: string | URL, options: api.Options = {}): api.Sluice =>
  canShare() ? new SharedSluice(url, options) : new Sluice(url, options);

/** True: `left` is a place before `right`, or in another life. */
function isBefore(left: string, right: string): boolean {
  const [life, number] = left.split("-");
  const [other, limit] = right.split("-");
  return life !== other || Number(number) < Number(limit);
}

/** The client of the tab that has the connection, for all tabs. */
class Host extends Sluice {
  readonly #say: (word: Word) => void;
  /** By tab, then by channel. */
  readonly #tabs = new Map<string, Map<string, Subscription>>();

  constructor(url: string | URL, options: api.Options, say: (word: Word) => void) {
    super(url, options);
    this.#say = say;
    this.on("state", (state) => say({ state }));
  }

  protected override relay(frame: Frame): void {
    this.#say({ frame });
  }

  isNew(tab: string): boolean {
    return !this.#tabs.has(tab);
  }

  want(tab: string, wants: readonly Want[]): void {
    const had = this.#tabs.get(tab) ?? new Map<string, Subscription>();
    this.#tabs.set(tab, had);
    for (const [name, subscription] of had) {
      if (wants.some(([wanted]) => wanted === name)) continue;
      had.delete(name);
      subscription.unsubscribe();
    }
    for (const want of wants) if (!had.has(want[0])) this.#add(tab, had, want);
    // The others have heard it when it came.
    const { state, transport } = this;
    this.#say({ to: tab, state: { state, transport, reason: "", retryMs: 0 } });
  }

  gone(tab: string): void {
    this.want(tab, []);
    this.#tabs.delete(tab);
  }

  #add(tab: string, had: Map<string, Subscription>, [name, position, last]: Want): void {
    const others = [...this.#tabs].filter(([other, channels]) => other !== tab && channels.has(name));
    const [, first] = others[0] ?? [];
    const at = first?.get(name)?.position ?? "";
    const isBehind = position === "" ? last > 0 : isBefore(position, at);
    if (first !== undefined && isBehind) for (const [, channels] of others) channels.get(name)?.unsubscribe();
    const subscription = this.#subscribe(tab, name, { position, last });
    had.set(name, subscription);
    // Again from where the newcomer is; the others leave out what they had.
    if (isBehind)
      for (const [other, channels] of others) channels.set(name, this.#subscribe(other, name, {}));
    else if (this.isIn(name))
      this.#say({ to: tab, frame: { kind: "subscribed", channel: name, position: position || at } });
  }

  #subscribe(tab: string, name: string, options: api.SubscribeOptions): Subscription {
    const nothing = (): void => undefined;
    return this.subscribe(name, options, nothing).on("error", ({ message, status }) =>
      this.#say({ to: tab, refused: { name, reason: message, status } }),
    );
  }
}

class SharedSluice extends Subscriber implements api.Sluice {
  state: api.State = "connecting";
  transport: api.TransportName;
  readonly #id = crypto.getRandomValues(new Uint32Array(3)).join("-");
  readonly #bus: BroadcastChannel;
  readonly #token: Token;
  readonly #closed = Promise.withResolvers<void>();
  #host: Host | null = null;
  #isChanging = false;
  /** Its own lock is held, whose end tells the others that it is gone. */
  #isHeld = false;

  constructor(url: string | URL, options: api.Options) {
    super(url, options);
    this.transport = options.transports?.[0] ?? "websocket";
    this.#token = new Token(options.token ?? "", () => undefined);
    const key = `sluice ${this.base}`;
    this.#bus = new BroadcastChannel(key);
    this.#bus.onmessage = ({ data }) => this.#hear(data);
    void this.#hold(`${key} ${this.#id}`, () => {
      this.#isHeld = true;
      this.change();
    });
    void this.#hold(key, () => this.#lead(key));
  }

  publish(
    channel: string,
    data: string | Uint8Array,
    options: api.PublishOptions = {},
  ): Promise<api.Published> {
    const { credentials, paths } = this.options;
    const url = `${this.base}${paths?.publish ?? "pub?id="}${encodeURIComponent(channel)}`;
    return publish({ url, channel, data, credentials, token: this.#token, say: () => null }, options);
  }

  close(): void {
    this.#say({ want: [], from: this.#id });
    this.#told({ state: "closed", transport: this.transport, reason: "closed by the page", retryMs: 0 });
    this.#host?.close();
    this.#host = null;
    this.#token.stop();
    this.leaveAll();
    this.#bus.close();
    this.#closed.resolve();
  }

  /** Until it is closed. */
  async #hold(lock: string, held: () => void): Promise<void> {
    await navigator.locks.request(lock, () => {
      if (this.state === "closed") return;
      held();
      return this.#closed.promise;
    });
  }

  #lead(key: string): void {
    const { storage: _, ...options } = this.options;
    const say = (word: Word): void => {
      if (word.to !== this.#id) this.#bus.postMessage(word);
      this.#hear(word);
    };
    this.#host = new Host(this.base, options, say);
    this.#watch = (tab) => {
      void navigator.locks.request(`${key} ${tab}`, () => this.#host?.gone(tab));
    };
    say({ isLeader: true });
  }

  #watch: (tab: string) => void = () => undefined;

  // --- what is said ----------------------------------------------------------------------------------------

  #say(word: Word): void {
    if (this.#host) this.#hear(word);
    else this.#bus.postMessage(word);
  }

  #hear({ to, isLeader, want, from = "", frame, state, refused }: Word): void {
    if (want && this.#host) {
      if (this.#host.isNew(from) && from !== this.#id) this.#watch(from);
      this.#host.want(from, want);
    }
    if (to !== undefined && to !== this.#id) return;
    if (isLeader) {
      for (const channel of this.channels.values()) channel.isOn = false;
      this.change();
    }
    if (frame) this.#frame(frame);
    // The end of the tab with the connection is not this one's.
    if (state && state.state !== "closed") this.#told(state);
    const { name = "", reason = "", status = 0 } = refused ?? {};
    if (refused) this.channels.get(name)?.tell("error", new SluiceError(reason, status));
  }

  #frame(frame: Frame): void {
    const channel = this.channels.get(frame.channel ?? "");
    if (!channel?.isAsked) return;
    if (frame.kind === "subscribed") {
      channel.position ||= frame.position ?? "";
      channel.isOn = true;
      channel.tell("subscribed", { channel: channel.name, position: channel.position });
    } else if (!channel.isOn || !channel.told(frame)) return;
    this.keep(channel);
  }

  #told(change: api.StateChange): void {
    if (this.state === "closed" || (change.state === this.state && change.state !== "waiting")) return;
    this.state = change.state;
    this.transport = change.transport;
    this.tell(change);
  }

  protected override key(name: string): string {
    return `${this.base} ${name}`;
  }

  /** Of what all tabs are told it has seen what is up to there. */
  protected override startAt(channel: Channel, position: string): void {
    channel.startAt(position);
  }

  protected override change(): void {
    if (this.#isChanging || !this.#isHeld) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      if (this.state === "closed") return;
      const want: Want[] = [];
      for (const channel of this.channels.values()) {
        channel.isAsked = channel.isWanted;
        if (!channel.isWanted) channel.isOn = false;
        else want.push([channel.name, channel.position, channel.last]);
      }
      this.#say({ want, from: this.#id });
    });
  }
}
