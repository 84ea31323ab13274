/**
 * HTTP for the client commands: one request, and what went wrong in words a person can use. Used by pub,
 * stats, and sub when it cannot begin. Bun's fetch; what is special about its use is explained at `request`.
 */
import { CommandFailure, ExitCode } from "../failure.ts";
import { printable } from "../style.ts";
import { TOKEN_VARIABLE } from "./credential.ts";
import { shownUrl } from "./endpoint.ts";

export interface HttpRequest {
  readonly url: string;
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
  /**
   * Longest wait for the head of the answer; 0 = none (a long poll is answered when there is something to
   * say).
   */
  readonly headTimeoutMs: number;
}

/**
 * Sends a request and resolves at the head of its answer. `timeout: false` because a quiet stream is no dead
 * one: Bun would cut it after five idle minutes. `identity` because a compressed stream may sit in the
 * decoder instead of reaching us. Throws what fetch throws, and a DOMException named TimeoutError when the
 * head does not come in time.
 */
export async function request(what: HttpRequest): Promise<Response> {
  const deadline = new AbortController();
  const timer =
    what.headTimeoutMs > 0
      ? setTimeout(() => deadline.abort(new DOMException("no answer", "TimeoutError")), what.headTimeoutMs)
      : undefined;
  try {
    return await fetch(what.url, {
      method: what.method ?? "GET",
      headers: { "Accept-Encoding": "identity", ...what.headers },
      signal: AbortSignal.any([what.signal, deadline.signal]),
      timeout: false,
      keepalive: true,
      ...(what.body === undefined ? {} : { body: what.body }),
    });
  } finally {
    clearTimeout(timer);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was cut",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
  ETIMEDOUT: "it did not answer in time",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
};

/** Why a request failed, as the end of a sentence: "connection refused". */
export function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "it did not answer in time";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return REASONS[code] ?? printable(firstSentence(error.message));
}

const firstSentence = (text: string): string => text.split(/\. |\n/)[0]?.replace(/\.$/, "") ?? text;

/** "cannot reach http://127.0.0.1:8080: connection refused. Is "sluice serve" running?" */
export function unreachableSentence(base: string, reason: string): string {
  const hint = reason === REASONS["ECONNREFUSED"] ? ' Is "sluice serve" running?' : "";
  return `cannot reach ${shownUrl(base)}: ${reason}.${hint}`;
}

/** The failure to throw when a request came back without an answer: exit 3 for a timeout, else 1. */
export function requestFailure(base: string, error: unknown): CommandFailure {
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  return new CommandFailure(
    timedOut ? ExitCode.TIMEOUT : ExitCode.FAILURE,
    unreachableSentence(base, networkReason(error)),
  );
}

const MEANINGS: Readonly<Record<number, string>> = {
  401: "it wants a token or a key.",
  404: "there is no such location. Is --url right?",
  405: "the method is not allowed there. Is --url right?",
  413: "the message is larger than the server's max_body_size.",
  503: "the server is full or shutting down.",
};

/** "http://… refused: 403 Channel id not authorized for this method." */
export function refusedSentence(base: string, status: number, explain: string): string {
  const why = explain === "" ? (MEANINGS[status] ?? "without a reason.") : explain;
  return `${shownUrl(base)} refused: ${status} ${why}${credentialHint(status)}`;
}

export const credentialHint = (status: number): string =>
  status === 401 ? ` A token or key is taken from --token-file or $${TOKEN_VARIABLE}.` : "";

/** The server's own word for a refusal (push-stream spec 0.7). */
export const explainOf = (response: Response): string =>
  printable(response.headers.get("X-Nginx-PushStream-Explain") ?? "");
