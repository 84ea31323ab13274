/**
 * How each transport is read: one function a lane, from an open link to its end. They tell the sink what they
 * hear, and keep the position with which the reader goes on, there or on another lane (docs/protocol.md,
 * positions). Called by reader.ts.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { unpack } from "msgpackr";
import type { Lane } from "./history.ts";
import { readBody, readHead, readLines, sendRequest } from "./link/http-link.ts";
import { type Link, LinkEnd } from "./link/link.ts";
import { readFrame, shakeHands } from "./link/socket-link.ts";
import { lanePath, type ServerUnderTest } from "./server.ts";

/**
 * Where a reader stands: a token of sluice, or time and tag of the dialect; which of them depends on the lane
 * it was on.
 */
export interface Position {
  readonly token: string | null;
  readonly time: string | null;
  readonly tag: string | null;
}

export interface Sink {
  position: Position | null;
  /** It stands there, with its position or without; before anything else is heard. */
  opened(): void;
  /** `channel` and `id`, the message's number there: null where this lane does not say. */
  message(channel: string | null, text: string, id: number | null): void;
  /** `channel` null: all of the connection. */
  gap(channel: string | null, missed: number | null): void;
}

export interface LaneSetting {
  readonly server: ServerUnderTest;
  readonly link: Link;
  readonly channels: readonly string[];
  readonly sink: Sink;
  /** Milliseconds between two polls. */
  readonly pollMs: () => number;
}

/** Resolves to why it ended, or throws LinkEnd. */
export const LANE_READERS: Readonly<Record<Lane, (setting: LaneSetting) => Promise<string>>> = {
  sse: readEvents,
  stream: readStream,
  "ws-json": (setting) =>
    readFrames(setting, "sluice.json.v1", (bytes) => JSON.parse(bytes.toString("utf8"))),
  "ws-msgpack": (setting) => readFrames(setting, "sluice.msgpack.v1", (bytes) => unpack(bytes)),
  "ws-text": readTexts,
  "long-poll": (setting) => readPolls(setting, "long-poll"),
  poll: (setting) => readPolls(setting, "poll"),
};

/**
 * Lanes whose position holds for several channels at once; time and tag stand for one (push-stream spec
 * 4.18).
 */
export const TOKEN_LANES: readonly Lane[] = ["sse", "ws-json", "ws-msgpack"];

function positionQuery(position: Position | null): string {
  if (position === null) return "";
  if (position.token !== null) return `eventid=${encodeURIComponent(position.token)}`;
  return `time=${encodeURIComponent(position.time ?? "")}&tag=${position.tag ?? ""}`;
}

const ask = ({ server, link, channels }: LaneSetting, lane: Lane, query: string, more = {}): void =>
  sendRequest(link, server.host, lanePath(lane, channels, query), { ...server.fields, ...more });

async function readEvents(setting: LaneSetting): Promise<string> {
  const { link, sink } = setting;
  // As every EventSource says it; it is then told its position at once.
  ask(setting, "sse", positionQuery(sink.position), {
    Accept: "text/event-stream",
    "Cache-Control": "no-cache",
  });
  const head = await readHead(link);
  if (head.status !== 200) return `answered ${head.status}`;
  let isOpen = false;
  // Who is turned away hears a comment and retry, and no event: he never stood there.
  const open = (): void => {
    if (!isOpen) sink.opened();
    isOpen = true;
  };
  const parser = createParser({
    onId: (id) => {
      open();
      sink.position = { token: id, time: null, tag: null };
    },
    onEvent: (event) => {
      open();
      hearEvent(sink, event);
    },
  });
  const decoder = new TextDecoder();
  for await (const piece of readBody(link, head)) parser.feed(decoder.decode(piece, { stream: true }));
  return "the stream ended";
}

function hearEvent(sink: Sink, { id, event, data }: EventSourceMessage): void {
  if (event === "gap") {
    const { channel, missed } = JSON.parse(data) as { channel: string; missed: number | null };
    sink.gap(channel, missed);
  }
  if (event === undefined && id !== undefined) sink.message(null, data, null);
}

async function readStream(setting: LaneSetting): Promise<string> {
  const { link, sink } = setting;
  ask(setting, "stream", positionQuery(sink.position));
  const head = await readHead(link);
  if (head.status !== 200) return `answered ${head.status}`;
  sink.opened();
  hearGaps(head.fields.get("sluice-gap"), sink);
  for await (const line of readLines(readBody(link, head))) hearLine(line, setting);
  return "the stream ended";
}

/** `Sluice-Gap: ch1=3, ch2=unknown`. */
function hearGaps(field: string | undefined, sink: Sink): void {
  for (const part of field?.split(", ") ?? []) {
    const equals = part.lastIndexOf("=");
    const missed = Number(part.slice(equals + 1));
    sink.gap(decodeURIComponent(part.slice(0, equals)), Number.isInteger(missed) ? missed : null);
  }
}

interface Templated {
  readonly id: number;
  readonly channel: string;
  readonly time: string;
  readonly tag: number;
  readonly text: string;
}

/**
 * A message in the template of our servers, or a bare text, as the embedded configuration has it. Others are
 * pings and heads.
 */
function hearLine(line: string, { sink, channels }: LaneSetting): boolean {
  if (line.startsWith("v")) {
    sink.message(channels.length === 1 ? (channels[0] ?? null) : null, line, null);
    return true;
  }
  if (!line.startsWith("{")) return false;
  const { id, channel, time, tag, text } = JSON.parse(line) as Templated;
  if (id <= 0) return true;
  sink.position = { token: null, time, tag: String(tag) };
  sink.message(channel, text, id);
  return true;
}

async function readTexts(setting: LaneSetting): Promise<string> {
  const { server, link, channels, sink } = setting;
  const path = lanePath("ws-text", channels, positionQuery(sink.position));
  const refused = await shakeHands(link, server.host, path, null, server.fields);
  if (refused !== null) return `answered ${refused.status}`;
  let isOpen = false;
  for (;;) {
    const frame = await readFrame(link);
    if (frame.kind === "close") return leave(frame.code, frame.reason, sink);
    // The first frame is the header template: it is sent when the socket stands there.
    if (!isOpen) sink.opened();
    isOpen = true;
    hearLine(frame.bytes.toString("utf8").trimEnd(), setting);
  }
}

/** 1013: messages were lost, and the template has no words for it. The position is no use any more. */
function leave(code: number, reason: string, sink: Sink): string {
  if (code === 1013) {
    sink.gap(null, null);
    sink.position = null;
  }
  return `close ${code} ${reason}`.trimEnd();
}

interface SaidFrame {
  readonly kind: string;
  readonly channel?: string;
  /** In a cluster above 2^32, which msgpack's decoder takes for a BigInt. */
  readonly id?: number | bigint;
  readonly position?: string;
  readonly data?: string | Uint8Array;
  readonly missed?: number | null;
}

async function readFrames(
  setting: LaneSetting,
  protocol: string,
  decode: (bytes: Buffer) => SaidFrame,
): Promise<string> {
  const { server, link, channels, sink } = setting;
  const path = lanePath("ws-json", channels, positionQuery(sink.position));
  const refused = await shakeHands(link, server.host, path, protocol, server.fields);
  if (refused !== null) return `answered ${refused.status}`;
  for (;;) {
    const frame = await readFrame(link);
    if (frame.kind === "close") return `close ${frame.code} ${frame.reason}`.trimEnd();
    const said = decode(frame.bytes);
    if (said.kind === "hello") sink.opened();
    if (said.kind === "gap") sink.gap(said.channel ?? null, said.missed ?? null);
    if (said.position !== undefined) sink.position = { token: said.position, time: null, tag: null };
    if (said.kind === "message" && said.channel !== undefined && said.data !== undefined) {
      const text = typeof said.data === "string" ? said.data : Buffer.from(said.data).toString("utf8");
      sink.message(said.channel, text, said.id === undefined ? null : Number(said.id));
    }
  }
}

async function readPolls(setting: LaneSetting, lane: "poll" | "long-poll"): Promise<string> {
  const { link, sink, pollMs } = setting;
  // A poll stands nowhere: who has no position, or none any more, begins with this second (push-stream spec
  // 4.18).
  for (let isOpen = false; ; isOpen = true) {
    if (!isOpen || sink.position === null) sink.opened();
    sink.position ??= { token: null, time: new Date().toUTCString(), tag: "0" };
    const { token, time, tag } = sink.position;
    const fields =
      token === null ? { "If-Modified-Since": time ?? "", "If-None-Match": `W/${tag ?? ""}` } : {};
    ask(setting, lane, token === null ? "" : positionQuery(sink.position), fields);
    const head = await readHead(link);
    if (head.status !== 200 && head.status !== 304) return `answered ${head.status}`;
    hearGaps(head.fields.get("sluice-gap"), sink);
    const lines: string[] = [];
    for await (const line of readLines(readBody(link, head))) lines.push(line);
    for (const line of lines) hearLine(line, setting);
    moveOn(head, sink);
    if (head.fields.get("connection") === "close")
      throw new LinkEnd("the answer was the last of its connection");
    if (lane === "poll" || head.status === 304) await Bun.sleep(pollMs());
  }
}

/**
 * The answer's own position stands behind all of its messages; a 304 of a timeout names none that is newer
 * (tag 0). Where the server does not know the position any more, it is no use: go on from this second.
 */
function moveOn(
  { status, fields }: { status: number; fields: ReadonlyMap<string, string> },
  sink: Sink,
): void {
  const time = fields.get("last-modified");
  const tag = fields.get("etag")?.replace(/^W\/|"/g, "");
  if (status === 200 && time !== undefined && tag !== undefined) sink.position = { token: null, time, tag };
  else if (fields.get("sluice-gap")?.includes("=unknown")) sink.position = null;
}
