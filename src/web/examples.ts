/**
 * The pages under `/examples/`: small demos of what sluice does, each with its whole source shown and a line
 * to try from a shell. Made once, at the first request; plugin.ts serves them for locations with `examples =
 * true`.
 *
 * Like the page at `/` they are plain files embedded as text, joined here, and run under a policy that allows
 * nothing but their own style and scripts. Their addresses are relative, to hold below the path of a proxy.
 */
import { contentSecurityPolicy, documentHeaders, type Page, sourceHash } from "./document.ts";
import addressJs from "./examples/address.js" with { type: "text" };
import answerHtml from "./examples/answer.html" with { type: "text" };
import answerJs from "./examples/answer.js" with { type: "text" };
import chatHtml from "./examples/chat.html" with { type: "text" };
import chatJs from "./examples/chat.js" with { type: "text" };
import dashboardHtml from "./examples/dashboard.html" with { type: "text" };
import dashboardJs from "./examples/dashboard.js" with { type: "text" };
import echoHtml from "./examples/echo.html" with { type: "text" };
import echoJs from "./examples/echo.js" with { type: "text" };
import eventSourceHtml from "./examples/event-source.html" with { type: "text" };
import eventSourceJs from "./examples/event-source.js" with { type: "text" };
import css from "./examples/examples.css" with { type: "text" };
import foreverIframeHtml from "./examples/forever-iframe.html" with { type: "text" };
import foreverIframeJs from "./examples/forever-iframe.js" with { type: "text" };
import index from "./examples/index.html" with { type: "text" };
import jsonpHtml from "./examples/jsonp.html" with { type: "text" };
import jsonpJs from "./examples/jsonp.js" with { type: "text" };
import linesHtml from "./examples/lines.html" with { type: "text" };
import linesJs from "./examples/lines.js" with { type: "text" };
import longPollingHtml from "./examples/long-polling.html" with { type: "text" };
import longPollingJs from "./examples/long-polling.js" with { type: "text" };
import motionJpegHtml from "./examples/motion-jpeg.html" with { type: "text" };
import motionJpegJs from "./examples/motion-jpeg.js" with { type: "text" };
import shell from "./examples/shell.html" with { type: "text" };
import uploadHtml from "./examples/upload.html" with { type: "text" };
import uploadJs from "./examples/upload.js" with { type: "text" };

interface Example {
  /** Last part of its path. */
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  readonly demo: string;
  readonly script: string;
  /** What to type; `{origin}` is the server. */
  readonly shell: string;
  /** Runs scripts that publishers write, so it may not have this origin's rights. */
  readonly isSandboxed?: true;
}

const EXAMPLES: readonly Example[] = [
  {
    name: "lines",
    title: "Streaming lines",
    summary: "One response that grows by a line a second: a handler of ten lines yields them.",
    demo: linesHtml,
    script: linesJs,
    shell: "curl -N '{origin}/examples/lines/stream?count=4'",
  },
  {
    name: "echo",
    title: "WebSocket echo",
    summary: "A handler's own WebSocket: what you send comes back, and silence is answered with pings.",
    demo: echoHtml,
    script: echoJs,
    shell: "websocat '{socketOrigin}/examples/echo/socket'",
  },
  {
    name: "answer",
    title: "An answer that survives a reload",
    summary:
      "A handler makes an answer token by token, as language models do. Reload, close the tab, restart " +
      "a worker: nothing of it is lost.",
    demo: answerHtml,
    script: answerJs,
    shell:
      "curl -N '{origin}/examples/answer/stream/mine'\ncurl -X DELETE '{origin}/examples/answer/stream/mine'",
  },
  {
    name: "upload",
    title: "An upload with progress",
    summary:
      "A handler reads a file as it comes, and tells a channel how far it is. Whoever knows its name " +
      "may watch.",
    demo: uploadHtml,
    script: uploadJs,
    shell: "head -c 5000000 /dev/urandom | curl -T - -X POST '{origin}/examples/upload/file?name=mine'",
  },
  {
    name: "event-source",
    title: "EventSource",
    summary:
      "Server-Sent Events that resume by themselves: stop the server for a moment and nothing is missed.",
    demo: eventSourceHtml,
    script: eventSourceJs,
    shell:
      "curl -N '{origin}/ev/example-events.b5'\ncurl -d 'from the shell' '{origin}/pub?id=example-events'",
  },
  {
    name: "long-polling",
    title: "Long polling",
    summary: "A request that waits for the next message, and says with the one after it what it saw last.",
    demo: longPollingHtml,
    script: longPollingJs,
    shell: "curl -i '{origin}/lp/example-polls'\ncurl -d 'from the shell' '{origin}/pub?id=example-polls'",
  },
  {
    name: "jsonp",
    title: "JSONP",
    isSandboxed: true,
    summary: "Long polling for pages of other origins, by script element, as old browsers did it.",
    demo: jsonpHtml,
    script: jsonpJs,
    shell:
      "curl '{origin}/jsonp/example-jsonp.b1?callback=received'\ncurl -d '\"from the shell\"' " +
      "'{origin}/pub?id=example-jsonp'",
  },
  {
    name: "forever-iframe",
    title: "Forever iframe",
    summary: "A page in a frame that never ends: each message is a script element that runs as it arrives.",
    demo: foreverIframeHtml,
    script: foreverIframeJs,
    shell:
      "curl -N '{origin}/iframe/example-iframe'\ncurl -d '\"from the shell\"' " +
      "'{origin}/pub?id=example-iframe'",
  },
  {
    name: "motion-jpeg",
    title: "Motion JPEG",
    summary:
      "Frames published as messages come back as one multipart response, which an image element draws.",
    demo: motionJpegHtml,
    script: motionJpegJs,
    shell: "curl -sN '{origin}/mjpeg/example-film' | head -c 200 | strings",
  },
  {
    name: "chat",
    title: "Chat",
    summary: "A room on one socket with two channels, ten lines of history, and who is there.",
    demo: chatHtml,
    script: chatJs,
    shell:
      'curl -d \'{"name":"shell","text":"hello"}\' \'{origin}/pub?id=example-chat\'\ncurl ' +
      "'{origin}/presence/example-chat'",
  },
  {
    name: "dashboard",
    title: "Live dashboard",
    summary: "How many messages a second a channel carries, over the last minute.",
    demo: dashboardHtml,
    script: dashboardJs,
    shell: "for i in $(seq 100); do curl -s -o /dev/null -d $i '{origin}/pub?id=example-rate'; done",
  },
];

const DIRECTORY = "/examples/";

/** A document that lacks only the origin it is served from, and its headers. */
interface Document {
  readonly text: string;
  readonly headers: Page["headers"];
}

let documents: ReadonlyMap<string, Document> | null = null;

/**
 * The page for a path such as "/examples/chat"; undefined: there is none. `origin` is what the client calls
 * this server; it is shown in the lines to type.
 */
export function examplePage(path: string, origin: string): Page | undefined {
  documents ??= new Map([
    ["", document(filled(index, { list: EXAMPLES.map(entry).join("\n        ") }), "", DEMOS)],
    ...EXAMPLES.map((example): [string, Document] => [example.name, exampleDocument(example)]),
  ]);
  const found = documents.get(path.slice(path.lastIndexOf(DIRECTORY) + DIRECTORY.length));
  if (found === undefined) return undefined;
  const names = { origin: escaped(origin), socketOrigin: escaped(origin.replace("http", "ws")) };
  return { body: new TextEncoder().encode(filled(found.text, names)), headers: found.headers };
}

const entry = ({ name, title, summary }: Example): string =>
  `<li><a href="${name}">${escaped(title)}</a><p>${escaped(summary)}</p></li>`;

function exampleDocument({ title, summary, demo, script, shell: lines, isSandboxed }: Example): Document {
  const parts = {
    title: escaped(title),
    summary: escaped(summary),
    demo,
    shell: escaped(lines),
    source: escaped(`${demo}\n<script>\n${script}</script>`),
  };
  return document(
    filled(shell, parts),
    script,
    isSandboxed ? [...DEMOS, "sandbox allow-scripts allow-forms"] : DEMOS,
  );
}

/** The demos show frames and films of this server, and one fetches by script element. */
const DEMOS = ["img-src 'self' blob: data:", "frame-src 'self'"];

function document(text: string, script: string, directives: readonly string[]): Document {
  return {
    // The hashes of the policy are of what stands between the tags, so nothing else may: the blanks around
    // the places go.
    text: text
      .replace(/\s*\/\* style \*\/\s*/, () => css)
      .replace(/\s*PAGE_SCRIPT;\s*/, () => script)
      .replace(/\s*ADDRESS_SCRIPT;\s*/, () => addressJs),
    headers: documentHeaders(
      contentSecurityPolicy(css, script, directives, ` ${sourceHash(addressJs)} 'self'`),
    ),
  };
}

/**
 * `{name}` replaced by its part; a function, because `$&` and friends in a replacement string would be
 * expanded.
 */
function filled(text: string, parts: Readonly<Record<string, string>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => parts[name] ?? whole);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
