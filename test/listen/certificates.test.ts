/**
 * TLS on an address that several servers share, by both kinds of listener. The certificates were made for
 * this test and are good for nothing else.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { connect } from "node:tls";
import { LISTENERS, startNginxWorker } from "./nginx-worker.ts";

const HANDSHAKE =
  "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

const certificate = (name: string): string => join(import.meta.dir, "certificates", name);

const server = (name: string, port: number, rest: string): string => `
  server {
    listen 127.0.0.1:${port} ssl;
    server_name ${name}.test;
    ssl_certificate ${certificate(`${name}.pem`)};
    ssl_certificate_key ${certificate(`${name}.key`)};
    if ($scheme = http) { return 301 https://$host$request_uri; }
    location / { return 200 "I am ${name}"; }
    location /ws { push_stream_subscriber websocket; push_stream_channels_path a; }
    ${rest}
  }`;

/**
 * The common name of the certificate shown to a client that asks for `servername`, and the answer to the
 * request.
 */
function visit(
  port: number,
  servername: string,
  request = "GET / HTTP/1.1\r\nConnection: close\r\n",
): Promise<{ readonly name: string; readonly answer: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ name: string; answer: string }>();
  const socket = connect({ port, host: "127.0.0.1", servername, rejectUnauthorized: false }, () => {
    socket.write(`${request}Host: ${servername}\r\n\r\n`);
  });
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString();
    if (answer.includes("HTTP/1.1 101")) socket.end();
  });
  socket.on("end", () => resolve({ name: String(socket.getPeerCertificate().subject.CN), answer }));
  socket.on("error", reject);
  return promise;
}

test.each(LISTENERS)(
  "%s shows each name its own certificate, and a WebSocket counts as https, too",
  async (_listener, stream) => {
    const worker = startNginxWorker((port) => server("one", port, stream) + server("two", port, ""));
    const { port } = worker;
    try {
      for (const name of ["one", "two"]) {
        const visited = await visit(port, `${name}.test`);
        expect(visited.name).toBe(`${name}.test`);
        expect(visited.answer).toEndWith(`I am ${name}`);
      }
      expect((await visit(port, "other.test")).name).toBe("one.test");
      expect((await visit(port, "one.test", HANDSHAKE)).answer).toStartWith("HTTP/1.1 101 ");
    } finally {
      worker.stop();
    }
  },
);

test.each(LISTENERS)("%s shows the one it has to everybody", async (_listener, stream) => {
  const worker = startNginxWorker((port) => server("one", port, stream));
  try {
    for (const name of ["one.test", "other.test"]) {
      const visited = await visit(worker.port, name);
      expect([visited.name, visited.answer.endsWith("I am one")]).toEqual(["one.test", true]);
    }
    expect((await visit(worker.port, "one.test", HANDSHAKE)).answer).toStartWith("HTTP/1.1 101 ");
  } finally {
    worker.stop();
  }
});
