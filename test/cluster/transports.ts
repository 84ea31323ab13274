/**
 * The four ways in which a reader (reader.ts) hears of a channel: each one connection or request after the
 * other, with the position it has in the form of its transport, and what it is told of gaps in its words.
 */

export interface Ear {
  opened(): void;
  message(text: string): void;
  gap(missed: number | null): void;
}

export interface Transport {
  /** One connection, until it ends. Rejects when there is none. */
  once(url: string, channel: string, signal: AbortSignal, ear: Ear): Promise<void>;
}

async function get(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { headers, signal });
  if (response.status !== 200 && response.status !== 304) throw new Error(String(response.status));
  return response;
}

/** Calls `take` with each piece of the body that ends with `end`. */
async function pieces(response: Response, end: string, take: (piece: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    for (let at = text.indexOf(end); at >= 0; at = text.indexOf(end)) {
      take(text.slice(0, at));
      text = text.slice(at + end.length);
    }
  }
}

export class EventSource implements Transport {
  #lastId: string;

  constructor(lastId = "") {
    this.#lastId = lastId;
  }

  async once(url: string, channel: string, signal: AbortSignal, ear: Ear): Promise<void> {
    const headers: Record<string, string> = this.#lastId === "" ? {} : { "Last-Event-ID": this.#lastId };
    const response = await get(`${url}/ev/${channel}`, headers, signal);
    ear.opened();
    await pieces(response, "\n\n", (event) => this.#take(event, ear));
  }

  #take(event: string, ear: Ear): void {
    // The last one counts (HTML 9.2.6): where the stream begins stands an id of its own before the first
    // message.
    const field = (name: string): string | null =>
      [...event.matchAll(new RegExp(`^${name}: ?(.*)$`, "gm"))].at(-1)?.[1] ?? null;
    const data = field("data");
    this.#lastId = field("id") ?? this.#lastId;
    if (data === null) return;
    if (field("event") === "gap") ear.gap(JSON.parse(data).missed);
    else ear.message(data);
  }
}

export class Socket implements Transport {
  #position = "";

  async once(url: string, channel: string, signal: AbortSignal, ear: Ear): Promise<void> {
    const query = this.#position === "" ? "" : `?eventid=${this.#position}`;
    const socket = new WebSocket(`${url.replace("http", "ws")}/ws/${channel}${query}`, ["sluice.json.v1"]);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const end = (): void => socket.close();
    signal.addEventListener("abort", end);
    socket.onmessage = ({ data }) => this.#take(JSON.parse(String(data)), ear);
    socket.onclose = () => resolve();
    socket.onerror = () => resolve();
    await ended;
    signal.removeEventListener("abort", end);
  }

  #take({ kind, position, data, missed }: Record<string, string | number | null>, ear: Ear): void {
    if (typeof position === "string") this.#position = position;
    if (kind === "hello") ear.opened();
    else if (kind === "gap") ear.gap(missed === null ? null : Number(missed));
    else if (kind === "message") ear.message(String(data));
  }
}

/** Time and tag as the headers have them, and what is said of gaps there. */
class Moment {
  readonly headers: Record<string, string> = {};

  set(date: string | null, tag: string | null): void {
    if (date !== null) this.headers["If-Modified-Since"] = date;
    if (tag !== null) this.headers["If-None-Match"] = tag;
  }

  of({ headers }: Response, ear: Ear): void {
    const gap = headers.get("sluice-gap");
    if (gap !== null) ear.gap(gap.endsWith("unknown") ? null : Number(gap.split("=").at(-1)));
  }

  /** Where nothing was heard yet: the moment in which it comes. */
  async begin(url: string, channel: string, signal: AbortSignal): Promise<void> {
    if (this.headers["If-None-Match"] !== undefined) return;
    const { headers } = await get(`${url}/poll/${channel}`, {}, signal);
    this.set(headers.get("last-modified"), headers.get("etag"));
  }
}

/** A stream with a template; it has no words for a gap, so it is ended, and the next one's head says it. */
export class Stream implements Transport {
  readonly #moment = new Moment();

  async once(url: string, channel: string, signal: AbortSignal, ear: Ear): Promise<void> {
    await this.#moment.begin(url, channel, signal);
    const response = await get(`${url}/lines/${channel}`, this.#moment.headers, signal);
    this.#moment.of(response, ear);
    ear.opened();
    await pieces(response, "\n", (line) => {
      const [time, tag, text] = line.trim().split("|");
      if (text === undefined) return;
      this.#moment.set(time ?? null, tag ?? null);
      ear.message(text);
    });
  }
}

export class LongPoll implements Transport {
  readonly #moment = new Moment();

  async once(url: string, channel: string, signal: AbortSignal, ear: Ear): Promise<void> {
    await this.#moment.begin(url, channel, signal);
    ear.opened();
    while (!signal.aborted) {
      const response = await get(`${url}/lp-lines/${channel}`, this.#moment.headers, signal);
      const text = await response.text();
      this.#moment.of(response, ear);
      this.#moment.set(response.headers.get("last-modified"), response.headers.get("etag"));
      for (const line of text.split("\n")) if (line !== "") ear.message(line.trim());
    }
  }
}
