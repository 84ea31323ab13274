/** Pages of nginx's core, and what `return` answers. */
import { describe, expect, test } from "bun:test";
import { errorPage } from "../../src/front/error-page.ts";
import { pathUrl, urlValue } from "../../src/front/field-value.ts";
import { returnedAnswer } from "../../src/front/returned.ts";

const page = (title: string): string =>
  `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n` +
  "<hr><center>sluice</center>\r\n</body>\r\n</html>\r\n";

describe("error pages", () => {
  test.each([
    [401, "401 Authorization Required", null],
    [403, "403 Forbidden", null],
    [404, "404 Not Found", null],
    [405, "405 Not Allowed", null],
    [400, "400 Bad Request", "close"],
    [413, "413 Request Entity Too Large", "close"],
    [500, "500 Internal Server Error", "close"],
    [503, "503 Service Temporarily Unavailable", null],
  ] as const)("%p", async (status, title, connection) => {
    const answer = errorPage(status, { "X-More": "1" });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("text/html");
    expect(answer.headers.get("connection")).toBe(connection);
    expect(answer.headers.get("x-more")).toBe("1");
    expect(answer.headers.get("content-length")).toBe(String(page(title).length));
    expect(await answer.text()).toBe(page(title));
  });

  test("a status nginx has no page for", async () => {
    const answer = errorPage(418);
    expect(answer.status).toBe(418);
    expect(answer.headers.get("content-type")).toBeNull();
    expect(answer.headers.get("content-length")).toBe("0");
    expect(await answer.text()).toBe("");
  });
});

describe("return", () => {
  const ORIGIN = "http://example.org:9080";
  test.each([
    // status, text; status, Location, Content-Type, body
    [403, null, 403, null, "text/html", page("403 Forbidden")],
    [403, "", 403, null, "text/html", page("403 Forbidden")],
    [403, "no", 403, null, "text/plain", "no"],
    [200, "a text", 200, null, "text/plain", "a text"],
    [200, "", 200, null, "text/plain", ""],
    [200, null, 200, null, "text/plain", ""],
    [200, "\xc3\xa9\xff", 200, null, "text/plain", "\xc3\xa9\xff"],
    [204, null, 204, null, null, ""],
    [204, "text", 204, null, null, ""],
    [304, null, 304, null, null, ""],
    [418, null, 418, null, null, ""],
    [444, null, 400, null, null, ""],
    [999, null, 500, null, "text/html", page("500 Internal Server Error")],
    [101, "x", 500, null, "text/html", page("500 Internal Server Error")],
    [301, "https://a.b/c?d=e%20f", 301, "https://a.b/c?d=e%20f", "text/html", page("301 Moved Permanently")],
    [302, "/x", 302, `${ORIGIN}/x`, "text/html", page("302 Found")],
    [303, "/x", 303, `${ORIGIN}/x`, "text/html", page("303 See Other")],
    [307, "x", 307, "x", "text/html", page("307 Temporary Redirect")],
    [308, "http://h", 308, "http://h", "text/html", page("308 Permanent Redirect")],
    [302, null, 302, null, "text/html", page("302 Found")],
    // $uri is decoded: its CR and LF must not begin a header.
    [302, "/x\r\nSet-Cookie: a=b", 302, `${ORIGIN}/x%0D%0ASet-Cookie:%20a=b`, "text/html", page("302 Found")],
    [302, "/\xc3\xa9\x00\x7f<>", 302, `${ORIGIN}/%C3%A9%00%7F%3C%3E`, "text/html", page("302 Found")],
  ] as const)("%p %p", async (status, text, expected, location, type, body) => {
    const answer = returnedAnswer(status, text, "text/plain", ORIGIN);
    expect(answer.status).toBe(expected);
    expect(answer.headers.get("location")).toBe(location);
    expect(answer.headers.get("content-type")).toBe(type);
    expect(answer.headers.get("server")).toBe("sluice");
    expect(Buffer.from(await answer.arrayBuffer()).toString("latin1")).toBe(body);
  });

  test("without an origin a relative URL stays one", () => {
    expect(returnedAnswer(301, "/a", "text/plain").headers.get("location")).toBe("/a");
  });

  test("444 ends the connection", () => {
    expect(returnedAnswer(444, null, "text/plain").headers.get("connection")).toBe("close");
  });
});

test("URLs: what is escaped stays, a path is escaped anew", () => {
  expect(urlValue('/a%20b c"€')).toBe("/a%20b%20c%22%E2%82%AC");
  expect(pathUrl("/a%20b?c#d\xff")).toBe("/a%2520b%3Fc%23d%FF");
});
