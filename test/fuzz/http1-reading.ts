/** What a parser read from a connection's bytes, in the terms that all of them share. */
import type { HeadBounds } from "../../src/listen/http1/request-head.ts";
import { Connection } from "../listen/http1-fixture.ts";

export interface ReadRequest {
  method: string;
  target: string;
  minor: number;
  body: string;
}

export interface Reading {
  readonly requests: readonly ReadRequest[];
  /** "closed": a request said that it is the last; "more": one is not whole. */
  readonly end: "refused" | "closed" | "more" | "idle";
}

/** Ours also tells where each request begins. */
export interface OurReading extends Reading {
  readonly hosts: readonly string[];
  readonly starts: readonly number[];
}

export function readOurs(pieces: readonly Uint8Array[], bounds?: HeadBounds): OurReading {
  const connection = new Connection(bounds);
  for (const piece of pieces) connection.push(piece);
  const { requests, end } = connection.outcome();
  const last = requests.findIndex((request) => !request.keepsAlive);
  const read = last < 0 ? requests : requests.slice(0, last + 1);
  const hosts = read.map(({ host }) => host);
  const shared = read.map(({ method, rawTarget, minor, body }) => ({
    method,
    target: rawTarget,
    minor,
    body,
  }));
  const { starts } = connection;
  if (last >= 0) return { requests: shared, end: "closed", hosts, starts };
  return { requests: shared, end: typeof end === "number" ? "refused" : end, hosts, starts };
}
