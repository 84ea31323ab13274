/**
 * Everything that reads what somebody sent or wrote, given mutations of what it reads: it answers or says no,
 * it does not throw, and what it takes it would write again in the same way. A budget of milliseconds each,
 * more by `FUZZ_MS=60000`; `FUZZ_SEED=n` repeats a run. What broke one stands in CORPUS for ever.
 */
import { describe, expect, test } from "bun:test";
import { pack } from "msgpackr";
import { readKeyLine } from "../../src/access/key-text.ts";
import { isPlain, readToken } from "../../src/access/token-text.ts";
import { Entries } from "../../src/cluster/entries.ts";
import { readEntry, readMessage } from "../../src/cluster/entry.ts";
import { piecesOf } from "../../src/cluster/entry-pieces.ts";
import { readHeartbeat } from "../../src/cluster/heartbeat.ts";
import { LoggedMessage } from "../../src/cluster/logged-message.ts";
import { ReplyGatherer } from "../../src/cluster/resp.ts";
import { patternFault } from "../../src/config/grant/patterns.ts";
import { forwardedFor, nodeAddress } from "../../src/config/server/forwarded.ts";
import { readToml } from "../../src/config/toml.ts";
import { parseDuration, parseSize } from "../../src/config/units.ts";
import { linesOf } from "../../src/publish/batch-reader.ts";
import { Random } from "../../src/verify/random.ts";
import { ByteWriter } from "../../src/wire/byte-writer.ts";
import { parseChannelsPath } from "../../src/wire/channels-path.ts";
import { readJsonFrame, readMsgpackFrame } from "../../src/wire/client-frame.ts";
import { gapField, parseGapField } from "../../src/wire/gap-field.ts";
import { formatHttpDate, parseHttpDate } from "../../src/wire/http-date.ts";
import { formatPosition, parsePosition, parseTag } from "../../src/wire/position.ts";
import { compileTemplate } from "../../src/wire/template.ts";

const BUDGET_MS = Number(process.env["FUZZ_MS"] ?? 250);
const SEED = Number(process.env["FUZZ_SEED"] ?? crypto.getRandomValues(new Uint32Array(1))[0]);

interface Target {
  readonly name: string;
  readonly samples: readonly (string | Uint8Array)[];
  /** Throws where something is wrong. */
  readonly read: (bytes: Buffer) => void;
}

const text =
  (read: (text: string) => void) =>
  (bytes: Buffer): void =>
    read(bytes.toString("latin1"));

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const TARGETS: readonly Target[] = [
  {
    name: "a channels path",
    samples: ["a/b.b5/c", "/news.b100000", "ALL", "a%2Fb", "news*/x", "/".repeat(40)],
    read: text((path) => {
      const read = parseChannelsPath(path, 100);
      if (typeof read === "object") expect(read.names.length).toBeLessThanOrEqual(100);
    }),
  },
  {
    name: "a position",
    samples: ["8z4i41cj12-2", "0-0", "abc-1,2,3", "abc-1.5,2.0", `zz-${"9".repeat(16)}`],
    read: text((token) => {
      const position = parsePosition(token, 100);
      if (position !== null) expect(formatPosition(position)).toBe(token);
    }),
  },
  { name: "a tag", samples: ["W/3", "12", 'W/"4"', '"5"'], read: text(parseTag) },
  {
    name: "a date",
    samples: ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
    read: text((date) => {
      const sec = parseHttpDate(date);
      if (sec !== null && sec >= 0 && sec < 253_402_300_800)
        expect(parseHttpDate(formatHttpDate(sec))).toBe(sec);
    }),
  },
  {
    name: "a template",
    samples: ["~text~", '{"id":~id~,"t":"~text~"}', "~~id~~", "~event-id~~CHANNEL~"],
    read: text((template) => compileTemplate(template)),
  },
  {
    name: "a header of gaps",
    samples: ["ch1=3, ch2=unknown", "a%2Fb=1", "*=unknown"],
    read: text((field) => {
      for (const { channel, missed } of parseGapField(field)) {
        if (channel === null) continue;
        const written = gapField([{ channel: Buffer.from(channel), missed }]);
        expect(parseGapField(written)).toEqual([{ channel, missed }]);
      }
    }),
  },
  {
    name: "a JSON frame",
    samples: [
      '{"kind":"publish","ref":7,"channel":"a","data":"x"}',
      '{"kind":"token","token":"eyJ"}',
      '{"kind":"subscribe","channels":["a"],"positions":[null]}',
    ],
    read: (bytes) => void readJsonFrame(bytes.toString("utf8")),
  },
  {
    name: "a MessagePack frame",
    samples: [
      pack({ kind: "publish", ref: 7, data: Buffer.from("x") }),
      pack({ kind: "token", token: "x" }),
      Buffer.from("df7fffffff", "hex"),
      Buffer.from("ddffffffff91", "hex"),
    ],
    read: (bytes) => void readMsgpackFrame(bytes),
  },
  {
    name: "a batch in NDJSON",
    samples: [
      '{"channel":"a","data":"x"}\n{"channels":["a","b"],"data_base64":"eA==","key":"k"}\n',
      "\n\n{}\n",
      `${"[".repeat(2000)}\n`,
    ],
    read: (bytes) => {
      for (const _line of linesOf(bytes, "json"));
    },
  },
  {
    name: "a batch in MessagePack",
    samples: [
      Buffer.concat([pack({ channel: "a", data: "x" }), pack({ channels: ["a"], data: Buffer.from("y") })]),
      Buffer.from("dd00ffffff", "hex"),
    ],
    read: (bytes) => {
      for (const _line of linesOf(bytes, "msgpack"));
    },
  },
  {
    name: "a token's text",
    samples: ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "a.b.c", '{"sub":"a","sub":"b"}'],
    read: text((token) => {
      readToken(token);
      // Asked of what was parsed as JSON before.
      if (isJson(token)) isPlain(token);
    }),
  },
  {
    name: "a line of a keys file",
    samples: ["ci slk_abc:hash publish=news-*", "# comment", ""],
    read: text(readKeyLine),
  },
  {
    name: "who a proxy names",
    samples: ['for="[2001:db8::1]:80";proto=http', "for=192.0.2.1", "unknown"],
    read: text((entry) => void forwardedFor(entry)),
  },
  {
    name: "an address",
    samples: ["192.0.2.1:80", "[::1]", "::ffff:1.2.3.4", "unix:"],
    read: text((node) => void nodeAddress(node, true)),
  },
  { name: "a pattern of channels", samples: ["news-*", "*", `inbox-\${sub}`], read: text(patternFault) },
  {
    name: "a size, a time",
    samples: ["64MiB", "1h30m", "250ms", "2k"],
    read: text((value) => void [parseSize(value), parseDuration(value)]),
  },
  {
    name: "a configuration in TOML",
    samples: [
      'listen = ["127.0.0.1:0"]\n[[location]]\nmatch = "= /pub"\npublisher = "admin"\n' +
        'channels_path = "$arg_id"\n',
      "[store]\nsize = 5",
      'a = """x',
    ],
    read: (bytes) => void readToml(bytes.toString("utf8"), "fuzz.toml"),
  },
  {
    name: "a heartbeat of a node",
    samples: ["1 node-a 5 2 0.1.0\n", JSON.stringify({ node: "a", connections: 1 })],
    read: (bytes) => void readHeartbeat(bytes),
  },
  {
    name: "an entry of a cluster's log",
    samples: [
      "m 1 2 3 4 5 4 6 sit^~ab node 1\nchannel",
      "d 1 2 3 4 node 5\nchannel",
      "h 1 2 3 4 node",
      "t 5",
    ],
    read: (bytes) => {
      const pieces = piecesOf([Buffer.from("1735689600000-5"), [bytes, Buffer.from("d"), bytes]]);
      if (!readMessage(0, pieces, new LoggedMessage())) readEntry(0, pieces);
    },
  },
  {
    name: "a reply with entries of a cluster's log",
    samples: ["*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$1\r\nm\r\n$1\r\nd\r\n"],
    read: readReply,
  },
];

/** As the reader of the log does with what comes from the engine. */
function readReply(bytes: Buffer): void {
  const replies = new ReplyGatherer();
  try {
    replies.push(bytes);
    const from = replies.next();
    if (from < 0) return;
    const entries = new Entries(replies.bytes, from);
    while (entries.next()) readMessage(0, entries.pieces, new LoggedMessage());
  } catch (error) {
    if (!String(error).includes("the engine's reply is no")) throw error;
  }
}

/** Inputs that broke a reader once. */
const CORPUS: Readonly<Record<string, readonly string[]>> = {};

function mutate(random: Random, samples: readonly Buffer[]): Buffer {
  let bytes = Buffer.from(random.pick(samples));
  for (let times = random.between(1, 6); times > 0; times--) {
    const at = random.between(0, bytes.length);
    switch (random.between(0, 6)) {
      case 0:
        if (at < bytes.length) bytes[at] = random.between(0, 255);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.between(1, 8))]);
        break;
      case 3:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([random.between(0, 255)]),
          bytes.subarray(at),
        ]);
        break;
      case 4: {
        const piece = bytes.subarray(at, at + random.between(1, 12));
        const copies = Array.from({ length: random.between(1, 40) }, () => piece);
        bytes = Buffer.concat([bytes.subarray(0, at), ...copies, bytes.subarray(at)]);
        break;
      }
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(random.pick(WORDS)), bytes.subarray(at)]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), random.pick(samples)]);
    }
  }
  return bytes.subarray(0, 4096);
}

const WORDS = [
  "\0",
  "\r\n",
  "\n",
  '"',
  "\\",
  "%00",
  "%2f",
  "..",
  ",",
  "-",
  "9".repeat(20),
  "-1",
  "1e999",
  "null",
  "{}",
  "[]",
  "\u{1f600}",
  "=",
  "*",
];

describe("readers of what others sent", () => {
  test.each(TARGETS.map((target): [string, Target] => [target.name, target]))(
    "%s",
    (name, { samples, read }) => {
      const random = new Random(SEED);
      const buffers = samples.map((sample) => Buffer.from(sample));
      const all = [...buffers, ...(CORPUS[name] ?? []).map((hex) => Buffer.from(hex, "hex"))];
      for (const bytes of all) read(bytes);
      const endAt = performance.now() + BUDGET_MS;
      for (let count = 0; count % 64 !== 0 || performance.now() < endAt; count++) {
        const bytes = mutate(random, buffers);
        try {
          read(bytes);
        } catch (error) {
          throw new Error(`seed ${SEED}: ${bytes.toString("hex")}: ${String(error)}`, { cause: error });
        }
      }
    },
  );

  test("the writer of bytes grows with what it is given", () => {
    const random = new Random(SEED);
    const writer = new ByteWriter();
    const expected: Buffer[] = [];
    for (let count = 0; count < 200; count++) {
      const piece = Buffer.alloc(random.between(0, 5000), random.between(0, 255));
      writer.pushBytes(piece);
      expected.push(piece);
    }
    expect(Buffer.compare(Buffer.from(writer.view()), Buffer.concat(expected))).toBe(0);
  });
});
