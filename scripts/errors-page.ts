/**
 * docs/errors.md made of the tables of src/http/errors.ts, frame-refusals.ts and close-codes.ts. Used by
 * tables.ts and by the test that holds the page to the tables.
 */
import { CLOSE_CODES } from "../src/http/close-codes.ts";
import { Refusals } from "../src/http/errors.ts";
import { FrameRefusals } from "../src/http/frame-refusals.ts";
import { type RefusalRow, retryAfterSec } from "../src/http/refusal.ts";

/** The whole page. */
export function renderErrors(): string {
  return `${[HEAD, refusals(Refusals), FRAMES, refusals(FrameRefusals), CLOSES, closes()].join("\n\n")}\n`;
}

const HEAD = `# Refusals and close codes

Generated from \`errors.ts\`, \`frame-refusals.ts\` and \`close-codes.ts\` of src/http; after a change
there: \`bun run tables\`.

## Answers of refusal

They have no body; the field \`X-Nginx-PushStream-Explain\` has the sentence. Where \`Retry-After\` is
given, the same request may be answered otherwise after so many seconds. A WebSocket learns of a refusal by
a close frame whose reason is \`{"http_status": 403, "explain":"…"}\`. What stands in front of a location
(access rules, passwords, another origin, a full or stopping server) fails the handshake with its status
instead, as in nginx. Beside these, 404 and 405 are of the paths and methods there are (\`Allow\` lists
them), 413 of a body larger than max_body_size, 426 of a WebSocket version that is not 13.`;

const FRAMES = `## Refused frames

What a client of the WebSocket subprotocols sent and was refused costs that message only, and is told in a
\`refused\` frame with \`status\` and \`explain\`.`;

const CLOSES = `## Close codes

Of WebSockets.`;

function refusals(table: Readonly<Record<string, RefusalRow>>): string {
  const rows = Object.values(table)
    .toSorted((one, other) => one.status - other.status)
    .map((refusal) => {
      const explain = refusal.explain === null ? "" : `\`${refusal.explain}\``;
      const cells = [refusal.status, explain, retryAfterSec(refusal) || "", refusal.when];
      return `| ${cells.join(" | ")} | \`${refusal.code}\` |`;
    });
  return ["| status | explain | Retry-After | when | code |", "|---|---|---|---|---|", ...rows].join("\n");
}

const closes = (): string =>
  [
    "| code | when |",
    "|---|---|",
    ...Object.entries(CLOSE_CODES).map(([code, when]) => `| ${code} | ${when} |`),
  ].join("\n");
