/**
 * One connection after the other: opens the next when the last has ended, after a while and perhaps by
 * another transport, and sees to the token. Which channels it is for, and what their frames mean, is its
 * owner's (client.ts).
 *
 * Frames of a pipe that was given up are never looked at.
 */
import { delayMs, mayPass } from "./delay.ts";
import { type End, type Frame, type Listener, openPipe, type Pipe } from "./pipe.ts";
import type * as api from "./sluice.d.ts";
import type { Channel } from "./subscription.ts";
import { Token } from "./token.ts";
import { Transports } from "./transports.ts";

/** How long a connection may take to say where it stands. */
const HELLO_MS = 10_000;
/** Where a token cannot be had for the moment, and the one before is still good. */
const TOKEN_AGAIN_MS = 5_000;
const MOST_UNAUTHORIZED = 3;
const RECOVERED_MS = 5_000;
/** docs/errors.md: `too_many_channels_in_request`. */
const TOO_MANY = /^Too many channels/;
/** Close codes of a grant that is over (docs/errors.md). */
const GRANT_CODES: readonly unknown[] = [4001, 4003];
const NO_LOCATION: readonly unknown[] = [404, 405, 426];
/** The server says something every so often; when it does not for three times as long, nobody is there. */
const SILENCES = 3;
const SLACK_MS = 2000;

export interface Owner {
  /** What a connection that begins now is to have; it is carried from here on. */
  carry(): readonly Channel[];
  /** Nothing is carried any more: those that were. */
  lost(): readonly Channel[];
  opened(): void;
  told(frame: Frame): void;
  refused(channel: Channel, end: End): void;
  changed(change: api.StateChange): void;
}

export class Link {
  state: api.State = "idle";
  readonly token: Token;
  readonly transports: Transports;
  readonly #base: string;
  readonly #paths: Readonly<Record<api.TransportName, string>>;
  readonly #options: api.Options;
  readonly #owner: Owner;
  #pipe: Pipe | null = null;
  /** Of the pipe that counts, or of what leads to it. */
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tries = 0;
  #openedMs = 0;
  #unauthorized = 0;
  readonly #answers = new Map<number, (answer: Frame | null) => void>();
  #ref = 0;
  /** What the server has said of the end before it came. */
  #closing: Partial<End> = {};
  #heardMs = 0;
  #quietTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    base: string,
    paths: Readonly<Record<api.TransportName, string>>,
    options: api.Options,
    owner: Owner,
  ) {
    this.#base = base;
    this.#paths = paths;
    this.#options = options;
    this.#owner = owner;
    this.token = new Token(options.token ?? "", () => void this.#renew());
    this.transports = new Transports(options.transports ?? ["websocket", "sse", "poll"], options.storage);
    globalThis.addEventListener?.("online", this.#online);
  }

  get longestMs(): number {
    return this.#options.maxDelay ?? 30_000;
  }

  /** Frames can be said. */
  get isTwoWay(): boolean {
    return this.#pipe?.send !== undefined;
  }

  // --- begin and end ---------------------------------------------------------------------------------------

  async open(): Promise<void> {
    const turn = ++this.#turn;
    const isLate = (): boolean => turn !== this.#turn;
    this.#tell("connecting", "");
    const token = await this.#tokenOr((error) => {
      if (isLate()) return;
      this.#tries++;
      this.#wait({ reason: `no token: ${error}` });
    });
    if (token === null || isLate()) return;
    try {
      this.#timer = setTimeout(() => this.#ended({ reason: "no answer" }), HELLO_MS);
      this.#pipe = this.#pipeOf(this.#owner.carry(), token, {
        frame: (frame) => isLate() || this.#frame(frame),
        end: (end) => isLate() || this.#ended(end),
      });
    } catch (error) {
      this.#ended({ reason: String(error) });
    }
  }

  /** null: the page's function has failed, and that was told. */
  async #tokenOr(failed: (error: unknown) => void): Promise<string | null> {
    try {
      return await this.token.get();
    } catch (error) {
      failed(error);
      return null;
    }
  }

  reopen(): void {
    this.#drop();
    void this.open();
  }

  rest(state: "idle" | "closed", reason: string): void {
    this.#drop();
    this.#tell(state, reason);
    if (state === "idle") return;
    this.token.stop();
    globalThis.removeEventListener?.("online", this.#online);
  }

  /** `answer` is called once; null: there will be none. */
  say(frame: object, answer: (answer: Frame | null) => void = () => undefined): void {
    const ref = ++this.#ref;
    this.#answers.set(ref, answer);
    this.#pipe?.send?.({ ...frame, ref });
  }

  /** What comes of it from now on is late. */
  #drop(): readonly Channel[] {
    this.#turn++;
    clearTimeout(this.#timer);
    clearTimeout(this.#quietTimer);
    this.#pipe?.close();
    this.#pipe = null;
    this.#closing = {};
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const answer of answers) answer(null);
    return this.#owner.lost();
  }

  #tell(state: api.State, reason: string, retryMs = 0): void {
    if (state === this.state && state !== "waiting") return;
    this.state = state;
    this.#owner.changed({ state, transport: this.transports.current, reason, retryMs });
  }

  #pipeOf(channels: readonly Channel[], token: string, listener: Listener): Pipe {
    const kind = this.transports.current;
    const path = channels.map(({ path }) => encodeURIComponent(path)).join("/");
    const url = (): string => {
      const positions = channels.map(({ position }) => position).join(".");
      return `${this.#base}${this.#paths[kind]}${path}?sluice_positions=${positions}`;
    };
    return openPipe({ kind, url, token, credentials: this.#options.credentials }, listener);
  }

  #wait(end: End): void {
    const retryMs = delayMs(end, this.#tries, this.longestMs);
    this.#timer = setTimeout(() => void this.open(), retryMs);
    this.#tell("waiting", end.reason, retryMs);
  }

  readonly #online = (): void => {
    if (this.state === "waiting") this.reopen();
  };

  #ended(how: End): void {
    const end: End = { ...how, ...this.#closing };
    const { status = 0, code } = end;
    const wasOpen = this.state === "open";
    const carried = this.#drop();
    // One that is taken and dropped at once is no recovery.
    if (wasOpen) this.#tries = Date.now() - this.#openedMs > RECOVERED_MS ? 0 : this.#tries + 1;
    if (status === 401 || GRANT_CODES.includes(code)) this.#refusedToken(carried, end);
    else if (!mayPass(end) && !(NO_LOCATION.includes(status) && !this.transports.failed()))
      void this.#isolate(carried, end);
    else {
      if (!wasOpen && status === 0 && this.transports.failed()) this.#tries++;
      this.#wait(end);
    }
  }

  #refusedToken(channels: readonly Channel[], end: End): void {
    this.token.drop();
    if (!this.token.isRenewable || ++this.#unauthorized > MOST_UNAUTHORIZED) {
      this.#unauthorized = 0;
      this.#tell("idle", end.reason);
      for (const channel of channels) this.#owner.refused(channel, end);
    } else if (this.#unauthorized === 1 && this.#tries === 0) void this.open();
    else this.#wait({ reason: end.reason });
  }

  /**
   * Refused, for one of its channels perhaps: which one, each by itself will tell. Where there are too many,
   * the newest goes.
   */
  async #isolate(channels: readonly Channel[], end: End): Promise<void> {
    const turn = ++this.#turn;
    const isOne = channels.length === 1 || TOO_MANY.test(end.reason);
    let refused = 0;
    for (const channel of isOne ? channels.slice(-1) : channels) {
      const its = isOne ? end : await this.#probe(channel);
      if (turn !== this.#turn) return;
      if (its === null || mayPass(its)) continue;
      refused++;
      this.#owner.refused(channel, its);
    }
    if (refused === channels.length) this.#tell("idle", end.reason);
    else if (refused > 0) void this.open();
    else this.#wait({ reason: end.reason });
  }

  async #probe(channel: Channel): Promise<End | null> {
    const token = await this.#tokenOr(() => undefined);
    if (token === null) return null;
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
      const token = await this.token.get();
      if (turn !== this.#turn) return;
      if (!this.isTwoWay) this.reopen();
      else this.say({ kind: "token", token }, (answer) => answer?.kind === "refused" && this.reopen());
    } catch {
      setTimeout(() => void this.#renew(), TOKEN_AGAIN_MS);
    }
  }

  // --- frames ----------------------------------------------------------------------------------------------

  #frame(frame: Frame): void {
    const nowMs = Date.now();
    if (frame.kind === "ping") this.#watch(nowMs - this.#heardMs);
    this.#heardMs = nowMs;
    if (frame.kind === "closing") this.#closing = { code: Number(frame.code), retryMs: frame.retry };
    if (frame.kind === "hello") this.#opened();
    const answer = this.#answers.get(frame.ref ?? 0);
    this.#answers.delete(frame.ref ?? 0);
    this.#owner.told(frame);
    answer?.(frame);
  }

  #opened(): void {
    clearTimeout(this.#timer);
    this.#openedMs = Date.now();
    this.#unauthorized = 0;
    this.transports.worked();
    this.#tell("open", "");
    this.#owner.opened();
  }

  #watch(everyMs: number): void {
    clearTimeout(this.#quietTimer);
    const longestMs = SILENCES * everyMs + SLACK_MS;
    const look = (): void => {
      const leftMs = this.#heardMs + longestMs - Date.now();
      if (leftMs > 0) this.#quietTimer = setTimeout(look, leftMs);
      else this.#ended({ reason: "the server is silent" });
    };
    this.#quietTimer = setTimeout(look, longestMs);
  }
}
