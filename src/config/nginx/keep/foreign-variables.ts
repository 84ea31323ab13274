/**
 * Variables that push directives use and only nginx can know (of its other modules, of TLS, of its own
 * answers): nginx sends each in a field of its own, and sluice takes it from there. A client cannot send that
 * field itself, as `proxy_set_header` replaces it.
 *
 * Never for what nginx cuts out of the decoded path ($uri, captures): a line break in it would begin a field
 * of the client's own. sluice sees the same path and cuts for itself.
 */
import { NO_GROUPS } from "../../location/match-syntax.ts";
import { valueFault } from "../../location/variables.ts";
import type { Arg, Directive } from "../tree.ts";

/** The same in every request, and written out by the translation. */
const CONSTANT: ReadonlySet<string> = new Set([
  ...["server_name", "hostname", "document_root", "realpath_root", "request_filename", "fastcgi_script_name"],
]);
/** sluice has its own, which is not nginx's: what it is asked comes from nginx, on another port. */
const NGINX_ONLY: ReadonlySet<string> = new Set([
  "scheme",
  "server_port",
  "request_uri",
  "realip_remote_addr",
  "http_host",
]);
const NINE = { count: 9, names: NO_GROUPS.names };
const VARIABLE = /\$(?:\{(\w+)\}|([a-z_]\w*))/gi;

/** Names of variables in the texts of a directive, without `$`, in lower case. */
export const variablesIn = ({ args }: Directive): readonly string[] =>
  args.flatMap(({ text }) =>
    [...text.matchAll(VARIABLE)].map(([, braced, bare]) => (braced ?? bare ?? "").toLowerCase()),
  );

/** `known`: what `set`, `map` and named groups of the kept part make. */
export function isForeign(name: string, known: ReadonlySet<string>): boolean {
  if (/^\d+$/.test(name) || known.has(name) || CONSTANT.has(name)) return false;
  return NGINX_ONLY.has(name) || valueFault(`\${${name}}`, NINE, known) !== null;
}

export const fieldOf = (name: string): string =>
  `X-Sluice-${name.replace(/(?:^|_)([a-z])/g, (part) => part.toUpperCase()).replaceAll("_", "-")}`;

/** The directive as sluice is to read it. */
export function withFields(directive: Directive, foreign: ReadonlySet<string>): Directive {
  const replaced = ({ text, quoted }: Arg): Arg => ({
    quoted,
    text: text.replace(VARIABLE, (whole, braced: string | undefined, bare: string | undefined) => {
      const name = (braced ?? bare ?? "").toLowerCase();
      return foreign.has(name) ? `\${http_${fieldOf(name).toLowerCase().replaceAll("-", "_")}}` : whole;
    }),
  });
  return { ...directive, args: directive.args.map(replaced) };
}
