/**
 * The words that connections of the fuzz are made of (http1-corpus.ts): for each place in a request the usual
 * ones and the odd ones. Between two words of a list stands a broken bar, which is in none of them.
 */
export type Words = readonly [string, ...string[]];

function list(text: string): Words {
  const [first = "", ...others] = text.split("¦");
  return [first, ...others];
}

export const METHODS = list("GET¦POST¦PUT¦DELETE¦HEAD¦OPTIONS¦PATCH");
export const ODD_METHODS = list(
  "get¦M-SEARCH¦GE T¦GET\t¦¦G@T¦GETT¦QUERY¦X_Y¦\r\nGET¦\r\n\n\r\nGET¦\rGET¦ GET¦POS¦CONNECT¦PRI",
);
export const SPACES = list(" ");
export const ODD_SPACES = list("  ¦\t¦¦ \t¦\x0b¦   ");
export const TARGETS = list("/¦/pub?id=a¦/ev/a.b-c_d~e¦/a%20b¦/x/../y?z=%00");
export const ODD_TARGETS = list(
  "*¦a¦¦http://b/p¦http://b¦http://b?q¦HTTPS://B:81/p?x#y¦http://¦http:///¦http://u@b/¦http://b_c/¦" +
    "http:/b/¦://b/¦h-1+.://b/¦http://[::1]:80/¦b:443¦/a b¦/a\tb¦/a\0b¦/a\x7fb¦/a\x01¦/a\rb¦" +
    '/a\r\nX: y¦/a\nb¦/#f¦/?¦/a?b?c#d¦//¦/a|b\\c"<>^`{}¦http://b c/¦http://b:x/¦http://b..c/¦' +
    "/\xc3\xa4?\xe4¦/../¦/%0¦/%00",
);
export const VERSIONS = list("HTTP/1.1¦HTTP/1.1¦HTTP/1.1¦HTTP/1.1¦HTTP/1.0");
export const ODD_VERSIONS = list(
  "HTTP/1.2¦HTTP/1.9¦HTTP/1.10¦HTTP/2.0¦HTTP/0.9¦http/1.1¦HTTP/1.¦HTTP/1¦HTTP/11¦HTTP/1.1 ¦" +
    "HTTP/1.1  ¦HTTP/1.1\t¦HTTP/1.1 HTTP/1.1¦HTTP/3.1¦HTTP/01.1¦HTTP/1.01¦HTTPS/1.1¦ICE/1.0¦RTSP/1.0¦" +
    "HTTP /1.1¦HTTP/1 .1¦HTTP/1.1x¦",
);
export const ENDS = list("\r\n");
export const ODD_ENDS = list(
  "\n¦\r¦\r\r\n¦\n\r¦\r\n ¦\r\n\t¦ \r\n¦\t\r\n¦\0\r\n¦\r\n\r\n¦\x0b\r\n¦\r\n\r¦\x85\r\n",
);
export const HOSTS = list("a¦b.example:8080¦[::1]:80¦1.2.3.4");
export const ODD_HOSTS = list(
  "¦.¦a..b¦:80¦a/b¦a b¦u@b¦a:x¦a:80:90¦[::1¦[]¦a]¦\xe4¦a\0¦a\tb¦\ta¦a\t¦a,b¦a?b¦a#b¦a_b¦a.¦a\\b¦" +
    "a\x7f¦<a>¦a%20b",
);
export const FIELDS = list(
  "Accept: */*¦User-Agent: x/1 (a; b)¦X-A: b¦Cookie: a=b; c=d¦Connection: keep-alive¦" +
    "Expect: 100-continue¦Upgrade: websocket¦Connection: Upgrade, keep-alive¦X-Empty:¦x:y¦" +
    "Content-Type: text/plain; charset=utf-8¦X-High: \xe4\xff",
);
export const ODD_FIELDS = list(
  "Connection: close¦connection: x, Close¦Connection: close,¦Connection: keep-alive, close¦" +
    "Connection: closed¦X_A: b¦X.B: c¦X!: d¦X@Y: e¦X(Y): e¦X\xe4: e¦X : a¦X\t: a¦ X: a¦\tX: a¦: a¦X¦" +
    "X: a\r\n b¦X: a\r\n\tb¦X: a\rb¦X: a\nb¦X: a\nY: b¦X: a\0b¦X\0: a¦X: \x01¦X: a\x7f¦X:\ta\t¦" +
    "X\r: a¦X\r\n: a¦X:\r\n a¦Host: c¦host : a¦Range: a\r\nRange: b¦" +
    "If-None-Match: a\r\nIf-None-Match: b¦Content-Length: 3¦Transfer-Encoding: chunked¦Trailer: X¦" +
    "Keep-Alive: 5¦HTTP/1.1 200 OK¦Content_Length: 5¦Transfer_Encoding: chunked¦Expect: 200-ok¦" +
    "Proxy-Connection: close¦Upgrade: h2c",
);
export const LENGTH_NAMES = list("Content-Length: ¦content-length:¦CONTENT-LENGTH:  ");
export const ODD_LENGTH_NAMES = list(
  "Content-Length:\t¦Content-Length : ¦Content-Length:\x0b¦Content-Length¦Content Length: ¦" +
    "Content-Length:\r\n ¦Content-Length: +¦Content-Length: -¦Content-Length: 0x¦Content-Length: 00¦" +
    "Content-Length: 1,¦Content-Length: 1844674407370955161",
);
export const LENGTH_ENDS = list("");
export const ODD_LENGTH_ENDS = list(
  " ¦\t¦,¦, 3¦ 3¦;¦a¦.0¦\0¦\x0b¦\r\nContent-Length: 3¦\r\nTransfer-Encoding: chunked¦e1¦\xa0",
);
export const CODING_NAMES = list("Transfer-Encoding: ¦transfer-encoding:");
export const ODD_CODING_NAMES = list(
  "Transfer-Encoding:\t¦Transfer-Encoding : ¦Transfer-Encoding:\x0b¦Transfer-Encoding:\r\n ¦" +
    "Transfer_Encoding: ¦Transfer-Encoding: x\r\nTransfer-Encoding: ¦X: y\rTransfer-Encoding: ¦" +
    "X: y\nTransfer-Encoding: ¦Transfer-Encoding\0: ¦TE: ",
);
export const CODINGS = list("chunked¦chunked¦Chunked¦chunked ");
export const ODD_CODINGS = list(
  "xchunked¦chunkedx¦identity¦chunked, identity¦identity, chunked¦gzip, chunked¦chunked, chunked¦" +
    'chunked,¦,chunked¦¦chunked\t¦"chunked"¦chunked;q=1¦chun\0ked¦chunked\r\nContent-Length: 3¦' +
    "chunked\r\nTransfer-Encoding: chunked¦chunked\xa0",
);
export const SIZE_ENDS = list("\r\n¦\r\n¦\r\n¦;a=b\r\n");
export const ODD_SIZE_ENDS = list(
  '\n¦\r¦\r\r\n¦ \r\n¦\t\r\n¦ ;a\r\n¦ x\r\n¦;\r\n¦;a="b"\r\n¦;a\nb\r\n¦;a\rb\r\n¦;\0\r\n¦' +
    ';a;b\r\n¦; a = b\r\n¦x\r\n¦,\r\n¦;a\n¦\n\r\n¦\0\r\n¦;\xe4\r\n¦;a="\r\n',
);
export const SIZE_STARTS = list("");
export const ODD_SIZE_STARTS = list(
  "0¦00000000¦00000000000000000000¦0x¦+¦-¦ ¦\t¦\r\n¦\n¦1000000000000000¦F¦g¦_",
);
export const DATA_ENDS = list("\r\n");
export const ODD_DATA_ENDS = list("\n¦¦\r¦x\r\n¦ \r\n¦\r\n\r\n¦\r\r\n¦\n\r\n");
export const TRAILERS = list("¦¦¦X: y\r\n¦X: y\r\nZ:\r\n");
export const ODD_TRAILERS = list(
  "X : y\r\n¦ X: y\r\n¦X\r\n¦: y\r\n¦X: y\n¦X: \0\r\n¦X: \x01\r\n¦X: a\rb\r\n¦X: y\r\n z\r\n¦" +
    "Content-Length: 5\r\n¦X@: y\r\n¦\r¦X: y\r\r\n¦Transfer-Encoding: x\r\n¦Connection: close\r\n",
);
export const NOISE = list("\r¦\n¦\r\n¦ ¦\t¦\0¦:¦;¦,¦0¦a¦\x7f¦\x80¦\xff¦/¦\x0b¦-¦_¦\r\n\r\n");
