/** What a backend is asked: made by endpoint.ts of a client's request, sent by pass.ts. */
import type { LocatedRequest } from "../config/location/located-request.ts";
import type { BodySource } from "../http/body-source.ts";
import type { Destination } from "./destination.ts";
import type { Route } from "./route.ts";

export interface Asking {
  readonly route: Route;
  readonly located: LocatedRequest;
  readonly destination: Destination;
  readonly head: string;
  /** The body, if all of it is here. Bytes of its connection, which are used again. */
  readonly here: Uint8Array;
  /** null: there is no more of it. */
  readonly body: BodySource | null;
  readonly isChunked: boolean;
  readonly wantsUpgrade: boolean;
}
