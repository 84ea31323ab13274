/**
 * The client: which channels are wanted, over which connection, and what becomes of it when it ends. `Sluice` of sluice.d.ts.
 *
 *   subscribe() ─▶ Channel ─▶ sync() ─▶ a pipe with all of them ─▶ frames ─▶ Channel ─▶ Subscription
 *                     ▲                    │ ends
 *                     └──── position ◀─────┘ waits, perhaps another transport, and asks from where each channel is
 *
 * A frame of a pipe that was given up is never looked at, and a position moves only with what was handed on: so nothing is lost and nothing comes
 * twice, whatever ends a connection.
 */
import { delayMs, mayPass } from "./delay.ts";
import { type End, type Frame, type Listener, openPipe, type Pipe } from "./pipe.ts";
import { publish } from "./publish.ts";
import type * as api from "./sluice.d.ts";
import { Channel, call, Message, SluiceError, Subscription } from "./subscription.ts";
import { Token } from "./token.ts";
import { Transports } from "./transports.ts";

const PATHS = { websocket: "ws/", sse: "ev/", poll: "lp/", publish: "pub?id=" };
/** How long a connection may take to say where it stands. */
const HELLO_MS = 10_000;
/** Where a token cannot be had for the moment, and the one before is still good. */
const TOKEN_AGAIN_MS = 5_000;
const MOST_UNAUTHORIZED = 3;
/** Close codes of a grant that is over (docs/errors.md). */
const GRANT_CODES: readonly unknown[] = [4001, 4003];
const NO_LOCATION: readonly unknown[] = [404, 405, 426];

export class Sluice implements api.Sluice {
  state: api.State = "idle";
  readonly #base: string;
  readonly #options: api.Options;
  readonly #paths: typeof PATHS;
  readonly #token: Token;
  readonly #transports: Transports;
  readonly #channels = new Map<string, Channel>();
  readonly #listeners: ((change: api.StateChange) => void)[] = [];
  #pipe: Pipe | null = null;
  /** Those the pipe is asked for. */
  readonly #carried = new Set<Channel>();
  /** Of the pipe that counts, or of what leads to it; frames of others are late. */
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #unauthorized = 0;
  /** The server lets channels be added to an open WebSocket. */
  #mayAdd = true;
  #isChanging = false;
  readonly #answers = new Map<number, (answer: Frame | null) => void>();
  #ref = 0;
  /** What the server has said of the end before it came. */
  #closing: Partial<End> = {};
  #heardMs = 0;
  #quietTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string | URL, options: api.Options = {}) {
    this.#base = String(url).replace(/\/?$/, "/");
    this.#options = options;
    this.#paths = { ...PATHS, ...options.paths };
    this.#token = new Token(options.token ?? "", () => void this.#renew());
    this.#transports = new Transports(options.transports ?? ["websocket", "sse", "poll"], options.storage);
    globalThis.addEventListener?.("online", this.#online);
  }

  get transport(): api.TransportName {
    return this.#transports.current;
  }

  on(_event: "state", listener: (change: api.StateChange) => void): this {
    this.#listeners.push(listener);
    return this;
  }

  subscribe(
    name: string,
    options: api.SubscribeOptions | ((message: api.Message) => void) = {},
    listener?: (message: api.Message) => void,
  ): Subscription {
    if (typeof options === "function") return this.subscribe(name, {}, options);
    if (!name || name.includes("/")) throw new SluiceError("a channel has a name, without a slash", 0);
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name);
      channel.last = options.last ?? 0;
      channel.position = options.position ?? this.#options.storage?.getItem(this.#key(name)) ?? "";
      this.#channels.set(name, channel);
    }
    const owner = { left: (gone: Subscription) => this.#left(gone), changed: () => this.#change() };
    const subscription = new Subscription(channel, owner, this.#options.maxWaiting ?? 1000);
    channel.subscriptions.add(subscription);
    if (listener) subscription.on("message", listener);
    this.#change();
    return subscription;
  }

  publish(
    channel: string,
    data: string | Uint8Array,
    options: api.PublishOptions = {},
  ): Promise<api.Published> {
    const url = this.#base + this.#paths.publish + encodeURIComponent(channel);
    const { credentials } = this.#options;
    return publish({ url, data, credentials, token: this.#token }, options);
  }

  close(): void {
    this.#drop();
    this.#token.stop();
    globalThis.removeEventListener?.("online", this.#online);
    for (const channel of [...this.#channels.values()])
      for (const subscription of [...channel.subscriptions]) subscription.unsubscribe();
    this.#tellState("closed", "closed by the page");
  }

  // --- channels ----------------------------------------------------------------------------------------------------------

  #key(name: string): string {
    return `sluice ${this.#base}${name}`;
  }

  #left(subscription: Subscription): void {
    const channel = this.#channels.get(subscription.channel);
    if (!channel?.subscriptions.delete(subscription)) return;
    if (channel.subscriptions.size === 0) this.#channels.delete(channel.name);
    this.#change();
  }

  #fail(channel: Channel, { reason, status = 0 }: End): void {
    channel.tell("error", new SluiceError(reason, status));
  }

  /** At the end of the turn, whatever was changed in it. */
  #change(): void {
    if (this.#isChanging) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      if (this.state !== "closed") this.#sync();
    });
  }

  get #wanted(): Channel[] {
    return [...this.#channels.values()].filter(({ isWanted }) => isWanted);
  }

  #sync(): void {
    const wanted = this.#wanted;
    if (wanted.length === 0) {
      this.#drop();
      this.#tellState("idle", "no channels");
      return;
    }
    if (this.state === "idle") void this.#open();
    if (!this.#pipe || this.state !== "open") return;
    const dropped = [...this.#carried].filter((one) => !wanted.includes(one));
    const added = wanted.filter(({ isAsked }) => !isAsked);
    if (dropped.length + added.length === 0) return;
    if (!this.#pipe.send || !this.#mayAdd) {
      this.#reopen();
      return;
    }
    for (const one of dropped) this.#forget(one);
    if (dropped.length > 0) this.#say({ kind: "unsubscribe", channels: dropped.map(({ name }) => name) });
    if (added.length > 0) this.#ask(added);
  }

  #forget(channel: Channel): void {
    this.#carried.delete(channel);
    channel.isOn = channel.isAsked = false;
  }

  #ask(channels: readonly Channel[]): void {
    for (const channel of channels) this.#carry(channel);
    const frame = { kind: "subscribe", channels: channels.map(pathOf), positions: channels.map(positionOf) };
    this.#say(frame, (answer) => {
      if (answer?.kind === "refused") this.#notAdded(channels, answer);
    });
  }

  #carry(channel: Channel): void {
    this.#carried.add(channel);
    channel.isAsked = true;
  }

  #notAdded(channels: readonly Channel[], { status = 0, code, explain = "" }: Frame): void {
    for (const channel of channels) this.#forget(channel);
    const end = { status, reason: explain };
    if (code === "no_subscribing" || code === "faulty_frame") {
      this.#mayAdd = false;
      this.#change();
    } else if (mayPass(end)) setTimeout(() => this.#change(), delayMs(end, 1, this.#longestMs));
    else if (channels.length > 1) for (const channel of channels) this.#ask([channel]);
    else for (const channel of channels) this.#fail(channel, end);
  }

  // --- the connection ----------------------------------------------------------------------------------------------------

  get #longestMs(): number {
    return this.#options.maxDelay ?? 30_000;
  }

  #tellState(state: api.State, reason: string, retryMs = 0): void {
    if (state === this.state && state !== "waiting") return;
    this.state = state;
    const change = { state, transport: this.transport, reason, retryMs };
    for (const listener of this.#listeners) call(listener, change);
  }

  /** A connection with these channels, and none before: `listener` hears of it. */
  #pipeOf(channels: readonly Channel[], token: string, listener: Listener): Pipe {
    const kind = this.transport;
    const path =
      this.#base + this.#paths[kind] + channels.map((one) => encodeURIComponent(pathOf(one))).join("/");
    const url = (): string => `${path}?sluice_positions=${channels.map(positionOf).join(".")}`;
    return openPipe({ kind, url, token, credentials: this.#options.credentials }, listener);
  }

  async #open(): Promise<void> {
    const turn = ++this.#turn;
    const isLate = (): boolean => turn !== this.#turn;
    this.#tellState("connecting", "");
    try {
      const token = await this.#token.get();
      if (isLate()) return;
      for (const channel of this.#wanted) this.#carry(channel);
      this.#timer = setTimeout(() => this.#ended({ reason: "no answer" }), HELLO_MS);
      this.#pipe = this.#pipeOf([...this.#carried], token, {
        frame: (frame) => isLate() || this.#frame(frame),
        end: (end) => isLate() || this.#ended(end),
      });
    } catch (error) {
      if (!isLate()) this.#ended({ reason: String(error) });
    }
  }

  /** What comes of it from now on is late. */
  #drop(): void {
    this.#turn++;
    clearTimeout(this.#timer);
    clearTimeout(this.#quietTimer);
    this.#pipe?.close();
    this.#pipe = null;
    for (const channel of [...this.#carried]) this.#forget(channel);
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const answer of answers) answer(null);
  }

  #reopen(): void {
    this.#drop();
    void this.#open();
  }

  #wait(end: End): void {
    const retryMs = delayMs(end, this.#tries, this.#longestMs);
    this.#timer = setTimeout(() => void this.#open(), retryMs);
    this.#tellState("waiting", end.reason, retryMs);
  }

  readonly #online = (): void => {
    if (this.state === "waiting") this.#reopen();
  };

  #ended(how: End): void {
    const end: End = { ...how, ...this.#closing };
    const { status = 0, code } = end;
    const wasOpen = this.state === "open";
    const carried = [...this.#carried];
    this.#closing = {};
    this.#drop();
    if (status === 401 || GRANT_CODES.includes(code)) this.#refusedToken(end);
    else if (!mayPass(end) && !(NO_LOCATION.includes(status) && !this.#transports.failed()))
      void this.#isolate(carried, end);
    else {
      if (!wasOpen && status === 0 && this.#transports.failed()) this.#tries++;
      this.#wait(end);
    }
  }

  #refusedToken(end: End): void {
    this.#token.drop();
    if (!this.#token.isRenewable || ++this.#unauthorized > MOST_UNAUTHORIZED) {
      this.#unauthorized = 0;
      this.#tellState("idle", end.reason);
      for (const channel of [...this.#channels.values()]) this.#fail(channel, end);
    } else if (this.#unauthorized === 1) void this.#open();
    else this.#wait({ reason: end.reason });
  }

  /** Refused, for one of its channels perhaps: which one, each by itself will tell. */
  async #isolate(channels: readonly Channel[], end: End): Promise<void> {
    const turn = ++this.#turn;
    let failed = 0;
    for (const channel of channels) {
      const its = channels.length === 1 ? end : await this.#probe(channel);
      if (turn !== this.#turn) return;
      if (its === null || mayPass(its)) continue;
      failed++;
      this.#fail(channel, its);
    }
    if (failed === 0) this.#wait({ reason: end.reason });
    else if (this.#wanted.length > 0) void this.#open();
  }

  async #probe(channel: Channel): Promise<End | null> {
    const token = await this.#token.get();
    return await new Promise((resolve) => {
      const pipe = this.#pipeOf([channel], token, {
        frame: () => {
          pipe.close();
          resolve(null);
        },
        end: resolve,
      });
    });
  }

  async #renew(): Promise<void> {
    if (this.state !== "open") return;
    const turn = this.#turn;
    try {
      const token = await this.#token.get();
      if (turn !== this.#turn) return;
      if (!this.#pipe?.send) this.#reopen();
      else
        this.#say({ kind: "token", token }, (answer) => {
          if (answer?.kind === "refused") this.#reopen();
        });
    } catch {
      setTimeout(() => void this.#renew(), TOKEN_AGAIN_MS);
    }
  }

  // --- frames ------------------------------------------------------------------------------------------------------------

  #say(frame: object, answer: (answer: Frame | null) => void = () => undefined): void {
    const ref = ++this.#ref;
    this.#answers.set(ref, answer);
    this.#pipe?.send?.({ ...frame, ref });
  }

  #frame(frame: Frame): void {
    const nowMs = Date.now();
    if (frame.kind === "ping") this.#watch(nowMs - this.#heardMs);
    this.#heardMs = nowMs;
    if (frame.kind === "closing") this.#closing = { code: Number(frame.code), retryMs: frame.retry };
    if (frame.kind === "hello") this.#opened();
    for (const [i, name] of (frame.channels ?? []).entries()) this.#begins(name, frame, frame.positions?.[i]);
    const channel = this.#channels.get(frame.channel ?? "");
    if (channel?.isOn) this.#told(channel, frame);
    const answer = this.#answers.get(frame.ref ?? 0);
    this.#answers.delete(frame.ref ?? 0);
    answer?.(frame);
  }

  #opened(): void {
    clearTimeout(this.#timer);
    this.#tries = this.#unauthorized = 0;
    this.#transports.worked();
    this.#tellState("open", "");
    this.#change();
  }

  /** Of `hello` and `subscribed`: from here on it stands there. */
  #begins(name: string, { kind }: Frame, position: string | undefined): void {
    const channel = this.#channels.get(name);
    if (!channel?.isAsked || position === undefined || kind === "unsubscribed") return;
    channel.position ||= position;
    channel.isOn = true;
    this.#keep(channel);
    channel.tell("subscribed", { channel: name, position: channel.position });
  }

  #told(channel: Channel, frame: Frame): void {
    const { name } = channel;
    if (frame.kind === "message") {
      if (!channel.take(frame)) return;
      channel.tell("message", new Message(frame));
    } else if (frame.kind === "gap") {
      channel.position = frame.position ?? channel.position;
      channel.tell("gap", { channel: name, missed: frame.missed ?? null });
    } else if (frame.kind === "deleted") {
      this.#forget(channel);
      this.#change();
      channel.tell("deleted", { channel: name, data: new Message(frame).data });
    } else if (frame.kind === "presence") {
      channel.position = frame.position ?? channel.position;
      channel.tell("presence", { ...frame, channel: name });
    }
    this.#keep(channel);
  }

  #keep({ name, position }: Channel): void {
    this.#options.storage?.setItem(this.#key(name), position);
  }

  /** The server says something every so often; when it does not for three times as long, nobody is there. */
  #watch(everyMs: number): void {
    clearTimeout(this.#quietTimer);
    const longestMs = 3 * everyMs + 2000;
    const look = (): void => {
      const leftMs = this.#heardMs + longestMs - Date.now();
      if (leftMs > 0) this.#quietTimer = setTimeout(look, leftMs);
      else this.#ended({ reason: "the server is silent" });
    };
    look();
  }
}

const positionOf = ({ position }: Channel): string => position;

/** Where a position is known it says more than a number of old messages. */
const pathOf = ({ name, last, position }: Channel): string =>
  last > 0 && !position ? `${name}.b${last}` : name;
