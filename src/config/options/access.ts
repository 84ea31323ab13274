/**
 * Rows of the option table about who may do what: `[[issuer]]`, and what a location says of grants. Part of
 * ../options.ts; the manual is docs/access.md.
 */
import {
  algorithmsIssues,
  keyIssues,
  keySetIssues,
  patternsIssues,
  placesIssues,
  questionIssues,
  rateIssues,
} from "../checks/access-checks.ts";
import { pathIssues } from "../checks/checks.ts";
import type { Option } from "../kinds.ts";

export const ACCESS_OPTIONS = {
  "location[].token": {
    kind: "strings",
    default: ["header"],
    doc:
      'Where a signed token is looked for, the first place that has one decides: "header" ' +
      '(Authorization: Bearer), "cookie:NAME", "query:NAME", and "protocol" (a WebSocket client offers ' +
      "`token.` and the token as one of its subprotocols). Tokens in a query are masked in the access log.",
    example: ["header", "cookie:mercureAuthorization", "query:authorization"],
    check: placesIssues,
  },
  "location[].token_issuers": {
    kind: "strings",
    default: [],
    doc: "Names of the issuers whose tokens are good here.",
    example: ["app"],
  },
  "location[].publisher_keys_file": {
    kind: "string",
    default: null,
    unset: "no keys",
    doc:
      "Keys of programs, hashed, as `sluice key add` writes them; sent as X-API-Key or Authorization: " +
      "Bearer. Read again when it changes.",
    example: "/etc/sluice/keys",
    check: pathIssues,
  },
  "location[].auth_request": {
    kind: "string",
    default: null,
    unset: "nobody is asked",
    doc:
      "Who is asked about requests without token and key: an address of yours, or the path of a " +
      "location of this server with a handler. 2xx lets in, and may say a grant in JSON; 401 and 403 " +
      "are passed on; anything else is 502.",
    example: "http://127.0.0.1:9000/auth",
    check: questionIssues,
  },
  "location[].auth_headers": {
    kind: "strings",
    default: ["Cookie", "Authorization"],
    doc:
      "Fields of the request that it is told. Requests that do not differ in these, their URI, role and " +
      "channels are one question.",
    example: ["Cookie"],
  },
  "location[].auth_cache": {
    kind: "milliseconds",
    default: "10s",
    doc: "How long its answer counts for equal questions, in each worker; 0 asks each time.",
    example: "1m",
    max: "1h",
  },
  "location[].auth_timeout": {
    kind: "milliseconds",
    default: "5s",
    doc: "How long it may take to answer.",
    example: "2s",
    min: "1ms",
    max: "1m",
  },
  "location[].require": {
    kind: "enum",
    values: ["token", "optional", "none"],
    default: "token",
    doc:
      "Where there is somebody to grant: token refuses who has no grant; optional lets him in as well, " +
      "to what is `public` where there are channels; none asks nobody and refuses nobody.",
    example: "optional",
  },
  "location[].public": {
    kind: "strings",
    default: [],
    doc:
      "Channels that are open to everybody here, beside what is granted, for what the location is for: " +
      "publishing to them for a publisher, else reading. Exact names, `prefix*`, `*`.",
    example: ["news-*"],
    check: patternsIssues,
  },
  "location[].satisfy": {
    kind: "enum",
    values: ["all", "any"],
    default: "all",
    doc: "Whether access rules, auth_basic and grants must all agree, or one of them is enough.",
    example: "any",
  },
  "location[].rate": {
    kind: "string",
    default: null,
    unset: "any number",
    doc:
      "Requests, and messages of WebSocket clients, that one may make: `100/s`, `10/m`, with how many " +
      "more at once: `100/s burst 200`. Counted by who it is, else by address (IPv6: by /64), in each " +
      "worker. More are answered 429, or as `status 503` says.",
    example: "100/s burst 200",
    check: rateIssues,
  },

  "issuer[].name": {
    kind: "string",
    required: true,
    default: null,
    doc: "What token_issuers calls it.",
    example: "app",
  },
  "issuer[].issuer": {
    kind: "string",
    default: null,
    unset: "not looked at",
    doc: "What the claim `iss` has to say.",
    example: "https://example.com",
  },
  "issuer[].audience": {
    kind: "strings",
    default: [],
    doc: "What the claim `aud` has to name, one of these. Empty: not looked at.",
    example: ["https://push.example.com"],
  },
  "issuer[].algorithms": {
    kind: "strings",
    required: true,
    default: null,
    doc:
      "Algorithms its tokens may be signed with: HS256, RS256, PS256, ES256 and their kin with 384 and " +
      "512, EdDSA. Those with a secret (HS) stand alone.",
    example: ["ES256"],
    check: algorithmsIssues,
  },
  "issuer[].jwks": {
    kind: "string",
    default: null,
    unset: "key or key_file",
    doc:
      "Its public keys as a JSON Web Key Set: an https URL (http for this machine), or a file. Read " +
      "again every ten minutes, and at a key that is not known, every 30 seconds at most; the last good " +
      "set stays.",
    example: "https://example.com/.well-known/jwks.json",
    check: keySetIssues,
  },
  "issuer[].key_file": {
    kind: "string",
    default: null,
    unset: "jwks or key",
    doc: "File with its public key (PEM, or a JSON Web Key), or with the secret of HS tokens.",
    example: "/etc/sluice/app.pem",
    check: pathIssues,
  },
  "issuer[].key": {
    kind: "string",
    default: null,
    unset: "jwks or key_file",
    doc: "The same in a variable of the environment: `env:NAME`.",
    example: "env:HUB_KEY",
    check: keyIssues,
  },
  "issuer[].subscribe": {
    kind: "strings",
    default: [],
    doc:
      "Channels that each of its tokens may subscribe to, besides those it names: exact names, " +
      `\`prefix*\`, \`*\`, and \${sub} inside for whom it is for.`,
    example: [`inbox-\${sub}`],
    check: patternsIssues,
  },
  "issuer[].publish": {
    kind: "strings",
    default: [],
    doc: "The same for publishing.",
    example: [`from-$sub`],
    check: patternsIssues,
  },
  "issuer[].clock_skew": {
    kind: "seconds",
    default: "60s",
    doc:
      "How far its clock and this one may be apart: a token counts so much longer and earlier than " +
      "it says.",
    example: "10s",
    max: "10m",
  },
} as const satisfies Readonly<Record<string, Option>>;
