/**
 * The listeners of a worker: one for each address, on Bun's server or the wire's, and what is published to
 * all of them. Used by app.ts.
 */
import type { Locator } from "../config/location/locator.ts";
import { parseMatch } from "../config/location/match-syntax.ts";
import type { Config } from "../config/model.ts";
import type { Entrance, EntranceServer } from "../entrance/entrance.ts";
import type { ConnectionLimit } from "../listen/connection-limit.ts";
import {
  type Application,
  type Listener,
  type ListenOptions,
  type Server,
  startListener,
} from "../listen/listener.ts";
import { largestBody, type SocketSizes } from "../listen/socket-sizes.ts";
import { startWireListener } from "../listen/wire-listener.ts";

export interface Listening {
  readonly config: Config;
  readonly entrance: Entrance;
  readonly locator: Locator;
  readonly limit: ConnectionLimit;
  readonly sockets: SocketSizes["sockets"];
  /** Makes the application for one server. */
  readonly compose: () => Application;
}

/** Bun's server counts in seconds, and no further than this. */
const MAX_IDLE_SEC = 255;
export const idleSecOf = ({ connections }: Config): number =>
  Math.min(MAX_IDLE_SEC, Math.ceil(connections.idleMs / 1000));

/** Opens them one by one into `listeners`. Throws when an address cannot be listened on. */
export function openListeners(listeners: Listener[], parts: Listening): void {
  const { config, entrance, locator, limit, sockets, compose } = parts;
  const maxBodyBytes = largestBody(config);
  const silenceMs = config.limits.maxSilenceMs;
  const idleSec = idleSecOf(config);
  config.listeners.forEach((listener) => {
    const { address } = listener;
    const common = {
      listener,
      maxBodyBytes,
      sockets,
      silenceMs,
      idleSec,
      connections: listener.connections,
      compose,
      answerTo: (error: unknown) => entrance.unknownClient(error),
      // Of a Request of Bun's every answer is a Response.
      serveDirectly: (request: Request, server: Server) =>
        entrance.serve(request, server as EntranceServer) as Response | Promise<Response> | null,
    };
    const serves: ListenOptions["serves"] = (server, source) => locator.listens(server, address, source);
    listeners.push(
      listener.door === "wire"
        ? startWireListener({
            ...common,
            serves,
            serve: (request, server) => entrance.serve(request, server),
            isFull: () => limit.isFull,
            mostOpen: limit.mostOpen,
          })
        : startListener({ ...common, serves }, namedPaths(config)),
    );
  });
}

/** Of all servers: who is asked for is found behind the listener. */
const namedPaths = ({ locations }: Config): string[] =>
  locations.flatMap(({ match }) => {
    const parsed = parseMatch(match);
    return parsed.ok && "path" in parsed.match ? [parsed.match.path] : [];
  });

/**
 * A topic may have sockets on several listeners; it is delivered when one of them took it, and -1 when one of
 * them is slow.
 */
export function publishTo(
  listeners: readonly Listener[],
  topic: string,
  payload: string | Uint8Array,
): number {
  let outcome = 0;
  for (const listener of listeners) {
    const sent = listener.publish(topic, payload);
    if (sent < 0 || (sent > 0 && outcome === 0)) outcome = sent;
  }
  return outcome;
}
