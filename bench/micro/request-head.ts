// Request heads on the wire listener: the POST of a PHP library, that of a browser, a GET of an EventSource;
// whole, in one piece.

import { bench, do_not_optimize, run } from "mitata";
import { parseHead } from "../../src/listen/http1/parse-head.ts";
import { DEFAULT_BOUNDS, RequestHead } from "../../src/listen/http1/request-head.ts";

const HEADS = {
  "POST, 4 fields": [
    "POST /pub?id=news HTTP/1.1",
    "Host: 127.0.0.1:9080",
    "User-Agent: wrk",
    "Content-Type: text/plain",
    "Content-Length: 100",
  ],
  "POST, 8 fields": [
    "POST /pub?id=news HTTP/1.1",
    "Host: push.example.org",
    "User-Agent: GuzzleHttp/7",
    "Accept: */*",
    "Accept-Encoding: gzip, deflate",
    "Connection: keep-alive",
    "Content-Type: application/json",
    "Authorization: Bearer 0123456789abcdef",
    "Content-Length: 100",
  ],
  "GET of a browser, 13 fields": [
    "GET /ev/news HTTP/1.1",
    "Host: push.example.org",
    "Connection: keep-alive",
    'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"',
    "Accept: text/event-stream",
    "Cache-Control: no-cache",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
      "Chrome/130.0.0.0 Safari/537.36",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Dest: empty",
    "Referer: https://www.example.org/page/with/a/path",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
  ],
};

const head = new RequestHead();

bench("$head", function* (state: { get(name: "head"): string }) {
  const lines = HEADS[state.get("head") as keyof typeof HEADS];
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
  yield () => {
    if (parseHead(bytes, 0, bytes.length, head, DEFAULT_BOUNDS) !== bytes.length) throw new Error("not read");
    do_not_optimize(head);
  };
}).args("head", Object.keys(HEADS));

await run({ throw: true });
