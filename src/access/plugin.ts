/**
 * The Elysia plugin of `revoke` locations: POST takes back what was granted, to somebody (`sub`), with one
 * token (`jti`), or to everybody whose tokens were issued before a time. app.ts composes it.
 *
 *   sub, jti | issued_before (seconds since 1970) | ttl (seconds, up to 30 days): form fields or members of a
 *     JSON object
 */
import { Elysia } from "elysia";
import type { Locator } from "../config/location/locator.ts";
import type { Front } from "../front/front.ts";
import { headerOnly, methodNotAllowed, refuse } from "../http/answer.ts";
import { Refusals } from "../http/errors.ts";
import type { Refusal } from "../http/refusal.ts";
import { log } from "../log.ts";
import type { RevokedMark } from "../store/revocations.ts";
import { readRevocation } from "./revocation-request.ts";
import type { Revocations } from "./revocations.ts";

const MAX_BODY_BYTES = 16 * 1024;

export interface RevokeOptions {
  readonly locator: Locator;
  readonly front: Front;
  readonly revocations: Revocations;
  /** Tells the other nodes of a cluster; null: there are none. */
  readonly share: ((mark: RevokedMark) => Promise<Refusal | null>) | null;
}

export const revoke = ({ locator, front, revocations, share }: RevokeOptions) =>
  new Elysia({ name: "revoke" }).onRequest(({ request, server }) => {
    const located = locator.claim("revoke", request, server);
    if (located === null) return undefined;
    locator.forget();
    if (request.method !== "POST") return front.finish(located, methodNotAllowed("POST"));
    if (Number(located.header("content-length")) > MAX_BODY_BYTES)
      return front.finish(located, headerOnly(413));
    const type = located.header("content-type") ?? "";
    const answered = request.bytes().then(
      (body) => answer({ revocations, share }, body, type, located.grant?.sub ?? null),
      () => headerOnly(400),
    );
    return front.finish(located, answered);
  });

/**
 * On this node first: it counts here at once, and asking once more when another could not be told changes
 * nothing.
 */
async function answer(
  { revocations, share }: Pick<RevokeOptions, "revocations" | "share">,
  body: Uint8Array,
  type: string,
  by: string | null,
): Promise<Response> {
  if (body.length > MAX_BODY_BYTES) return headerOnly(413);
  const wish = readRevocation(body, type, Math.floor(Date.now() / 1000));
  if (typeof wish === "string") return headerOnly(400, { "X-Nginx-PushStream-Explain": wish });
  const outcome = revocations.revoke(wish);
  if (outcome === "busy") return refuse(Refusals.busy);
  if (outcome === "full") return refuse(Refusals.noRoomForRevocation);
  const { kind, value } = wish.name;
  log("info", "grants were taken back", { kind, name: value, until: wish.untilSec, by: by ?? "" });
  const refusal = share === null ? null : await share(revocations.markOf(wish));
  return refusal === null ? headerOnly(204) : refuse(refusal);
}
