/**
 * Certificates that change on disk under a running server, HTTP/2 with and without TLS: on the real program,
 * with certificates of openssl. Connections that are open when the certificate changes are drained as at
 * every reload: their clients come again and resume, without loss.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { freePort, layout, type RunningServer, startServer, until } from "./running-server.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "sluice-tls-"));
const at = (name: string): string => join(folder, name);
let server: RunningServer;
let tls: number;
let h2c: number;

function make(name: string, days: number): void {
  const kind = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  const words = `req -x509 ${kind} -days ${days} -subj /CN=${name}`;
  const files = ["-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)];
  const made = Bun.spawnSync(["openssl", ...words.split(" "), ...files], { stderr: "pipe" });
  if (!made.success) throw new Error(made.stderr.toString());
}

/** As a deploy hook does: beside it, then in its place. */
function put(from: string, to: string): void {
  copyFileSync(at(from), at(`${to}.new`));
  renameSync(at(`${to}.new`), at(to));
}

function deploy(name: string): void {
  put(`${name}.key`, "live.key");
  put(`${name}.pem`, "live.pem");
}

beforeAll(async () => {
  for (const [days, name] of ["first", "second", "third", "fourth"].entries()) make(name, days + 2);
  deploy("first");
  tls = freePort();
  h2c = freePort();
  const ev = (text: string): string => `
${text}
[[server.location]]
match = "~ ^/ev/(.*)$"
subscriber = "eventsource"
channels_path = "$1"
event_ids = "auto"
[[server.location]]
match = "= /count"
statistics = true
channels_path = "$arg_id"
`;
  const port = freePort();
  const toml = `${layout(`listen = ["127.0.0.1:${port}"]`, { sub: 'header_template = "-"' })}
${ev(`[[server]]
listen = ["127.0.0.1:${tls} ssl http2"]
tls_certificate = "${at("live.pem")}"
tls_certificate_key = "${at("live.key")}"`)}
${ev(`[[server]]\nlisten = ["127.0.0.1:${h2c} h2c"]`)}`;
  server = await startServer({ toml, port, listensByFile: true });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The name on the certificate that a new connection is shown, and the protocol it agreed to. */
function shown(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = {
    port: tls,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["h2", "http/1.1"],
  };
  const socket = connect(options, () => {
    resolve(`${socket.getPeerCertificate().subject.CN} ${socket.alpnProtocol}`);
    socket.destroy();
  });
  socket.on("error", reject);
  return promise;
}

const endOf = (file: string): number =>
  Date.parse(new X509Certificate(readFileSync(at(file))).validTo) / 1000;
async function endInMetrics(): Promise<number> {
  const { text } = await server.request("/metrics");
  return Number(/^sluice_certificate_expiry_seconds\{number="0",name=""\} (\d+)$/m.exec(text)?.[1]);
}

const countOf = (text: string): number => server.log.split(text).length - 1;

/** A page's EventSource: reads, and comes again with the id of the last event. */
class Reader {
  readonly heard: string[] = [];
  connections = 0;
  #isOver = false;
  #lastId = "";
  #abort = new AbortController();

  readonly channel: string;

  constructor(channel: string) {
    this.channel = channel;
    void this.#run();
  }

  stop(): void {
    this.#isOver = true;
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        const response = await fetch(`https://127.0.0.1:${tls}/ev/${this.channel}`, {
          headers: this.#lastId === "" ? {} : { "Last-Event-ID": this.#lastId },
          tls: { rejectUnauthorized: false },
          signal: this.#abort.signal,
        });
        this.connections++;
        await this.#read(response);
      } catch {
        await Bun.sleep(20); // between two workers, or stopped
      }
    }
  }

  async #read(response: Response): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/);
      rest = events.pop() ?? "";
      for (const event of events) {
        const id = /^id: ?(.*)$/m.exec(event)?.[1]?.trim();
        const data = /^data: ?(.*)$/m.exec(event)?.[1]?.trim();
        if (id !== undefined) this.#lastId = id;
        if (data?.startsWith("n")) this.heard.push(data);
      }
    }
  }
}

describe("a certificate that changes on disk", () => {
  test("new connections see it without a signal; an open event stream resumes without loss", async () => {
    expect(await shown()).toBe("first h2");
    const reader = new Reader("a");
    try {
      await until("a subscriber", async () => (await server.statistics("a")).subscribers === 1);
      const sent: string[] = [];
      const publish = async (): Promise<void> => {
        const text = `n${sent.length}`;
        if ((await server.publish("a", text)).status === 200) sent.push(text);
      };
      await publish();
      await until("the first message", () => reader.heard.length === 1);
      deploy("second");
      await until("the new certificate", async () => {
        await publish();
        return (await shown()) === "second h2";
      });
      await until("the stream's second connection", async () => {
        await publish();
        return reader.connections === 2;
      });
      await publish();
      await until("every message", () => reader.heard.length >= sent.length);
      expect(reader.heard).toEqual(sent);
    } finally {
      reader.stop();
    }
    expect(countOf("certificate changed on disk")).toBe(1);
  });

  test("no certificate, or another's key: one line, the old one goes on, in new workers too", async () => {
    writeFileSync(at("live.pem"), "no certificate\n");
    await until("a refusal", () => countOf("changed certificate refused") === 1);
    expect(server.log).toContain("it is no certificate in PEM form");
    put("third.pem", "live.pem");
    await until("another", () => countOf("changed certificate refused") === 2);
    expect(server.log).toContain("it is not the key of the certificate");
    const pids = await server.workerPids();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await until("new workers", async () => {
      const now = await server.workerPids().catch(() => []);
      return now.length === pids.length && !now.some((pid) => pids.includes(pid));
    });
    expect(await shown()).toBe("second h2");
    // What is in force, not what lies there.
    expect(await endInMetrics()).toBe(endOf("second.pem"));
    expect(countOf("changed certificate refused")).toBe(2);
    put("third.key", "live.key");
    await until("the third", async () => (await shown()) === "third h2");
    await until("its end in the metrics", async () => (await endInMetrics()) === endOf("third.pem"));
  });

  test("HUP reads it, too", async () => {
    const reloads = countOf("reloaded generation=");
    deploy("fourth");
    server.process.kill("SIGHUP");
    await until("a reload", () => countOf("reloaded generation=") > reloads);
    await until("the fourth", async () => (await shown()) === "fourth h2");
    expect(countOf("reload refused")).toBe(0);
  });
});

test("h2c: who knows that it is there speaks HTTP/2 without TLS, everybody else HTTP/1.1", async () => {
  await server.publish("a", "text");
  const plain = await (await fetch(`http://127.0.0.1:${h2c}/count?id=a`)).text();
  expect(plain).toContain('"channel": "a"');
  const session = connectHttp2(`http://127.0.0.1:${h2c}`);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    session.on("error", reject);
    const stream = session.request({ ":path": "/count?id=a" });
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (part: string) => {
      text += part;
    });
    stream.on("end", () => resolve(text)).on("error", reject);
    expect(await promise).toContain('"channel": "a"');
  } finally {
    session.destroy();
  }
});
