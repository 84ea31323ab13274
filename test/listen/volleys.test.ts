/**
 * The same bytes to many sockets by the kernel's ring: who is slow, who has left, and who is written to
 * meanwhile. Where there is no ring the same is sent one by one, and all but the first must hold.
 */
import { afterAll, expect, test } from "bun:test";
import { volley } from "../../src/http/volley.ts";
import { openRing, RING_BYTES, RING_ENTRIES } from "../../src/listen/wire/kernel-ring.ts";
import { SharedPiece } from "../../src/listen/wire/shared-piece.ts";
import { volleys } from "../../src/listen/wire/volleys.ts";
import { type Line, openLines, readOn } from "./outlet-fixture.ts";

volleys.begin();
const ring = openRing();
const COUNT = 20;
const EBADF = -9;
const { lines, close } = await openLines(COUNT);
afterAll(close);

const at = (i: number): Line => {
  const line = lines[i];
  if (line === undefined) throw new Error("no such line");
  return line;
};
/** Of all that comes from now on, so much. */
const read = (line: Line, bytes: number): Promise<Buffer> => readOn(line, bytes);

test.skipIf(ring === null)("the ring says of each what it took, over many turns around it", async () => {
  if (ring === null) return;
  const { lines: own, close: end } = await openLines(3);
  const reading = own.map((line) => readOn(line, 4 * 500));
  for (let turn = 0; turn < 500; turn++) {
    ring.bytes.set(Buffer.from(String(turn).padStart(4, "0")), 8);
    own.forEach((line, i) => {
      ring.descriptors[i] = line.outlet.descriptor;
    });
    ring.descriptors[3] = -1;
    ring.offsets.fill(8);
    ring.lengths.fill(4);
    ring.send(4);
    expect([...ring.taken.subarray(0, 4)]).toEqual([4, 4, 4, EBADF]);
  }
  const whole = Array.from({ length: 500 }, (_, turn) => String(turn).padStart(4, "0")).join("");
  for (const got of await Promise.all(reading)) expect(got.toString()).toBe(whole);
  expect(ring.isBroken).toBeFalse();
  end();
});

test.each(["kills", "yes"])(
  "where a filter of system calls %s, the kernel is not asked for a ring",
  (word) => {
    process.env["SLUICE_SYSCALL_FILTER"] = word;
    expect(openRing()).toBeNull();
    delete process.env["SLUICE_SYSCALL_FILTER"];
  },
);

test("who is slow keeps the rest, all together one copy, and has it once there is room", async () => {
  const bytes = Buffer.alloc(RING_BYTES, "abcdefg");
  let rounds = 0;
  let slow = 0;
  for (; slow === 0; rounds++) {
    const piece = new SharedPiece();
    volley.open();
    for (const { outlet } of lines) outlet.push(bytes, 0, bytes.length, piece);
    slow = volley.fire() || lines.filter(({ outlet }) => outlet.isStalled).length;
  }
  expect(slow).toBeGreaterThan(0);
  const all = await Promise.all(lines.map((line) => read(line, rounds * bytes.length)));
  const whole = Buffer.concat(Array.from({ length: rounds }, () => bytes));
  for (const got of all) expect(got.equals(whole)).toBeTrue();
  for (const { outlet } of lines) expect(outlet.isStalled).toBeFalse();
});

test("what one is told meanwhile comes behind, and a second piece behind the first", async () => {
  const got = Promise.all([0, 1].map((i) => read(at(i), 9)));
  volley.open();
  const [first, second] = [new SharedPiece(), new SharedPiece()];
  for (const i of [0, 1]) at(i).outlet.push(Buffer.from("one"), 0, 3, first);
  at(0).outlet.push(Buffer.from("own"));
  for (const i of [0, 1]) at(i).outlet.push(Buffer.from("two"), 0, 3, second);
  expect(volley.fire()).toBe(0);
  at(1).outlet.push(Buffer.from("own"));
  expect((await got).map(String)).toEqual(["oneowntwo", "onetwoown"]);
});

test("what each is given for itself goes to nobody else", async () => {
  const own = (i: number): Buffer => Buffer.alloc(20_000 + i, i + 1);
  const some = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
  const got = some.map((i) => read(at(i), own(i).length));
  volley.open();
  for (const i of some) at(i).outlet.push(own(i));
  expect(volley.fire()).toBe(0);
  for (const [n, bytes] of (await Promise.all(got)).entries())
    expect(bytes.equals(own(some[n] ?? 0))).toBeTrue();
});

test("more than the ring has room for are all served", async () => {
  const { lines: many, close: end } = await openLines(RING_ENTRIES + 2);
  const got = many.map((line) => readOn(line, 5));
  const piece = new SharedPiece();
  volley.open();
  for (const { outlet } of many) outlet.push(Buffer.from("hello"), 0, 5, piece);
  expect(volley.fire()).toBe(0);
  for (const text of await Promise.all(got)) expect(text.toString()).toBe("hello");
  end();
});

test("who was closed in between is not written to, nor who has its number now", async () => {
  const piece = new SharedPiece();
  const left = at(2);
  volley.open();
  for (const i of [2, 3]) at(i).outlet.push(Buffer.from("bye"), 0, 3, piece);
  left.outlet.cutOff();
  const other = read(at(3), 3);
  expect(volley.fire()).toBe(0);
  expect((await other).toString()).toBe("bye");
  expect(left.outlet.isStalled).toBeFalse();
});
