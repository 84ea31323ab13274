/**
 * A backend that answers to the byte, by what stands in the URI, and says what it was asked: for tests of the
 * reverse proxy. Each behaviour is a word between slashes.
 */
import { createServer, type Socket } from "node:net";

export interface RawBackend {
  readonly port: number;
  /** Requests that came, and connections there are and were. */
  requests: number;
  opened: number;
  open: number;
  stop(): void;
}

const HEAD_END = "\r\n\r\n";

export async function startBackend(name = "one", at: number | string = 0): Promise<RawBackend> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    backend.opened++;
    backend.open++;
    let input = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      input = Buffer.concat([input, bytes]);
      for (;;) {
        const request = wholeRequest(input);
        if (request === null) return;
        input = input.subarray(request.end);
        backend.requests++;
        answer(socket, request, name);
      }
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      backend.open--;
    });
  });
  await new Promise<void>((resolve) => {
    if (typeof at === "string") server.listen(at, resolve);
    else server.listen(at, "127.0.0.1", resolve);
  });
  const address = server.address();
  const backend: RawBackend = {
    port: typeof address === "object" && address !== null ? address.port : 0,
    requests: 0,
    opened: 0,
    open: 0,
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return backend;
}

interface Request {
  readonly uri: string;
  readonly lines: readonly string[];
  readonly body: Buffer;
  readonly end: number;
}

function wholeRequest(input: Buffer): Request | null {
  const headEnd = input.indexOf(HEAD_END);
  if (headEnd < 0) return null;
  const [first = "", ...fields] = input.subarray(0, headEnd).toString("latin1").split("\r\n");
  const start = headEnd + HEAD_END.length;
  const field = (name: string): string | undefined =>
    fields
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const lines = [
    first,
    ...fields.toSorted((left, right) => (left.toLowerCase() < right.toLowerCase() ? -1 : 1)),
  ];
  const uri = first.split(" ")[1] ?? "";
  if (field("transfer-encoding") === "chunked") {
    const last = input.indexOf("0\r\n\r\n", start);
    if (last < 0) return null;
    return { uri, lines, body: dechunked(input.subarray(start, last)), end: last + 5 };
  }
  const length = Number(field("content-length") ?? 0);
  if (input.length < start + length) return null;
  return { uri, lines, body: input.subarray(start, start + length), end: start + length };
}

function dechunked(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString(), 16);
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 4 + size;
  }
  return Buffer.concat(pieces);
}

function answer(socket: Socket, { uri, lines, body }: Request, name: string): void {
  const isLast = lines.some((line) => /^connection: close$/i.test(line)) || lines[0]?.endsWith("1.0");
  const connection = isLast ? "Connection: close\r\n" : "";
  const send = (text: string): void => {
    if (isLast) socket.end(text, "latin1");
    else socket.write(text, "latin1");
  };
  const whole = (status: string, fields: string, text: string): void =>
    send(`HTTP/1.1 ${status}\r\n${connection}${fields}Content-Length: ${text.length}\r\n\r\n${text}`);
  const said = `${name}\n${lines.join("\n")}\n${body.length > 200 ? Bun.hash(body) : body.toString()}`;
  const word =
    /\/(chunked|endless|short|bad|early|twice|hop|hidden|nothing|slow|drop|up|status-\d+|to-.*)$/.exec(
      uri.split("?")[0] ?? "",
    )?.[1];
  switch (word) {
    case "chunked":
      send(
        `HTTP/1.1 200 OK\r\n${connection}Transfer-Encoding: chunked\r\nX-A: b\r\n\r\n5\r\nhello\r\n` +
          "6;ext=1\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
      );
      return;
    case "endless":
      socket.end("HTTP/1.0 200 Fine\r\nContent-Type: text/plain\r\n\r\nuntil the end");
      return;
    case "short":
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
      return;
    case "bad":
      socket.end("this is no answer\r\n\r\n");
      return;
    case "early":
      send(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n" +
          `${connection}Content-Length: 2\r\n\r\nok`,
      );
      return;
    case "twice":
      whole("299 Strange", "Set-Cookie: a=1\r\nX-Two: 1\r\nSet-Cookie: b=2\r\nx-two: 2\r\n", "two");
      return;
    case "hop":
      socket.end(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nX-Kept: 1\r\n" +
          "Content-Length: 3\r\n\r\nhop",
      );
      return;
    case "hidden":
      whole("200 OK", "Server: mine\r\nX-Pad: 1\r\nX-Accel-Expires: 1\r\nX-Powered-By: me\r\n", "hidden");
      return;
    case "nothing":
      send(`HTTP/1.1 204 No Content\r\n${connection}\r\n`);
      return;
    case "slow":
      return;
    case "drop":
      socket.destroy();
      return;
    case "up":
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst");
      socket.removeAllListeners("data");
      socket.on("data", (bytes: Buffer) => socket.write(bytes));
      return;
    case undefined:
      whole("200 OK", "", said);
      return;
    default: {
      const status = /^status-(\d+)$/.exec(word)?.[1];
      if (status !== undefined)
        whole(`${status} Said`, status === "401" ? "WWW-Authenticate: X\r\n" : "", said);
      else whole("302 Found", `Location: ${decodeURIComponent(word.slice(3))}\r\n`, "");
    }
  }
}
