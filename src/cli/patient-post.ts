/**
 * A POST whose answer is wanted: sent again when the connection breaks, or the server says that it will do
 * later. Whoever calls it sends idempotency keys along, so that a message whose answer was lost is not
 * published twice. Used by pub.ts and pub-batch.ts.
 *
 * Not the client's publish (src/client/publish.ts), which answers with a position for one channel and tries
 * everything that may pass: the commands print what the server says of its channels (subscribers, stored),
 * for several channels and for batches, fail at once where nobody has ever answered or nobody says when to
 * come again, and tell a timeout from a refusal (exit 3 and 1). Sharing only the client's loop was tried: it
 * makes the browser's bundles 140 bytes larger (the shared one over its limit), and this file no shorter.
 */
import { randomBytes } from "node:crypto";
import { request, requestFailure } from "./client/http.ts";

export interface PatientPost {
  /** As people may see it. */
  readonly base: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** For all tries. */
  readonly timeoutMs: number;
  /** The server was there a moment ago: when nobody listens it is being restarted. */
  readonly wasThere?: boolean;
}

export interface Posted {
  readonly response: Response;
  readonly text: string;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 1000;

/** Of one run of the command; each message puts its number behind it. */
export const newKey = (): string => randomBytes(12).toString("base64url");

/** Resolves to the last answer, whatever it is; throws CommandFailure when there is none. */
export async function patientPost(post: PatientPost): Promise<Posted> {
  const untilMs = performance.now() + post.timeoutMs;
  const signal = AbortSignal.timeout(post.timeoutMs);
  let wasThere = post.wasThere ?? false;
  for (let tries = 0; ; tries++) {
    const posted = await tried(post, signal);
    const laterMs =
      posted instanceof Error
        ? wasThere || isCut(posted)
          ? Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** tries)
          : null
        : retryAfterMs(posted.response);
    wasThere ||= !(posted instanceof Error) || isCut(posted);
    const isOver = laterMs === null || performance.now() + laterMs >= untilMs;
    if (!isOver) await Bun.sleep(laterMs);
    else if (posted instanceof Error) throw requestFailure(post.base, posted);
    else return posted;
  }
}

async function tried({ url, headers, body }: PatientPost, signal: AbortSignal): Promise<Posted | Error> {
  try {
    const response = await request({ url, method: "POST", headers, body, signal, headTimeoutMs: 0 });
    return { response, text: await response.text() };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** It was connected: the message may be in. */
const isCut = (error: Error): boolean => "code" in error && error.code === "ECONNRESET";

/** null: the same request is answered the same at any time, as far as the server knows. */
function retryAfterMs({ status, headers }: Response): number | null {
  const seconds = Number(headers.get("Retry-After") ?? Number.NaN);
  const mayPass = status === 429 || status >= 500;
  return mayPass && seconds >= 0 ? Math.max(FIRST_DELAY_MS, seconds * 1000) : null;
}
