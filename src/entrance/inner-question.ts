/**
 * `auth_request` to a path of this server: asks the handler there, without a connection. Neither the steps of
 * its location nor what stands before it are asked, as the question is ours. Made by app.ts for src/access.
 */
import { boundedBody } from "../access/bounded-fetch.ts";
import type { AskLocation } from "../access/question.ts";
import type { HandlerEndpoints } from "../handlers/plugin.ts";

const MAX_ANSWER_BYTES = 64 * 1024;

export function innerQuestions(programs: HandlerEndpoints): AskLocation {
  return async (path, located, headers) => {
    const match = located.place.find(path);
    const program = match === null ? null : (programs[match.index] ?? null);
    if (match === null || program === null) throw new Error("there is no handler at that path");
    headers.set("host", located.header("host") ?? "localhost");
    const request = new Request(`http://localhost${path}`, { headers });
    const response = await program.handle(located.within(request, match), null);
    const body = await boundedBody(response, MAX_ANSWER_BYTES);
    return { status: response.status, headers: response.headers, body };
  };
}
