/** A backend for auth_request that counts what it is asked, and answers as it is told to. */
export interface Backend {
  readonly url: string;
  /** What it was asked, in order. */
  readonly asked: Headers[];
  answer: (headers: Headers) => Response | Promise<Response>;
  stop(): void;
}

export function startBackend(): Backend {
  const asked: Headers[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) => {
      asked.push(request.headers);
      return backend.answer(request.headers);
    },
  });
  const backend: Backend = {
    url: `http://127.0.0.1:${server.port}/auth`,
    asked,
    answer: () => new Response("ok"),
    stop: () => void server.stop(true),
  };
  return backend;
}
