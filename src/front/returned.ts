/**
 * What nginx's `return` answers. app.ts calls it with what config/location/rewrite.ts found and evaluated;
 * ours is the form of the answer.
 *
 * 444 closes without a word on the wire listener. Bun's own answers every request: there the client gets an
 * empty 400, and the connection ends.
 */

import { binaryBytes } from "../config/binary-text.ts";
import type { LocatedRequest } from "../config/location/located-request.ts";
import { isRedirect } from "../config/location/rewrite.ts";
import type { LocationConfig } from "../config/model.ts";
import { SERVER, silently } from "../http/answer.ts";
import { errorPage } from "./error-page.ts";
import { fieldValue, urlValue } from "./field-value.ts";

const CLOSE_SILENTLY = 444;
/** The statuses a Response can have; 1xx would not be answers at all. */
const LEAST_STATUS = 200;
const GREATEST_STATUS = 599;

/**
 * The answer to `return status text`. `text` is the evaluated body or, with a redirecting status, URL (a
 * binary string); null: there was only a status. `origin` is put before a URL that starts with "/", as
 * nginx's absolute_redirect does; "" leaves it relative.
 */
export function returnedAnswer(
  status: number,
  text: string | null,
  defaultType: string,
  origin = "",
): Response {
  if (status === CLOSE_SILENTLY)
    return silently(
      new Response(null, {
        status: 400,
        headers: { ...SERVER, Connection: "close", "Content-Length": "0" },
      }),
    );
  if (status < LEAST_STATUS || status > GREATEST_STATUS) return errorPage(500);
  if (isRedirect(status)) return errorPage(status, redirection(text ?? "", origin));
  if (status === 204 || status === 304) return new Response(null, { status, headers: SERVER });
  if (status >= 400 && (text ?? "") === "") return errorPage(status);
  const body = Buffer.from(binaryBytes(text ?? ""));
  const headers = {
    ...SERVER,
    "Content-Type": fieldValue(defaultType),
    "Content-Length": String(body.length),
  };
  return new Response(body.length === 0 ? null : body, { status, headers });
}

/** Without a URL nginx sends the page and no Location. */
function redirection(url: string, origin: string): Readonly<Record<string, string>> {
  if (url === "") return {};
  return { Location: urlValue(url.startsWith("/") ? origin + url : url) };
}

/**
 * `http://host:port` as the client addressed it; "" when it named no host (HTTP/1.0), or when redirects of
 * the location name none. From the header: not every request's URL has it.
 */
export function originOf(
  located: LocatedRequest,
  how: Pick<LocationConfig, "absoluteRedirect" | "redirectsWithoutPort"> | undefined,
): string {
  const host = located.header("host") ?? "";
  if (host === "" || how?.absoluteRedirect === false) return "";
  return `${located.scheme}://${how?.redirectsWithoutPort === true ? host.replace(/:\d+$/, "") : host}`;
}
