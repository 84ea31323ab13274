/** Finds the first request of a connection that two parsers read differently. */
import { LLHTTP_DIFFERENCES } from "./http1-differences-llhttp.ts";
import { NGINX_DIFFERENCES } from "./http1-differences-nginx.ts";
import type { Difference, Divergence, Peer } from "./http1-divergence.ts";
import { readWithLlhttp } from "./http1-llhttp.ts";
import type { NginxReading } from "./http1-nginx.ts";
import type { OurReading } from "./http1-reading.ts";

export const DIFFERENCES: readonly Difference[] = [...NGINX_DIFFERENCES, ...LLHTTP_DIFFERENCES];

/** A reading in the terms that both of two parsers have: a text a request. */
interface Comparable {
  readonly requests: readonly string[];
  /** null: it cannot be known whether the rest was refused. */
  readonly isRefused: boolean | null;
  readonly isClosed: boolean | null;
}

export function compareWithLlhttp(text: string, ours: OurReading): Divergence | null {
  const theirs = readWithLlhttp(Buffer.from(text, "latin1"));
  return divergence(
    text,
    ours,
    comparable(
      ours.requests.map(({ method, target, minor, body }) => JSON.stringify([method, target, minor, body])),
      ours.end,
    ),
    comparable(
      theirs.requests.map(({ method, target, minor, body }) => JSON.stringify([method, target, minor, body])),
      theirs.end,
    ),
  );
}

const comparable = (requests: readonly string[], end: OurReading["end"]): Comparable => ({
  requests,
  isRefused: end === "refused",
  isClosed: end === "closed",
});

export function compareWithNginx(text: string, ours: OurReading, theirs: NginxReading): Divergence | null {
  const asNginx = ours.requests.map(({ method, target, body }, at) =>
    JSON.stringify([method, pathOf(target), serverOf(ours.hosts[at] ?? ""), body.length]),
  );
  return divergence(
    text,
    ours,
    // nginx answers a connection that ends within a body with 400, one that ends within a head not at all.
    { requests: asNginx, isRefused: ours.end === "more" ? null : ours.end === "refused", isClosed: null },
    {
      requests: theirs.requests.map(({ method, target, host, bodyBytes }) =>
        JSON.stringify([method, target, host, bodyBytes]),
      ),
      isRefused: theirs.refused > 0,
      isClosed: null,
    },
  );
}

/** `$request_uri`: what follows the authority. */
function pathOf(target: string): string {
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*(.*)$/i.exec(target)?.[1];
  return path === undefined ? target : path || "/";
}

/** `$host`. */
const serverOf = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:[^\]]*$/, "")
    .replace(/\.$/, "");

function divergence(text: string, ours: OurReading, us: Comparable, them: Comparable): Divergence | null {
  let at = 0;
  while (at < us.requests.length && us.requests[at] === them.requests[at]) at++;
  const weHave = at < us.requests.length;
  const theyHave = at < them.requests.length;
  const endsAlike =
    (us.isRefused === null || us.isRefused === them.isRefused) &&
    (us.isClosed === null || us.isClosed === them.isClosed);
  if (!weHave && !theyHave && endsAlike) return null;
  const rest = text.slice(ours.starts[at] ?? text.length);
  const { line, fields, body } = parts(rest);
  const before = parts(at === 0 ? "" : text.slice(ours.starts[at - 1], ours.starts[at]));
  return {
    rest,
    line,
    fields,
    body,
    before: before.fields,
    bodyBefore: before.body,
    weRead: weHave || (!theyHave && us.isRefused === false && them.isRefused === true),
    theyRead: theyHave || (!weHave && us.isRefused === true && them.isRefused === false),
  };
}

/** The lines of a head, ended by LF whatever stands before it; empty ones before it are left out. */
function parts(rest: string): { line: string; fields: string[]; body: string } {
  const head = /^[\r\n]*([\s\S]*?)\n\r*(?:\n|$)/.exec(rest);
  const [line = "", ...fields] = (head?.[1] ?? rest).split("\n").map((each) => each.replace(/\r$/, ""));
  return { line, fields, body: rest.slice(head?.[0].length ?? rest.length) };
}

/** The differences that explain it; none: it is a new one. */
export function explain(peer: Peer, found: Divergence): Difference[] {
  const who =
    found.weRead === found.theyRead
      ? "read otherwise"
      : found.weRead
        ? "only we read it"
        : "only they read it";
  return DIFFERENCES.filter(
    (each) =>
      each.peer === peer && (each.who === who || each.who === "read otherwise") && each.isCause(found),
  );
}
