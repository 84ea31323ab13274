/** How much the one number of Bun's server for all locations has to allow: bodies, and messages of WebSockets. Called by app.ts. */
import type { Config, LocationConfig } from "../config/model.ts";

/** publish/ keeps each body to its own location's size. 0 = unlimited. */
export function largestBody({ limits, locations }: Config): number {
  const sizes = [limits.maxBodyBytes, ...locations.map(({ maxBodyBytes }) => maxBodyBytes)];
  return sizes.includes(0) ? 0 : Math.max(...sizes);
}

export interface SocketSizes {
  /** Largest message of a subscriber. */
  readonly subscriberFrameBytes: number;
  /** Largest message of any client. */
  readonly maxFrameBytes: number;
  /** Largest message that may be delivered. */
  readonly maxMessageBytes: number;
}

/** What the store cannot hold is no message (`storeBytes`); what a handler takes is its own affair (`handlerBytes`). */
export function socketSizes(config: Config, storeBytes: number, handlerBytes: number): SocketSizes {
  const { limits, locations } = config;
  const bodyBytes = largestBody(config);
  const bounded = (bytes: number): number => Math.min(bytes || Number.POSITIVE_INFINITY, storeBytes);
  const subscriberFrameBytes = bounded(limits.maxFrameBytes ?? bodyBytes);
  const publishes = locations.some((one) => isWebSocket(one) && one.websocketAllowPublish);
  return {
    subscriberFrameBytes,
    maxFrameBytes: Math.max(subscriberFrameBytes, handlerBytes),
    maxMessageBytes: Math.max(bounded(bodyBytes), publishes ? subscriberFrameBytes : 0, handlerBytes),
  };
}

export const isWebSocket = (location: LocationConfig | undefined): boolean =>
  location?.role.kind === "subscriber" && location.role.mode === "websocket";
