/**
 * A WebSocket that came in at a listener of node:http, carried on by Bun's own server: the handshake is passed on to a unix socket,
 * and from its 101 on the bytes of both sides are. Called by early-listener.ts.
 *
 * Until that 101 nothing else of the client is passed on. Behind a handshake that is refused there would be room for a second request,
 * which could say itself whose it is.
 */
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { PeerSource } from "../config/door.ts";
import type { Incoming } from "../incoming.ts";
import { type KnownPeer, peerText, tcpPeer, UNIX_PEER } from "../peer.ts";
import { ClientFrames, clientClose } from "../wire/client-frames.ts";

/** "https 192.0.2.1", "http unix:": scheme and address of the client of a relayed handshake; a client's own is dropped. */
const PEER_HEADER = "x-sluice-peer";
const SWITCHING = Buffer.from("HTTP/1.1 101");
/** A client that does not close after the server has is cut off. */
const GOODBYE_MS = 2000;
/** So is one that takes nothing of what it is sent. */
const TAKES_NOTHING_MS = 60_000;
/** RFC 6455 7.4.1. */
const PROTOCOL_ERROR = 1002;

/** Who a relayed handshake is from, and how it came. */
export const peerOfRelay: PeerSource = {
  peerOf(request) {
    const [, text] = told(request);
    return text === peerText(UNIX_PEER) ? UNIX_PEER : tcpPeer(text);
  },
  schemeOf: (request) => told(request)[0] ?? "http",
};

const told = (request: Incoming): readonly string[] => (request.headers.get(PEER_HEADER) ?? "").split(" ");

export interface RelayOptions {
  readonly socketPath: string;
  readonly peer: KnownPeer;
  /** How long a message may be unfinished; 0 = for ever. */
  readonly silenceMs: number;
}

/** What `shouldUpgradeCallback` lets through is a GET without a body; `head` is what came behind it. */
export function relay(incoming: IncomingMessage, client: Duplex, head: Buffer, options: RelayOptions): void {
  const native = connect(options.socketPath);
  native.write(handshake(incoming, options.peer), "latin1");
  let answered = Buffer.alloc(0);
  const begin = (bytes: Buffer | string): void => {
    answered = Buffer.concat([answered, Buffer.from(bytes)]);
    if (answered.length < SWITCHING.length) return;
    native.off("data", begin);
    client.write(answered);
    carryDown(native, client);
    if (answered.indexOf(SWITCHING) !== 0) return;
    carryUp(client, native, head, options.silenceMs);
  };
  native.on("data", begin);
  client.on("error", () => native.destroy());
  client.on("close", () => native.destroy());
  native.on("error", () => client.destroy());
  native.on("close", () => sayGoodbye(client));
}

/**
 * To the client. The server feels that it is slow; but once the server has given it up, its end stands behind bytes that nobody reads,
 * so who takes nothing is given up here as well.
 */
function carryDown(native: Socket, client: Duplex): void {
  native.on("data", (bytes: Buffer) => {
    if (client.write(bytes)) return;
    native.pause();
    const stuck = setTimeout(() => client.destroy(), TAKES_NOTHING_MS);
    const go = (): void => {
      clearTimeout(stuck);
      client.off("drain", go);
      client.off("close", go);
      native.resume();
    };
    client.on("drain", go);
    client.on("close", go);
  });
}

/** To the server: frames with a minimal length, and messages that are finished in time. */
function carryUp(client: Duplex, native: Socket, head: Buffer, silenceMs: number): void {
  const frames = new ClientFrames();
  let finished = 0;
  let begunMs = performance.now();
  const take = (bytes: Buffer): void => {
    const passed = frames.take(bytes);
    const hasRoom = native.write(passed);
    if (frames.isFaulty) {
      // The server answers it as if the client had said so, behind what it has still to say.
      native.write(clientClose(PROTOCOL_ERROR, "length is not minimal"));
      client.off("data", take);
      client.resume();
      return;
    }
    // One that says nothing at all meets the server's own deadline (socket-watch.ts).
    const nowMs = performance.now();
    if (!frames.isUnfinished || finished !== frames.finished) begunMs = nowMs;
    else if (silenceMs > 0 && nowMs - begunMs > silenceMs) client.destroy();
    finished = frames.finished;
    if (hasRoom) return;
    client.pause();
    native.once("drain", () => client.resume());
  };
  client.on("data", take);
  client.on("end", () => native.end());
  if (head.length > 0) take(head);
}

/**
 * The request as it came, but for who it is from, and for its connection, which is to end with an answer that is not 101.
 */
function handshake({ method, url, rawHeaders, socket }: IncomingMessage, peer: KnownPeer): string {
  let lines = `${method} ${url} HTTP/1.1\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.toLowerCase() !== PEER_HEADER && name.toLowerCase() !== "connection")
      lines += `${name}: ${rawHeaders[i + 1]}\r\n`;
  }
  const scheme = Reflect.get(socket, "encrypted") === true ? "https" : "http";
  return `${lines}Connection: Upgrade, close\r\n${PEER_HEADER}: ${scheme} ${peerText(peer)}\r\n\r\n`;
}

/**
 * Ends a relayed connection whose server has closed. What the client still sends is read and dropped: closing over unread bytes
 * makes the kernel reset the connection, and the close frame would be lost with it.
 */
function sayGoodbye(client: Duplex): void {
  client.removeAllListeners("data");
  client.resume();
  client.end();
  setTimeout(() => client.destroy(), GOODBYE_MS).unref();
}
