/**
 * `proxy_send_timeout` while the answer streams already: the backend answers at once, and takes the client's
 * body when it likes.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { type RunningServer, until } from "../binary/running-server.ts";
import { startNginx as startSluice } from "../nginx/nginx-server.ts";

setDefaultTimeout(60_000);

const BODY_BYTES = 24 * 1024 * 1024;
const SEND_MS = 1000;
/** Deadlines are looked at in steps of at most half a second, and are never early. */
const LONG_OVER_MS = SEND_MS + 3 * 500;

/** By path: the backend's end of each request, and what came of its body with the head. */
const asked = new Map<string, { readonly socket: Socket; readonly early: number }>();
const backend = createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.once("data", (head: Buffer) => {
    socket.pause();
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    const early = head.length - head.indexOf("\r\n\r\n") - 4;
    asked.set(head.toString("latin1").split(" ")[1] ?? "", { socket, early });
  });
});
let server: RunningServer;

beforeAll(async () => {
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  const address = backend.address();
  const to = typeof address === "object" ? address?.port : 0;
  server = await startSluice(
    (port, folder) => `pid ${folder}/nginx.pid; error_log ${folder}/e.log; events { } http { access_log off;
      server { listen 127.0.0.1:${port}; client_max_body_size 0; proxy_http_version 1.1; proxy_buffering off;
      proxy_send_timeout ${SEND_MS}ms; location / { proxy_pass http://127.0.0.1:${to}; } } }`,
  );
});

afterAll(async () => {
  for (const { socket } of asked.values()) socket.destroy();
  backend.close();
  await server.stop();
});

interface Upload {
  readonly backend: Socket;
  readonly early: number;
  readonly answer: () => string;
  readonly isOver: () => boolean;
  readonly close: () => void;
}

/** An answer has begun, and then a body that is larger than what lies between its two ends stands still. */
async function stalled(path: string): Promise<Upload> {
  const client = connect({ port: server.port, host: "127.0.0.1" });
  let answer = "";
  let isOver = false;
  client.on("data", (bytes: Buffer) => {
    answer += bytes.toString("latin1");
  });
  client.on("close", () => {
    isOver = true;
  });
  client.on("error", () => client.destroy());
  client.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`);
  const piece = 1000;
  client.write(Buffer.alloc(piece, 0x78));
  await until("the answer to begin", () => answer.includes("first"));
  client.write(Buffer.alloc(BODY_BYTES - piece, 0x78));
  let left = 0;
  await until("the body to stand still", () => {
    const stands = left === client.writableLength;
    left = client.writableLength;
    return stands;
  });
  const end = asked.get(path);
  if (end === undefined) throw new Error("the backend was not asked");
  return {
    backend: end.socket,
    early: end.early,
    answer: () => answer,
    isOver: () => isOver,
    close: () => client.destroy(),
  };
}

test("an answer goes on after an upload that stood still, though nothing is said for long", async () => {
  const upload = await stalled("/moment");
  let taken = upload.early;
  upload.backend.on("data", (bytes: Buffer) => {
    taken += bytes.length;
  });
  upload.backend.resume();
  await until("the whole body to come", () => taken >= BODY_BYTES);
  await Bun.sleep(LONG_OVER_MS);
  expect(upload.isOver()).toBeFalse();
  upload.backend.write("4\r\nlast\r\n0\r\n\r\n");
  await until("its end", () => upload.answer().endsWith("0\r\n\r\n"));
  expect(upload.answer()).toContain("last");
  upload.close();
});

test("a backend that takes nothing is left, however much it says meanwhile", async () => {
  const upload = await stalled("/never");
  const saying = setInterval(() => upload.backend.write("3\r\nsay\r\n"), 50);
  try {
    await until("the answer to break off", () => upload.isOver());
  } finally {
    clearInterval(saying);
    upload.close();
  }
  expect(upload.answer()).toContain("say");
  expect(upload.answer()).not.toEndWith("0\r\n\r\n");
});
