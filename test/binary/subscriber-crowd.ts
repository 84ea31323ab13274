/**
 * Several subscribers of every kind, and what each of them receives after a moment in which the server was
 * told something: the rows of push-stream spec 8.2. Used by the tests of signals.
 */
import { type RawAnswer, RawConnection, standing } from "./raw-client.ts";
import { RawWebSocket } from "./raw-web-socket.ts";
import { layout } from "./running-server.ts";

const SEVERAL = 4;
const KINDS = 5;
/** Minutes: nothing of it must hold an end up. */
const PATIENT = 'ping_message_interval = "5m"\nsubscriber_connection_ttl = "10m"';
const AROUND = 'header_template = "HEADER"\nfooter_template = "BYE"';

/** `streamHeader`: with none, the wire listener serves the address. */
export const patientLayout = (top = "", streamHeader = "HEADER"): string =>
  layout(top, {
    sub: `header_template = "${streamHeader}"\nfooter_template = "BYE"\n${PATIENT}`,
    ev: `${AROUND}\n${PATIENT}`,
    lp: `${AROUND}\nlongpolling_connection_ttl = "10m"\nmessage_template = "<~id~|~text~>"`,
    ws: `${AROUND}\n${PATIENT}`,
  });

/**
 * All that came, in any order within a kind. Bodies of streams without their chunks, sockets from the first
 * frame on, as hex.
 */
export interface Ends {
  readonly streams: readonly string[];
  readonly events: readonly string[];
  readonly polls: readonly RawAnswer[];
  readonly sockets: readonly string[];
  /** With a subprotocol of sluice, after the hello. */
  readonly named: readonly string[];
}

export class Crowd {
  /** What they received until each connection was closed by the server; fails when one is not. */
  readonly ends: Promise<Ends>;
  readonly size = SEVERAL * KINDS;

  private constructor(ends: Promise<Ends>) {
    this.ends = ends;
  }

  /** All stand in `channel` and nowhere else. */
  static async gather(port: number, channel: string): Promise<Crowd> {
    const streams = await several(() => asking(port, `/sub/${channel}`));
    const events = await several(() => asking(port, `/ev/${channel}`));
    const polls = await several(() => asking(port, `/lp/${channel}`));
    const sockets = await several(() => RawWebSocket.open(port, `/ws/${channel}`));
    const named = await several(() => namedSocket(port, channel));
    await standing(port, channel, SEVERAL * KINDS);
    const all = Promise.all([
      Promise.all(streams.map(streamEnd)),
      Promise.all(events.map(streamEnd)),
      Promise.all(polls.map(pollEnd)),
      Promise.all(sockets.map(socketEnd)),
      Promise.all(named.map(socketEnd)),
    ]);
    return new Crowd(
      all.then(([s, e, p, w, n]) => ({ streams: s, events: e, polls: p, sockets: w, named: n })),
    );
  }
}

export const times = <T>(value: T): T[] => Array.from({ length: SEVERAL }, () => value);

async function several<T>(make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let count = 0; count < SEVERAL; count++) made.push(await make());
  return made;
}

async function asking(port: number, path: string): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  connection.request(path);
  return connection;
}

async function namedSocket(port: number, channel: string): Promise<RawWebSocket> {
  const socket = await RawWebSocket.open(port, `/ws/${channel}`, {
    "Sec-WebSocket-Protocol": "sluice.json.v1",
  });
  await socket.text();
  return socket;
}

async function streamEnd(connection: RawConnection): Promise<string> {
  const { body } = await connection.answer();
  return body.toString("latin1") + (await connection.untilEnd()).toString("latin1");
}

async function pollEnd(connection: RawConnection): Promise<RawAnswer> {
  const answer = await connection.answer();
  const rest = await connection.untilEnd();
  return { ...answer, body: Buffer.concat([answer.body, rest]) };
}

const socketEnd = async (socket: RawWebSocket): Promise<string> =>
  (await socket.connection.untilEnd()).toString("hex");
