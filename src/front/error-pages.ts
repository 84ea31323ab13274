/**
 * `error_page` of a location, compiled: what stands for an answer of the server's own (error-page.ts) with
 * one of the statuses. Called by front.ts before anything else is done to an answer. What endpoints of
 * channels and handlers say stays, as it does in nginx.
 */
import type { LocatedRequest } from "../config/location/located-request.ts";
import { rawLocationValue } from "../config/location/location-values.ts";
import { isRedirect } from "../config/location/rewrite.ts";
import { MOST_MOVES } from "../config/location/search.ts";
import type { CompiledValue } from "../config/location/variables.ts";
import type { ErrorPageConfig } from "../config/model/steps.ts";
import type { LocationConfig } from "../config/model.ts";
import { errorPage, isErrorPage } from "./error-page.ts";
import { urlValue } from "./field-value.ts";

/** null: the answer stays as it is. */
export type PageChooser = (
  located: LocatedRequest,
  response: Response,
) => Response | Promise<Response> | null;

interface Page {
  readonly statuses: readonly number[];
  readonly status: number | null;
  readonly target: CompiledValue;
}

/** null: there are none. */
export function compileErrorPages(location: LocationConfig): PageChooser | null {
  if (location.errorPages.length === 0) return null;
  const pages: readonly Page[] = location.errorPages.map((page: ErrorPageConfig) => ({
    ...page,
    target: rawLocationValue(location, page.target),
  }));
  return (located, response) => {
    if (located.hasErrorPage || located.moves > MOST_MOVES || !isErrorPage(response)) return null;
    const page = pages.find(({ statuses }) => statuses.includes(response.status));
    return page === undefined ? null : sendOn(page, located, response, location.pagesRecur);
  };
}

function sendOn(
  page: Page,
  located: LocatedRequest,
  response: Response,
  isRecursive: boolean,
): Response | Promise<Response> | null {
  const target = page.target(located);
  located.hasErrorPage = !isRecursive;
  if (!/^[/@]/.test(target)) {
    const status = page.status !== null && isRedirect(page.status) ? page.status : 302;
    return errorPage(status, { Location: urlValue(target) });
  }
  located.statusInstead = page.status ?? response.status;
  const mark = target.indexOf("?");
  const answer = located.sendOn?.(
    target.startsWith("@")
      ? { kind: "named", name: target }
      : {
          kind: "path",
          path: mark < 0 ? target : target.slice(0, mark),
          query: mark < 0 ? "" : target.slice(mark + 1),
          keepsMethod: false,
        },
  );
  const challenge = response.headers.get("www-authenticate");
  if (answer === undefined || challenge === null) return answer ?? null;
  // Without it a browser does not ask for the password (RFC 9110 11.6.1).
  const challenged = (page: Response): Response => {
    page.headers.set("WWW-Authenticate", challenge);
    return page;
  };
  return answer instanceof Promise ? answer.then(challenged) : challenged(answer);
}
