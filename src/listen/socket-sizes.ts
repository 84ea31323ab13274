/**
 * How much the one number of Bun's server for all locations has to allow: bodies, and messages of WebSockets.
 * Called by app.ts.
 */
import type { Config, LocationConfig } from "../config/model.ts";
import type { SocketBounds } from "./socket-handlers.ts";

/** publish/ keeps each body to its own location's size. 0 = unlimited. */
export function largestBody({ limits, locations }: Config): number {
  const sizes = [limits.maxBodyBytes, ...locations.map(({ maxBodyBytes }) => maxBodyBytes)];
  return sizes.includes(0) ? 0 : Math.max(...sizes);
}

export interface SocketSizes {
  /** Largest message of a subscriber. */
  readonly subscriberFrameBytes: number;
  /** What a socket may cost. */
  readonly sockets: SocketBounds;
}

/**
 * What the store cannot hold is no message (`storeBytes`); what a handler takes is its own affair
 * (`handlerBytes`).
 */
export function socketSizes(config: Config, storeBytes: number, handlerBytes: number): SocketSizes {
  const { maxFrameBytes, maxUnsentBytes } = config.limits;
  const subscriberFrameBytes = Math.min(
    (maxFrameBytes ?? largestBody(config)) || Number.POSITIVE_INFINITY,
    storeBytes,
  );
  return {
    subscriberFrameBytes,
    sockets: { maxFrameBytes: Math.max(subscriberFrameBytes, handlerBytes), maxUnsentBytes },
  };
}

export const isWebSocket = (location: LocationConfig | undefined): boolean =>
  location?.role.kind === "subscriber" && location.role.mode === "websocket";
