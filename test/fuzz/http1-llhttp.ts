/**
 * node's request parser as a reference: llhttp itself, compiled to WebAssembly, as it lies in undici (a
 * dependency of the tests, so its version is the one in the lock file, whichever node the machine has).
 * Strict, as node runs it by default.
 */
import { createRequire } from "node:module";
import type { Reading, ReadRequest } from "./http1-reading.ts";

const requireFile = createRequire(import.meta.url);
const source = requireFile("../../node_modules/undici/lib/llhttp/llhttp-wasm.js");

/** llhttp's numbers. */
const TYPE_REQUEST = 1;
const OK = 0;
const PAUSED_UPGRADE = 22;

interface Llhttp {
  readonly memory: WebAssembly.Memory;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  malloc(bytes: number): number;
  free(pointer: number): void;
  llhttp_execute(parser: number, data: number, length: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_resume_after_upgrade(parser: number): void;
  llhttp_get_http_minor(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_method_name(method: number): number;
}

let requests: ReadRequest[] = [];
let current: ReadRequest = empty();
let isInside = false;
let isClosed = false;

function empty(): ReadRequest {
  return { method: "", target: "", minor: -1, body: "" };
}

const text = (at: number, length: number): string =>
  Buffer.from(llhttp.memory.buffer, at, length).toString("latin1");

function nameAt(pointer: number): string {
  const bytes = Buffer.from(llhttp.memory.buffer, pointer, 32);
  return bytes.toString("latin1", 0, bytes.indexOf(0));
}

const callbacks = {
  wasm_on_message_begin() {
    isInside = true;
    current = empty();
    return 0;
  },
  wasm_on_url(_: number, at: number, length: number) {
    current.target += text(at, length);
    return 0;
  },
  wasm_on_headers_complete(parser: number, _status: number, _upgrade: number, keepsAlive: number) {
    current.method = nameAt(llhttp.llhttp_method_name(llhttp.llhttp_get_method(parser)));
    current.minor = llhttp.llhttp_get_http_minor(parser);
    isClosed = keepsAlive === 0;
    return 0;
  },
  wasm_on_body(_: number, at: number, length: number) {
    current.body += text(at, length);
    return 0;
  },
  wasm_on_message_complete() {
    // What follows the last request of a connection is nobody's.
    if (isInside && !hasEnded) requests.push(current);
    hasEnded ||= isClosed;
    isInside = false;
    return 0;
  },
  wasm_on_status: () => 0,
  wasm_on_header_field: () => 0,
  wasm_on_header_value: () => 0,
};
let hasEnded = false;

const instance = new WebAssembly.Instance(new WebAssembly.Module(source), { env: callbacks });
const llhttp = instance.exports as unknown as Llhttp;

export function readWithLlhttp(bytes: Uint8Array): Reading {
  requests = [];
  isInside = false;
  isClosed = false;
  hasEnded = false;
  const parser = llhttp.llhttp_alloc(TYPE_REQUEST);
  const data = llhttp.malloc(bytes.length);
  new Uint8Array(llhttp.memory.buffer, data, bytes.length).set(bytes);
  let at = data;
  let status = OK;
  do {
    status = llhttp.llhttp_execute(parser, at, data + bytes.length - at);
    if (status !== PAUSED_UPGRADE || hasEnded) break;
    at = llhttp.llhttp_get_error_pos(parser);
    llhttp.llhttp_resume_after_upgrade(parser);
  } while (at < data + bytes.length);
  llhttp.free(data);
  llhttp.llhttp_free(parser);
  if (hasEnded) return { requests, end: "closed" };
  if (status !== OK && status !== PAUSED_UPGRADE) return { requests, end: "refused" };
  return { requests, end: isInside ? "more" : "idle" };
}
