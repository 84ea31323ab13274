// The load generator where there is no C compiler: the commands, answers and checks of swarm.c on Bun's
// sockets. Started by swarm-client.ts. It is slower than the server it loads when messages are coalesced;
// server CPU is still read from /proc, but wall-clock figures (latency, requests/s) then speak of this
// client, and the notes' shares show it.

import { parseArgs } from "node:util";
import { TRANSPORT_FIELDS } from "./request-fields.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    mode: { type: "string", default: "stream" },
    subscribe: { type: "string", default: "/sub/bench" },
    publish: { type: "string", default: "/pub?id=bench" },
    size: { type: "string", default: "100" },
  },
});

const HASH = 35;
const DIGITS_END = 11;
const CONNECT_BATCH = 128;
const STALL_MS = 15_000;
const PAYLOAD_BYTES = Number(values.size);
const LONG_POLL = values.mode === "longpoll";

interface Subscriber {
  head: string | null;
  /** Bytes of the payload under way. */
  have: number;
  sequence: number;
  position: number;
}

interface Publisher {
  socket: Bun.Socket<undefined>;
  busy: boolean;
  answer: string;
  sequence: number;
}

const publishers: Publisher[] = [];
const waiting = new Set<number>();
const dueMs = new Map<number, number>();
/** By position: the sequence number the first reader saw there, and how many have it; dropped once all do. */
const order = new Map<number, { sequence: number; received: number }>();
let orderLength = 0;
let subscriberCount = 0;
let headsSeen = 0;
let nextSequence = 0;
let undone = 0;
let deliveries = 0;
let samplesUs: number[] = [];
let progressMs = 0;
/** Called after every turn that brought something; set while a command waits. */
let onProgress: () => void = () => undefined;

function die(text: string): never {
  console.log(JSON.stringify({ error: text }));
  process.exit(1);
}

function complete(sequence: number): void {
  samplesUs.push(Math.round((performance.now() - (dueMs.get(sequence) ?? 0)) * 1000));
  dueMs.delete(sequence);
  undone--;
}

function delivered(subscriber: Subscriber): void {
  const { sequence } = subscriber;
  const at = subscriber.position++;
  deliveries++;
  if (at === orderLength) {
    if (!waiting.delete(sequence)) die(`message ${sequence} came twice or was never published`);
    order.set(at, { sequence, received: 0 });
    orderLength++;
  }
  const seen = order.get(at);
  if (seen?.sequence !== sequence) die(`a subscriber read ${sequence} where others read ${seen?.sequence}`);
  if (++seen.received < subscriberCount) return;
  order.delete(at);
  complete(sequence);
}

/** Returns the bytes after the response head, or null while it is not complete. */
function afterHead(subscriber: Subscriber, bytes: Buffer): Buffer | null {
  if (subscriber.head === null) return bytes;
  const before = subscriber.head.length;
  subscriber.head += bytes.toString("latin1");
  if (!/^HTTP\/1\.1 (200|101)/.test(subscriber.head))
    die(`subscriber refused: ${subscriber.head.slice(0, 60)}`);
  const end = subscriber.head.indexOf("\r\n\r\n");
  if (end < 0) return null;
  subscriber.head = null;
  headsSeen++;
  return bytes.subarray(end + 4 - before);
}

function scan(subscriber: Subscriber, bytes: Buffer): void {
  let at = 0;
  while (at < bytes.length) {
    if (subscriber.have === 0) {
      at = bytes.indexOf(HASH, at);
      if (at < 0) return;
      subscriber.sequence = 0;
      subscriber.have = 1;
      at++;
    }
    for (; at < bytes.length && subscriber.have < DIGITS_END; at++, subscriber.have++) {
      subscriber.sequence = subscriber.sequence * 10 + ((bytes[at] ?? 48) - 48);
    }
    const rest = PAYLOAD_BYTES - subscriber.have;
    if (bytes.length - at < rest) {
      subscriber.have += bytes.length - at;
      return;
    }
    if (bytes[at + rest - 1] !== 36) die(`message ${subscriber.sequence} is damaged`);
    at += rest;
    subscriber.have = 0;
    delivered(subscriber);
  }
}

async function connectSubscriber(): Promise<void> {
  const subscriber: Subscriber = { head: "", have: 0, sequence: 0, position: 0 };
  subscriberCount++;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(values.port),
    socket: {
      data(_socket, bytes) {
        const body = afterHead(subscriber, bytes);
        if (body !== null) scan(subscriber, body);
        onProgress();
      },
      close() {
        if (!LONG_POLL || subscriber.position === 0) die("subscriber closed by the server");
      },
    },
  });
  const extra = TRANSPORT_FIELDS[values.mode] ?? (LONG_POLL ? "" : "TE: chunked\r\n");
  socket.write(`GET ${values.subscribe} HTTP/1.1\r\nHost: 127.0.0.1\r\n${extra}\r\n`);
}

function answerComplete(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  if (answer[9] !== "2") die(`publish refused: ${answer.slice(0, 60)}`);
  const length = /\r\nContent-Length: *(\d+)/i.exec(answer.slice(0, end))?.[1];
  if (length !== undefined) return answer.length >= end + 4 + Number(length);
  return answer.startsWith("204", 9) || answer.endsWith("0\r\n\r\n");
}

const MOST_PUBLISHERS = 16;

async function connectPublisher(): Promise<void> {
  const holder: { publisher: Publisher | null } = { publisher: null };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(values.port),
    socket: {
      data(_socket, bytes) {
        const { publisher } = holder;
        if (publisher === null) return;
        publisher.answer += bytes.toString("latin1");
        if (!answerComplete(publisher.answer)) return;
        publisher.busy = false;
        publisher.answer = "";
        if (subscriberCount === 0) complete(publisher.sequence);
        onProgress();
      },
      close() {
        die("publisher closed by the server");
      },
    },
  });
  holder.publisher = { socket, busy: false, answer: "", sequence: 0 };
  publishers.push(holder.publisher);
}

function publish(publisher: Publisher, due: number): void {
  const sequence = nextSequence++;
  const payload = `${`#${String(sequence).padStart(10, "0")}`.padEnd(PAYLOAD_BYTES - 1, "x")}$`;
  publisher.busy = true;
  publisher.sequence = sequence;
  waiting.add(sequence);
  dueMs.set(sequence, due);
  undone++;
  publisher.socket.write(
    `POST ${values.publish} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
      `Content-Length: ${PAYLOAD_BYTES}\r\n\r\n${payload}`,
  );
}

/** Resolves when `done` holds; looks after every arrival and every millisecond. */
function until(done: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  progressMs = performance.now();
  const look = () => {
    if (done()) resolve();
    else if (performance.now() - progressMs > STALL_MS) die(`nothing came for 15 s, ${undone} under way`);
  };
  const timer = setInterval(look, 1);
  onProgress = () => {
    progressMs = performance.now();
    look();
  };
  look();
  return promise.finally(() => {
    clearInterval(timer);
    onProgress = () => undefined;
  });
}

async function grow(target: number): Promise<object> {
  while (subscriberCount < target) {
    await connectSubscriber();
    if (!LONG_POLL) await until(() => subscriberCount - headsSeen <= CONNECT_BATCH);
    else if (subscriberCount % CONNECT_BATCH === 0) await Bun.sleep(5);
  }
  if (!LONG_POLL) await until(() => headsSeen === subscriberCount);
  return { subscribers: subscriberCount };
}

function report(wallMs: number, cpu: NodeJS.CpuUsage, messages: number, withSamples: boolean): object {
  samplesUs.sort((a, b) => a - b);
  const at = (share: number) => samplesUs[Math.round(share * (samplesUs.length - 1))] ?? 0;
  const figures = { messages, deliveries, wallUs: wallMs * 1000, cpuUs: cpu.user + cpu.system };
  const percentiles = { p50Us: at(0.5), p99Us: at(0.99), maxUs: at(1) };
  return { ...figures, ...percentiles, ...(withSamples ? { samplesUs } : {}) };
}

/** `hz` 0: closed loop over `window`; else open loop, over as many connections. */
async function measure(window: number, hz: number, ms: number, maxMessages: number): Promise<object> {
  while (publishers.length < Math.min(window, MOST_PUBLISHERS)) await connectPublisher();
  const cpu = process.cpuUsage();
  const start = performance.now();
  let sent = 0;
  deliveries = 0;
  samplesUs = [];
  const feed = (): boolean => {
    for (;;) {
      const open = performance.now() - start < ms && sent < maxMessages;
      if (!open) return undone === 0 && publishers.every((publisher) => !publisher.busy);
      const due = hz > 0 ? start + (1000 * sent) / hz : performance.now();
      if (hz > 0 ? due > performance.now() : undone >= window) return false;
      const publisher = publishers.find((one) => !one.busy);
      if (publisher === undefined) return false;
      publish(publisher, due);
      sent++;
    }
  };
  await until(feed);
  return report(performance.now() - start, process.cpuUsage(cpu), sent, hz > 0);
}

for await (const line of console) {
  if (line === "") continue; // what console yields when the input ends
  const [command, first = "0", second = "0", third = "0"] = line.split(" ");
  if (command === "grow") console.log(JSON.stringify(await grow(Number(first))));
  else if (command === "run")
    console.log(JSON.stringify(await measure(Number(first), 0, Number(second), Infinity)));
  else if (command === "pace")
    console.log(JSON.stringify(await measure(Number(third), Number(first), Number(second), Infinity)));
  else if (command === "several") console.log(JSON.stringify(await measure(1, 0, Infinity, Number(first))));
  else die(`unknown command ${line}`);
}
process.exit(0);
