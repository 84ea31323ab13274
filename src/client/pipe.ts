/**
 * One connection, whatever carries it: frames of sluice.json.v1 come out of it until it ends. A WebSocket
 * takes frames as well. Used by client.ts, which decides when there is one, and for which channels.
 *
 * Event streams are read by line, without a parser: a frame is one line of data, so nothing else of the
 * format can come, and a library would take nearly a third of what the client may weigh (6 kB).
 */
import type * as api from "./sluice.d.ts";

/** What servers say, as far as it is looked at. */
export interface Frame {
  readonly kind: string;
  readonly ref?: number;
  readonly channel?: string;
  readonly channels?: readonly string[];
  readonly position?: string;
  readonly positions?: readonly string[];
  readonly id?: number;
  readonly time?: number;
  readonly tag?: number;
  readonly data?: string;
  readonly data_base64?: string;
  readonly event_id?: string;
  readonly event_type?: string;
  readonly traceparent?: string;
  readonly missed?: number | null;
  readonly status?: number;
  readonly code?: number | string;
  readonly explain?: string;
  readonly retry?: number;
  readonly expires?: number | null;
  readonly duplicate?: boolean;
}

/** Why it ended, as far as it is known. */
export interface End {
  /** Of a WebSocket's close, or what would be it. */
  readonly code?: number;
  /** Of HTTP. */
  readonly status?: number;
  readonly reason: string;
  readonly retryMs?: number | undefined;
}

export interface Pipe {
  /** Nothing is told of it any more. */
  close(): void;
  /** undefined: it only listens. */
  readonly send?: (frame: object) => void;
}

export interface Listener {
  frame(frame: Frame): void;
  /** Once, and never in the turn in which it was opened. */
  end(end: End): void;
}

export interface PipeRequest {
  readonly kind: api.TransportName;
  /** With the positions as they are at the moment. */
  readonly url: () => string;
  readonly token: string;
  readonly credentials: api.Options["credentials"];
}

const PROTOCOL = "sluice.json.v1";
/** What never ends must not eat this machine's memory. */
const MOST_UNITS = 2 ** 26;
/** A poll that is answered at once with nothing must not become a flood. */
const LEAST_POLL_MS = 500;

export const openPipe = (request: PipeRequest, listener: Listener): Pipe =>
  request.kind === "websocket" ? openSocket(request, listener) : openAnswers(request, listener);

const SETS_HEADERS = Boolean(globalThis.process?.versions?.node);
const authorization = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

const NO_FRAME = "what came is no frame";

function frameOf(text: string): Frame | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function openSocket({ url, token }: PipeRequest, { frame, end }: Listener): Pipe {
  const protocols = token ? [PROTOCOL, `token.${token}`] : [PROTOCOL];
  // Pages can set no header; Bun and Node can, which a key and the place "header" want.
  const address = url().replace(/^http/, "ws");
  const socket =
    token && SETS_HEADERS
      ? new WebSocket(address, { protocols, headers: authorization(token) })
      : new WebSocket(address, protocols);
  const close = (): void => {
    socket.onmessage = socket.onclose = null;
    socket.close();
  };
  socket.onmessage = ({ data }) => {
    const said = frameOf(data);
    if (said) frame(said);
    else {
      // What it was can only be asked for again.
      close();
      end({ reason: NO_FRAME });
    }
  };
  socket.onclose = ({ code, reason }) => {
    // 1008 and others carry {"http_status": 403, "explain":"…"}.
    const [, status] = /"http_status": (\d+)/.exec(reason) ?? [];
    const [, explain] = /"explain":"([^"]*)/.exec(reason) ?? [];
    end({ code, status: Number(status ?? 0), reason: explain ?? `closed with ${code}` });
  };
  return {
    close,
    send: (frame) => socket.send(JSON.stringify(frame)),
  };
}

/** An event stream, or long polls one after the other. */
function openAnswers({ kind, url, token, credentials }: PipeRequest, { frame, end }: Listener): Pipe {
  const abort = new AbortController();
  const { signal } = abort;
  // Bun gives up a quiet answer after five minutes; browsers and Node know no such field.
  const init: RequestInit & { timeout: false } = { signal, cache: "no-store", timeout: false };
  if (token) init.headers = authorization(token);
  if (credentials) init.credentials = credentials;
  let isEmpty = true;
  const take = (line: string): void => {
    if (!line.startsWith("data: ") || signal.aborted) return;
    isEmpty = false;
    const said = frameOf(line.slice(6));
    if (!said) throw new Error(NO_FRAME);
    frame(said);
  };
  const run = async (): Promise<End> => {
    for (let next = `${url()}&sluice_hello`; ; next = url()) {
      isEmpty = true;
      const startMs = Date.now();
      const answer = await fetch(next, init);
      if (!answer.ok) return refusalOf(answer);
      await readLines(answer, take);
      if (kind === "sse") return { reason: "the stream ended" };
      const restMs = isEmpty ? LEAST_POLL_MS - (Date.now() - startMs) : 0;
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  };
  run()
    .catch((error: unknown) => ({ reason: String(error) }))
    .then((how) => signal.aborted || end(how));
  return { close: () => abort.abort() };
}

async function readLines({ body }: Response, take: (line: string) => void): Promise<void> {
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  for (let rest = ""; reader; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MOST_UNITS) throw new Error("a message has no end");
    lines.forEach(take);
  }
}

export function refusalOf({ status, headers }: Response): End {
  const afterSec = Number(headers.get("Retry-After") ?? 0);
  return {
    status,
    reason: headers.get("X-Nginx-PushStream-Explain") ?? `HTTP ${status}`,
    retryMs: afterSec > 0 ? afterSec * 1000 : undefined,
  };
}
