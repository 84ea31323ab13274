/**
 * What somebody's code can do, whoever it runs for: publish, subscribe, wait, share, be told of its end. One
 * for each request, timer run and answer; RequestContext (context.ts) adds the request. Its functions are
 * closures, so that they can be taken out of it: `async function* ({ sleep })`. What costs something is made
 * when it is first asked for.
 */
import type {
  ChannelStatistics,
  ListedMessage,
  ListedResult,
  PublishOptions,
  PublishResult,
  Subscription,
  TaskContext,
} from "sluice";
import { type LogFields, log } from "../log.ts";
import type { HandlerHost } from "./host.ts";
import { merged } from "./merge.ts";
import { publishList } from "./publish-list.ts";
import { channelStatistics, publishFrom } from "./publishing.ts";
import { type Feed, iterable, openSubscription } from "./subscription.ts";

/** setTimeout holds no more. */
const LONGEST_SLEEP_MS = 0x7fffffff;

export class Task implements TaskContext {
  protected readonly host: HandlerHost;
  /** Whose code it is, for the log. */
  protected readonly file: string;
  #controller: AbortController | null = null;
  #ending: DOMException | null = null;
  /** Sleepers and subscriptions, called when it ends. */
  #endings: Set<() => void> | null = null;

  constructor(host: HandlerHost, file: string) {
    this.host = host;
    this.file = file;
  }

  // --- its end ---------------------------------------------------------------------------------------------

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ending !== null) this.#controller.abort(this.#ending);
    return this.#controller.signal;
  }

  get isEnded(): boolean {
    return this.#ending !== null;
  }

  /** Whether this is what a sleeper was woken with: no fault of the handler. */
  isEnding(error: unknown): boolean {
    return this.#ending !== null && error === this.#ending;
  }

  /** Wakes sleepers, ends subscriptions, aborts the signal. Idempotent. */
  finish(ending: DOMException): void {
    if (this.#ending !== null) return;
    this.#ending = ending;
    const endings = this.#endings;
    this.#endings = null;
    if (endings !== null) for (const end of [...endings]) end();
    this.#controller?.abort(ending);
  }

  #atEnd(end: () => void): () => void {
    this.#endings ??= new Set();
    const endings = this.#endings;
    endings.add(end);
    return () => endings.delete(end);
  }

  // --- what it can do --------------------------------------------------------------------------------------

  readonly sleep = (ms: number): Promise<void> =>
    new Promise((resolve, reject) => {
      if (this.#ending !== null) {
        reject(this.#ending);
        return;
      }
      const forget = this.#atEnd(() => {
        clearTimeout(timer);
        reject(this.#ending);
      });
      const timer = setTimeout(
        () => {
          forget();
          resolve();
        },
        Math.min(ms, LONGEST_SLEEP_MS),
      );
    });

  readonly publish = ((
    what: string | readonly ListedMessage[],
    data: string | Uint8Array,
    options?: PublishOptions,
  ): Promise<PublishResult> | Promise<readonly ListedResult[]> =>
    Array.isArray(what)
      ? publishList(this.host, what)
      : publishFrom(this.host, what as string, data, options)) as TaskContext["publish"];

  readonly channel = (name: string): ChannelStatistics | null => channelStatistics(this.host, name);

  readonly subscribe = (
    channel: string | readonly string[],
    { last = 0 }: { readonly last?: number } = {},
  ): Subscription => {
    if (this.#ending !== null) throw this.#ending;
    const channels = typeof channel === "string" ? [channel] : channel;
    let forget = (): void => undefined;
    const feed: Feed = openSubscription(this.host, channels, last, () => forget());
    if (!feed.isEnded) {
      const unlist = this.#atEnd(() => feed.close());
      forget = () => void unlist();
    }
    return iterable(feed);
  };

  readonly log = (message: string, fields: LogFields = {}): void => {
    log("info", String(message), fields);
  };

  get shared(): TaskContext["shared"] {
    return (name) => this.host.dictionaries.of(name);
  }

  get after(): TaskContext["after"] {
    return (ms, work) => this.host.tasks.after(this.file, ms, work);
  }

  get merge(): TaskContext["merge"] {
    return (...sources) => merged(sources);
  }
}
