/**
 * `body = "stream"`: a handler that reads its request as it comes, no faster than it wants and no more than
 * it may. The compiled binary, raw bytes.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { type RunningServer, until } from "../binary/running-server.ts";
import { handlerLocations, startHandlers } from "./handler-server.ts";

setDefaultTimeout(20_000);

const MEBIBYTE = 1024 ** 2;
const FILES = {
  "upload.ts": `
    const seen = new Map();
    export default async ({ request, query, sleep }) => {
      const name = query.get("name");
      if (query.has("seen")) return String(seen.get(query.get("seen")) ?? -1);
      if (query.has("text")) return (await request.text()).toUpperCase();
      if (query.has("none")) return "not read";
      let bytes = 0, sum = 0;
      seen.set(name, 0);
      for await (const chunk of request.body ?? []) {
        bytes += chunk.length;
        for (const byte of chunk) sum = (sum + byte) % 65521;
        seen.set(name, bytes);
        if (query.has("hold")) await sleep(Number(query.get("hold")));
        if (query.has("first")) return "enough";
      }
      return bytes + " " + sum;
    };`,
};
const TOML = `
${handlerLocations(["upload"], 'body = "stream"\nmax_body_size = "8MiB"\nhandler_timeout = "1s"')}
[[location]]
match = "= /large"
handler = "upload.ts"
body = "stream"
max_body_size = "64MiB"
`;

class Sender {
  received = "";
  isClosed = false;
  readonly socket: Socket;

  constructor(port: number, path: string, fields: string) {
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.on("data", (data) => {
      this.received += data.toString("latin1");
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.isClosed = true;
    });
    this.socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n`);
  }

  chunk(bytes: Uint8Array): void {
    this.socket.write(`${bytes.length.toString(16)}\r\n`);
    this.socket.write(bytes);
    this.socket.write("\r\n");
  }
}

describe.each(["native", "wire"] as const)("%s listener", (listener) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startHandlers({ workers: 1, listener }, { files: FILES, toml: TOML });
  });
  afterAll(async () => {
    await server.stop();
  });
  const post = (query: string, body: string | Uint8Array<ArrayBuffer> | ReadableStream) =>
    server.request(`/upload?${query}`, { method: "POST", body });
  const seen = async (name: string): Promise<number> =>
    Number((await server.request(`/upload?seen=${name}`)).text);

  test("bodies of any size come whole: none, short, with a length, in chunks", async () => {
    expect((await server.request("/upload?name=none")).text).toBe("0 0");
    expect((await post("text", "hello")).text).toBe("HELLO");
    const large = new Uint8Array(6 * MEBIBYTE).map((_, at) => at % 251);
    const sum = large.reduce((total, byte) => (total + byte) % 65521, 0);
    expect((await post("name=large", large)).text).toBe(`${large.length} ${sum}`);
    const stream = new ReadableStream({
      async start(controller) {
        for (let at = 0; at < large.length; at += 500_000) {
          controller.enqueue(large.subarray(at, at + 500_000));
          await Bun.sleep(1);
        }
        controller.close();
      },
    });
    expect((await post("name=chunks", stream)).text).toBe(`${large.length} ${sum}`);
  });

  test("the handler has the first piece while the client sends, beyond its time limit", async () => {
    const sender = new Sender(server.port, "/upload?name=slow", "Transfer-Encoding: chunked");
    for (let piece = 1; piece <= 4; piece++) {
      sender.chunk(Buffer.from("12345"));
      await until(`piece ${piece}`, async () => (await seen("slow")) === 5 * piece);
      await Bun.sleep(400);
    }
    expect(sender.received).toBe("");
    sender.socket.write("0\r\n\r\n");
    await until("the answer", () => sender.received.includes("20 1020"));
    sender.socket.destroy();
  });

  test("a request is answered behind a body whose last piece was more than a buffer takes", async () => {
    const sender = new Sender(server.port, "/upload?seen=nothing", "Content-Length: 0");
    const answered = async (what: string) => {
      await until(what, () => /\r\n\r\n./.test(sender.received));
      sender.received = "";
    };
    await answered("the first answer");
    const head = "POST /large?name=kept&hold=20 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    for (let nth = 1; nth <= 5; nth++) {
      sender.socket.write(head);
      sender.socket.write(new Uint8Array(1_000_000));
      await answered(`body ${nth}`);
      sender.socket.write("GET /upload?seen=kept HTTP/1.1\r\nHost: x\r\n\r\n");
      await answered(`the request behind body ${nth}`);
    }
    sender.socket.destroy();
  });

  test("who reads slowly is sent no faster", async () => {
    // More than the buffers of both kernels' ends take.
    const length = 48 * MEBIBYTE;
    const sender = new Sender(server.port, "/large?name=held&hold=400", `Content-Length: ${length}`);
    let drained = false;
    sender.socket.write(new Uint8Array(length), () => {
      drained = true;
    });
    await until("the first piece", async () => (await seen("held")) > 0);
    await Bun.sleep(300);
    expect(await seen("held")).toBeLessThan(16 * MEBIBYTE);
    expect(drained).toBe(false);
    sender.socket.destroy();
  });

  test("more than max_body_size is 413: at once where it is announced, else when it comes", async () => {
    const announced = new Sender(server.port, "/upload?name=much", `Content-Length: ${9 * MEBIBYTE}`);
    await until("its answer", () => announced.received.includes(" 413 "));
    announced.socket.destroy();
    const sender = new Sender(server.port, "/upload?name=more", "Transfer-Encoding: chunked");
    for (let piece = 0; piece < 9; piece++) sender.chunk(new Uint8Array(MEBIBYTE));
    await until("the answer, or the end", () => sender.isClosed || sender.received.includes(" 413 "));
    expect(await seen("more")).toBeLessThanOrEqual(8 * MEBIBYTE);
    expect((await post("text", "still there")).text).toBe("STILL THERE");
    sender.socket.destroy();
  });

  test("a client that leaves midway, or a handler that does not read it all, costs nothing", async () => {
    const sender = new Sender(server.port, "/upload?name=left", "Transfer-Encoding: chunked");
    sender.chunk(Buffer.from("abc"));
    await until("the piece", async () => (await seen("left")) === 3);
    sender.socket.destroy();
    expect((await post("first", new Uint8Array(10_000))).text).toBe("enough");
    expect((await post("none", new Uint8Array(10_000))).text).toBe("not read");
    expect((await post("text", "and on")).text).toBe("AND ON");
    expect(server.log).not.toContain("handler failed");
  });
});
