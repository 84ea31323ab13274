/**
 * The options of a PushStream instance with their defaults, and the URLs made of them (push-stream spec 9.1,
 * 9.2). Pure functions: client.ts and the connections ask for a URL when they need one, tests compare them
 * with the tables.
 */
import type { BrowserWindow, CallbackName } from "./browser.ts";

export interface Settings {
  useSSL: boolean;
  host: string;
  port: number | string;
  /** Milliseconds, as all that follow. */
  timeout: number;
  pingtimeout: number;
  reconnectOnTimeoutInterval: number;
  reconnectOnChannelUnavailableInterval: number;
  autoReconnect: boolean;
  /** Where to start; then the last one seen. */
  lastEventId: string | null;
  /** Seconds ago, a moment, or negative: since the epoch. */
  messagesPublishedAfter: number | Date | null;
  messagesControlByArgument: boolean;
  tagArgument: string;
  timeArgument: string;
  eventIdArgument: string;
  useJSONP: boolean;
  urlPrefixPublisher: string;
  urlPrefixStream: string;
  urlPrefixEventsource: string;
  urlPrefixLongpolling: string;
  urlPrefixWebsocket: string;
  jsonIdKey: string;
  jsonChannelKey: string;
  jsonTextKey: string;
  jsonTagKey: string;
  jsonTimeKey: string;
  jsonEventIdKey: string;
  modes: string;
  channelsByArgument: boolean;
  channelsArgument: string;
  /** More query arguments of every subscription, asked for at each. */
  extraParams: (() => Readonly<Record<string, unknown>> | null | undefined) | null;
}

export type Mode = "eventsource" | "websocket" | "stream" | "longpolling";

/** What is known of the last message. Time and tag as the server wrote them. */
export interface Position {
  time: string | null;
  tag: string | number | null;
  /** The Etag of the last long-poll answer, sent back as it came. */
  etag: string | null;
  /** The server told it in an answer; not so for what an option said. */
  isFromServer: boolean;
}

export type Channels = ReadonlyMap<string, { readonly backtrack: number }>;

/**
 * Defaults for what is not given; `null` counts as not given. Times that are no numbers get their defaults,
 * too.
 */
export function resolveSettings(given: Partial<Settings>, page: BrowserWindow): Settings {
  const milliseconds = (value: unknown, otherwise: number): number => {
    const number = Number(value ?? otherwise);
    return number >= 0 ? number : otherwise;
  };
  return {
    useSSL: Boolean(given.useSSL),
    host: given.host ?? page.location.hostname,
    port: given.port ?? (given.useSSL ? 443 : 80),
    timeout: milliseconds(given.timeout, 30_000),
    pingtimeout: milliseconds(given.pingtimeout, 30_000),
    reconnectOnTimeoutInterval: milliseconds(given.reconnectOnTimeoutInterval, 3000),
    reconnectOnChannelUnavailableInterval: milliseconds(given.reconnectOnChannelUnavailableInterval, 60_000),
    autoReconnect: given.autoReconnect ?? true,
    lastEventId: given.lastEventId ?? null,
    messagesPublishedAfter: given.messagesPublishedAfter ?? null,
    messagesControlByArgument: given.messagesControlByArgument ?? false,
    tagArgument: given.tagArgument ?? "tag",
    timeArgument: given.timeArgument ?? "time",
    eventIdArgument: given.eventIdArgument ?? "eventid",
    useJSONP: given.useJSONP ?? false,
    urlPrefixPublisher: given.urlPrefixPublisher ?? "/pub",
    urlPrefixStream: given.urlPrefixStream ?? "/sub",
    urlPrefixEventsource: given.urlPrefixEventsource ?? "/ev",
    urlPrefixLongpolling: given.urlPrefixLongpolling ?? "/lp",
    urlPrefixWebsocket: given.urlPrefixWebsocket ?? "/ws",
    jsonIdKey: given.jsonIdKey ?? "id",
    jsonChannelKey: given.jsonChannelKey ?? "channel",
    jsonTextKey: given.jsonTextKey ?? "text",
    jsonTagKey: given.jsonTagKey ?? "tag",
    jsonTimeKey: given.jsonTimeKey ?? "time",
    jsonEventIdKey: given.jsonEventIdKey ?? "eventid",
    modes: given.modes ?? "eventsource|websocket|stream|longpolling",
    channelsByArgument: given.channelsByArgument ?? false,
    channelsArgument: given.channelsArgument ?? "channels",
    extraParams: given.extraParams ?? null,
  };
}

/**
 * The known names of `modes`, in its order, that this browser can do. A frame and a request are in all of
 * them.
 */
export function supportedModes(modes: string, page: BrowserWindow): Mode[] {
  const able: Readonly<Record<string, boolean>> = {
    eventsource: page.EventSource !== undefined,
    websocket: page.WebSocket !== undefined,
    stream: true,
    longpolling: true,
  };
  return modes.split("|").filter((mode): mode is Mode => Object.hasOwn(able, mode) && able[mode] === true);
}

/**
 * "seconds ago", a Date, or negative (everything since the epoch) as an HTTP date; null when it says nothing.
 */
export function startTime(after: number | Date | null, nowMs: number): string | null {
  if (after instanceof Date) return Number.isNaN(after.getTime()) ? null : after.toUTCString();
  const seconds = Number(after);
  if (Number.isNaN(seconds) || seconds === 0) return null;
  return new Date(seconds < 0 ? 0 : Math.max(0, nowMs - seconds * 1000)).toUTCString();
}

function baseUrl(settings: Settings, scheme: "http" | "ws"): string {
  const { useSSL, host, port } = settings;
  const isUsual = Number(port) === (useSSL ? 443 : 80);
  return `${scheme}${useSSL ? "s" : ""}://${host}${isUsual ? "" : `:${port}`}`;
}

/** A long poll by XMLHttpRequest could not read Etag from there, so that it goes by script instead. */
export function isOtherOrigin(settings: Settings, { location }: BrowserWindow): boolean {
  const usualPort = location.protocol === "https:" ? ":443" : ":80";
  const own = `${location.protocol}//${location.host}`;
  return baseUrl(settings, "http") !== (own.endsWith(usualPort) ? own.slice(0, -usualPort.length) : own);
}

type Param = readonly [name: string, value: unknown];

/** Nothing, false and 0 are sent as empty: push-stream spec 9.2. */
const queryOf = (params: readonly Param[]): string =>
  params
    .map(([name, value]) => `${encodeURIComponent(name)}=${value ? encodeURIComponent(String(value)) : ""}`)
    .join("&");

/** Always three, whatever is known: time if there is one, else the event id. */
function controlParams(settings: Settings, position: Position, byArgument: boolean): Param[] {
  const { time, tag } = position;
  return [
    [settings.tagArgument, byArgument && tag],
    [settings.timeArgument, byArgument && time],
    [settings.eventIdArgument, byArgument && !time && settings.lastEventId],
  ];
}

export interface Subscription {
  readonly settings: Settings;
  readonly channels: Channels;
  readonly position: Position;
  readonly nowMs: number;
}

/** Prefix and channels, the channels' own argument, and those of `extraParams`. */
function target(subscription: Subscription, prefix: string, withBacktracks: boolean) {
  const { settings, channels } = subscription;
  const path = [...channels]
    .map(([name, { backtrack }]) => (withBacktracks && backtrack > 0 ? `${name}.b${backtrack}` : name))
    .join("/");
  const extra = Object.entries(settings.extraParams?.() ?? {});
  if (!settings.channelsByArgument) return { place: `${prefix}/${path}`, extra };
  return { place: prefix, extra: [[settings.channelsArgument, path], ...extra] satisfies Param[] };
}

/** Something that takes the place of a backtrack, which would win over it at the server. */
const knowsPosition = ({ settings, position }: Subscription): boolean =>
  Boolean(position.time || position.tag || settings.lastEventId);

/** The URL of a held connection. `streamId` is the instance's, for the frame of the stream mode. */
export function heldUrl(
  subscription: Subscription,
  mode: Exclude<Mode, "longpolling">,
  streamId: number,
): string {
  const { settings, position, nowMs } = subscription;
  const prefixes = {
    websocket: settings.urlPrefixWebsocket,
    eventsource: settings.urlPrefixEventsource,
    stream: settings.urlPrefixStream,
  };
  const byArgument = settings.messagesControlByArgument;
  const withBacktracks = !(byArgument && knowsPosition(subscription));
  const { place, extra } = target(subscription, prefixes[mode], withBacktracks);
  const query = queryOf([
    ...extra,
    ["_", nowMs],
    ...(mode === "stream" ? [["streamid", String(streamId)] satisfies Param] : []),
    ...controlParams(settings, position, byArgument),
  ]);
  return `${baseUrl(settings, mode === "websocket" ? "ws" : "http")}${place}?${query}`;
}

/**
 * The URL of one long poll, with `callback` for JSONP. A backtrack answers at once, every time, so it goes as
 * soon as the server told a position (push-stream spec 4.12).
 */
export function pollUrl(subscription: Subscription, callback: CallbackName | null): string {
  const { settings, position, nowMs } = subscription;
  const byArgument = callback !== null || settings.messagesControlByArgument;
  const isPlaced = position.isFromServer || (byArgument && knowsPosition(subscription));
  const { place, extra } = target(subscription, settings.urlPrefixLongpolling, !isPlaced);
  const query = queryOf([
    ...extra,
    ...controlParams(settings, position, byArgument),
    ...(callback === null ? [] : [["callback", callback] satisfies Param]),
    ["_", nowMs],
  ]);
  return `${baseUrl(settings, "http")}${place}?&${query}`;
}

/** The slash before the first channel is the original's; servers ignore the empty channel it names. */
export function publishUrl({ settings, channels, nowMs }: Omit<Subscription, "position">): string {
  const ids = [...channels.keys()].map((name) => `/${name}`).join("");
  return `${baseUrl(settings, "http")}${settings.urlPrefixPublisher}?id=${ids}&_=${nowMs}`;
}
