/**
 * A stand-in for sluice that speaks what the page needs of the default config's locations, in one process and in memory. The page
 * is developed against it, and its browser tests run on it where no binary was built. It follows the push-stream
 * specification's rules for old messages (`.bN` before any position), because the page must cope with exactly those.
 */
import type { Server, ServerWebSocket } from "bun";
import { makePage } from "../../src/web/page.ts";

const page = makePage(true);
const MOST_STORED = 100;
const EPOCH = "t3st";

interface Stored {
  readonly channel: string;
  readonly id: number;
  readonly position: number;
  readonly time: number;
  readonly tag: number;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly text: string;
}

interface Listener {
  readonly names: readonly string[];
  deliver(messages: readonly Stored[]): void;
}

interface Channel {
  published: number;
  readonly stored: Stored[];
}

/** What a request asks for: names with their `.bN`, and the positions of its headers and query. */
interface Asked {
  readonly names: readonly string[];
  readonly backtracks: readonly number[];
  readonly token: readonly number[] | null;
  readonly time: number | null;
  readonly tag: number | null;
}

const parseAsked = (path: string, request: Request, args: URLSearchParams): Asked => {
  const parts = decodeURIComponent(path).split("/");
  const matches = parts.map((part) => /^(.*?)(?:\.b(\d+))?$/.exec(part));
  const token = /^t3st-([\d,]+)$/.exec(args.get("eventid") ?? request.headers.get("Last-Event-ID") ?? "");
  const timeMs = Date.parse(request.headers.get("If-Modified-Since") ?? "");
  const tag = /^W\/(\d+)$/.exec(request.headers.get("If-None-Match") ?? "");
  return {
    names: matches.map((match) => match?.[1] ?? ""),
    backtracks: matches.map((match) => Number(match?.[2] ?? 0)),
    token: token ? (token[1] ?? "").split(",").map(Number) : null,
    time: Number.isNaN(timeMs) ? null : timeMs / 1000,
    tag: tag ? Number(tag[1]) : null,
  };
};

/** Push-stream specification 4.7, with position tokens in the place of event ids. */
function selectOld(channel: Channel, asked: Asked, index: number): { old: Stored[]; missed: number } {
  const { stored } = channel;
  const backtrack = asked.backtracks[index] ?? 0;
  if (backtrack > 0) return { old: stored.slice(-backtrack), missed: 0 };
  const { time, tag } = asked;
  if (asked.token) {
    const after = asked.token[index] ?? 0;
    const missed = (stored[0]?.position ?? channel.published + 1) - after - 1;
    return { old: stored.filter((message) => message.position > after), missed: Math.max(missed, 0) };
  }
  if (time === null) return { old: [], missed: 0 };
  const isAfter = (message: Stored) =>
    message.time > time || (tag !== null && message.time === time && message.tag > tag);
  return { old: stored.filter(isAfter), missed: 0 };
}

const lines = (messages: readonly Stored[]) => messages.map((message) => `${message.text}\n`).join("");

const eventOf = (message: Stored, id: string) =>
  `id: ${id}\n${message.eventType ? `event: ${message.eventType}\n` : ""}${message.text
    .split("\n")
    .map((line) => `data: ${line}\n`)
    .join("")}\n`;

const frameOf = (message: Stored) =>
  JSON.stringify({
    kind: "message",
    channel: message.channel,
    id: message.id,
    position: `${EPOCH}-${message.position}`,
    time: message.time,
    tag: message.tag,
    event_id: message.eventId ?? undefined,
    event_type: message.eventType ?? undefined,
    data: message.text,
  });

const refusal = (status: number, explain: string) =>
  new Response(null, { status, headers: { "X-Nginx-PushStream-Explain": explain } });

interface Peer {
  readonly asked: Asked;
  listener: Listener | null;
}

export interface StandIn {
  readonly url: string;
  stop(): void;
}

export function startStandIn(port: number): StandIn {
  const channels = new Map<string, Channel>();
  const listeners = new Set<Listener>();
  let lastTime = 0;
  let lastTag = 0;

  const channelOf = (name: string): Channel => {
    const found = channels.get(name) ?? { published: 0, stored: [] };
    channels.set(name, found);
    return found;
  };

  const info = (name: string) => ({
    channel: name,
    published_messages: channelOf(name).published,
    stored_messages: channelOf(name).stored.length,
    subscribers: [...listeners].filter((listener) => listener.names.includes(name)).length,
  });

  const append = (name: string, text: string, request: Request): void => {
    const channel = channelOf(name);
    const time = Math.floor(Date.now() / 1000);
    lastTag = time === lastTime ? lastTag + 1 : 1;
    lastTime = time;
    const id = ++channel.published;
    const message = {
      channel: name,
      id,
      position: id,
      time,
      tag: lastTag,
      eventId: request.headers.get("Event-Id"),
      eventType: request.headers.get("Event-Type"),
      text,
    };
    channel.stored.push(message);
    if (channel.stored.length > MOST_STORED) channel.stored.shift();
    for (const listener of [...listeners]) if (listener.names.includes(name)) listener.deliver([message]);
  };

  const publish = async (request: Request, args: URLSearchParams): Promise<Response> => {
    const names = (args.get("id") ?? "").split("/").filter(Boolean);
    if (names.length === 0) return refusal(400, "No channel id provided.");
    if (names.some((name) => name === "ALL" || name.includes("*")))
      return refusal(403, "Channel id not authorized for this method.");
    if (request.method === "POST") {
      const text = await request.text();
      if (text === "") return refusal(400, "Empty post requests are not allowed.");
      for (const name of names) append(name, text, request);
    }
    const [first] = names;
    return Response.json(names.length === 1 && first ? info(first) : { infos: names.map(info) });
  };

  /** Every old message and gap of a request, channel by channel. */
  const replay = (asked: Asked) =>
    asked.names.map((name, index) => ({ name, index, ...selectOld(channelOf(name), asked, index) }));

  const held = (
    asked: Asked,
    request: Request,
    type: string,
    open: (send: (text: string) => void) => Listener,
  ): Response => {
    const encoder = new TextEncoder();
    let listener: Listener | null = null;
    const leave = () => {
      if (listener) listeners.delete(listener);
    };
    request.signal.addEventListener("abort", leave);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        listener = open((text) => text && controller.enqueue(encoder.encode(text)));
        listeners.add(listener);
      },
      cancel: leave,
    });
    return new Response(body, {
      headers: { "Content-Type": type, "X-Channels": String(asked.names.length) },
    });
  };

  const stream = (asked: Asked, request: Request) =>
    held(asked, request, "text/plain", (send) => {
      send(" \n");
      for (const { old } of replay(asked)) send(lines(old));
      return { names: asked.names, deliver: (messages) => send(lines(messages)) };
    });

  const events = (asked: Asked, request: Request) =>
    held(asked, request, "text/event-stream; charset=utf-8", (send) => {
      const at = asked.names.map((name, i) => asked.token?.[i] ?? channelOf(name).published);
      const sendAll = (messages: readonly Stored[]) => {
        for (const message of messages) {
          at[asked.names.indexOf(message.channel)] = message.position;
          send(eventOf(message, `${EPOCH}-${at.join(",")}`));
        }
      };
      send(": \n");
      for (const { name, index, old, missed } of replay(asked)) {
        at[index] = (at[index] ?? 0) + missed;
        if (missed > 0)
          send(
            `id: ${EPOCH}-${at.join(",")}\nevent: gap\ndata: ${JSON.stringify({ channel: name, missed })}\n\n`,
          );
        sendAll(old);
      }
      return { names: asked.names, deliver: sendAll };
    });

  const answerOf = (messages: readonly Stored[]): Response => {
    const last = messages.at(-1);
    const headers = {
      "Last-Modified": new Date((last?.time ?? 0) * 1000).toUTCString(),
      Etag: `W/${last?.tag}`,
    };
    return new Response(lines(messages), { headers });
  };

  const longPoll = (asked: Asked, request: Request): Response | Promise<Response> => {
    const old = replay(asked).flatMap((entry) => entry.old);
    if (old.length > 0) return answerOf(old);
    return new Promise((resolve) => {
      const finish = (response: Response) => {
        listeners.delete(listener);
        resolve(response);
      };
      const listener: Listener = { names: asked.names, deliver: (messages) => finish(answerOf(messages)) };
      listeners.add(listener);
      request.signal.addEventListener("abort", () => finish(new Response(null, { status: 304 })));
    });
  };

  const openSocket = (socket: ServerWebSocket<Peer>) => {
    const { asked } = socket.data;
    if (asked.names.some((name) => name === "ALL" || name.includes("*")))
      return socket.close(
        1008,
        '{"http_status": 403, "explain":"Channel id not authorized for this method."}',
      );
    const positions = asked.names.map(
      (name, i) => `${EPOCH}-${asked.token?.[i] ?? channelOf(name).published}`,
    );
    socket.send(JSON.stringify({ kind: "hello", channels: asked.names, positions }));
    for (const { name, index, old, missed } of replay(asked)) {
      const position = `${EPOCH}-${(asked.token?.[index] ?? 0) + missed}`;
      if (missed > 0) socket.send(JSON.stringify({ kind: "gap", channel: name, missed, position }));
      for (const message of old) socket.send(frameOf(message));
    }
    const listener: Listener = {
      names: asked.names,
      deliver: (messages) => {
        for (const message of messages) socket.send(frameOf(message));
      },
    };
    socket.data.listener = listener;
    listeners.add(listener);
  };

  const answer = (request: Request, server: Server<Peer>): Response | Promise<Response> | undefined => {
    const url = new URL(request.url);
    const [, place = "", ...rest] = url.pathname.split("/");
    if (place === "") return new Response(page.body, { headers: page.headers });
    if (place === "pub") return publish(request, url.searchParams);
    const asked = parseAsked(rest.join("/"), request, url.searchParams);
    if (place === "ws") {
      if (server.upgrade(request, { data: { asked, listener: null } })) return undefined;
      return refusal(400, "Don't have at least one of the mandatory headers.");
    }
    if (asked.names.some((name) => name === "ALL" || name.includes("*")))
      return refusal(403, "Channel id not authorized for this method.");
    if (place === "ev") return events(asked, request);
    if (place === "lp") return longPoll(asked, request);
    if (place === "sub") return stream(asked, request);
    return new Response("not found", { status: 404 });
  };

  const server = Bun.serve<Peer>({
    hostname: "127.0.0.1",
    port,
    idleTimeout: 0,
    fetch: answer,
    websocket: {
      open: openSocket,
      message() {
        return undefined;
      },
      close(socket) {
        if (socket.data.listener) listeners.delete(socket.data.listener);
      },
    },
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => void server.stop(true) };
}
