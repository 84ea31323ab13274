/**
 * A stand-in for the server, for what the real one seldom says: refusals of every kind, summaries with known
 * numbers. Used by the tests of `sluice pub` and `sluice stats`.
 */
import type { Server } from "bun";
import { freePort } from "../binary/running-server.ts";

interface Stored {
  readonly channel: string;
  readonly data: Uint8Array;
}

/** The answer form of push-stream spec 5.5. */
const SUMMARY =
  '{"hostname": "double", "time": "2023-11-14T22:13:20", "channels": 2, "wildcard_channels": 0, ' +
  '"published_messages": 7, "stored_messages": 5, "messages_in_trash": 0, "channels_in_delete": 0, ' +
  '"channels_in_trash": 0, "subscribers": 3, "uptime": 93784, "by_worker": [\r\n' +
  '{"pid": "123", "subscribers": 3, "uptime": 93784}\r\n]}\r\n';

const encoder = new TextEncoder();

export class ServerDouble {
  readonly url: string;
  /** Every request line, and what came with publications. */
  readonly requests: string[] = [];
  /** When set, every request is refused so. */
  refuse: { readonly status: number; readonly explain: string } | null = null;
  /** Refuses once this many requests were answered. */
  refuseAfter: { readonly requests: number; readonly status: number; readonly explain: string } | null = null;
  #answered = 0;
  readonly #server: Server<undefined>;
  readonly #messages: Stored[] = [];

  private constructor() {
    const port = freePort();
    this.#server = Bun.serve({
      port,
      hostname: "127.0.0.1",
      fetch: (request) => this.#answer(request),
    });
    this.url = `http://127.0.0.1:${port}`;
  }

  static start(): ServerDouble {
    return new ServerDouble();
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  publish(channel: string, text: string | Uint8Array): void {
    this.#messages.push({ channel, data: typeof text === "string" ? encoder.encode(text) : text });
  }

  stored(channel: string): Uint8Array[] {
    return this.#of(channel).map(({ data }) => data);
  }

  #answer(request: Request): Response | Promise<Response> {
    const url = new URL(request.url);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const late = this.refuseAfter !== null && this.#answered++ >= this.refuseAfter.requests;
    const refusal = this.refuse ?? (late ? this.refuseAfter : null);
    if (refusal !== null) {
      const headers = { "X-Nginx-PushStream-Explain": refusal.explain };
      return new Response(null, { status: refusal.status, headers });
    }
    const id = url.searchParams.get("id") ?? "";
    if (url.pathname === "/pub") return this.#takePublication(request, id);
    return url.pathname === "/channels-stats" ? this.#statistics(id) : new Response(null, { status: 404 });
  }

  async #takePublication(request: Request, id: string): Promise<Response> {
    const body = await request.bytes();
    if (body.length === 0) {
      const headers = { "X-Nginx-PushStream-Explain": "Empty post requests are not allowed." };
      return new Response(null, { status: 400, headers });
    }
    this.requests.push(
      `Event-Id=${request.headers.get("event-id")} Event-Type=${request.headers.get("event-type")}`,
    );
    for (const channel of id.split("/")) this.publish(channel, body);
    return this.#statistics(id);
  }

  #statistics(id: string): Response {
    const all = [...new Set(this.#messages.map(({ channel }) => channel))];
    if (id === "") return new Response(SUMMARY);
    const infos = (id === "ALL" ? all : id.split("/").filter((name) => all.includes(name))).map((channel) => {
      const count = this.#of(channel).length;
      return { channel, published_messages: count, stored_messages: count, subscribers: 0 };
    });
    if (infos.length === 0 && id !== "ALL") return new Response(null, { status: 404 });
    return Response.json(infos.length === 1 && id !== "ALL" ? infos[0] : { hostname: "double", infos });
  }

  #of(channel: string): Stored[] {
    return this.#messages.filter((message) => message.channel === channel);
  }
}
