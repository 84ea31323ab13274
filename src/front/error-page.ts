/**
 * The pages nginx's core sends with its own errors and redirects (push-stream spec 0.7, last paragraph): 403
 * of access rules, 401, 404, 413, the 500 of exhausted message memory. Refusals of the module itself have no
 * body; those come from answer.ts.
 */
import { type HeaderFields, SERVER } from "../http/answer.ts";

/** Titles as nginx writes them; a status that is not here has no page. */
const TITLES: ReadonlyMap<number, string> = new Map([
  [301, "Moved Permanently"],
  [302, "Found"],
  [303, "See Other"],
  [307, "Temporary Redirect"],
  [308, "Permanent Redirect"],
  [400, "Bad Request"],
  [401, "Authorization Required"],
  [402, "Payment Required"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Not Allowed"],
  [406, "Not Acceptable"],
  [408, "Request Time-out"],
  [409, "Conflict"],
  [410, "Gone"],
  [411, "Length Required"],
  [412, "Precondition Failed"],
  [413, "Request Entity Too Large"],
  [414, "Request-URI Too Large"],
  [415, "Unsupported Media Type"],
  [416, "Requested Range Not Satisfiable"],
  [421, "Misdirected Request"],
  [429, "Too Many Requests"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Temporarily Unavailable"],
  [504, "Gateway Time-out"],
  [505, "HTTP Version Not Supported"],
  [507, "Insufficient Storage"],
]);

/** After these nginx does not trust the connection any more. */
const CLOSING: ReadonlySet<number> = new Set([400, 413, 414, 500, 501]);

const encoder = new TextEncoder();

/** Made once: each is sent as it is. */
const PAGES: ReadonlyMap<number, Uint8Array<ArrayBuffer>> = new Map(
  Array.from(TITLES, ([status, title]) => [status, encoder.encode(pageText(`${status} ${title}`))]),
);

function pageText(title: string): string {
  return (
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n` +
    "<hr><center>sluice</center>\r\n</body>\r\n</html>\r\n"
  );
}

/** Those that error_page may stand for: what endpoints answer is none of them. */
const made = new WeakSet<Response>();

export const isErrorPage = (response: Response): boolean => made.has(response);

/**
 * The answer with nginx's page for this status, `text/html`; without a body when there is no page. Fields may
 * override ours.
 */
export function errorPage(status: number, fields: HeaderFields = {}): Response {
  const response = madePage(status, fields);
  made.add(response);
  return response;
}

function madePage(status: number, fields: HeaderFields): Response {
  const page = PAGES.get(status);
  const connection = CLOSING.has(status) ? { Connection: "close" } : {};
  if (page === undefined)
    return new Response(null, { status, headers: { ...SERVER, "Content-Length": "0", ...fields } });
  const length = String(page.length);
  return new Response(page, {
    status,
    headers: { ...SERVER, ...connection, "Content-Type": "text/html", "Content-Length": length, ...fields },
  });
}
