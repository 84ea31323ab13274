/**
 * The codes of src/http/errors.ts that have to do with grants: provoked in test/access, not in test/binary.
 */
import type { Refusals } from "../../src/http/errors.ts";

export const ACCESS_CODES = [
  "noToken",
  "invalidToken",
  "tokenExpired",
  "tokenRevoked",
  "ambiguousToken",
  "invalidKey",
  "notGranted",
  "noIssuerKeys",
  "accessBusy",
  "backendUnauthorized",
  "backendForbidden",
  "backendFailed",
  "tooManyRequests",
  "noRoomForRevocation",
] as const satisfies readonly (keyof typeof Refusals)[];

export type AccessCode = (typeof ACCESS_CODES)[number];
