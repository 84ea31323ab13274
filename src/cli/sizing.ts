/**
 * `sluice check --sizing`: how large a store so many messages want, and what subscribers take beside it.
 * Called by config-commands.ts. Arithmetic over the drawing in store/memory/layout.ts, as `sluice check` of a
 * file does it.
 */
import { takenBytes } from "../config/checks/store-checks.ts";
import { parseSize } from "../config/units.ts";
import { ExitCode, usageFault } from "./failure.ts";
import { writeOut } from "./output.ts";

export interface SizingOptions {
  readonly channels: number;
  /** Stored in each. */
  readonly messages: number;
  /** Of a message, as a size: `2k`. */
  readonly bytes: string;
  readonly subscribers: number;
  readonly workers: number;
}

const BLOCK = 256;
/** Bytes of a message in its first block, and in each further one (docs/operations.md). */
const [FIRST, FURTHER] = [168, 244];
/** Names up to this long take one block. */
const NAME_BLOCKS = 1;
/** So that eviction is for surprises. */
const SPARE = 1.15;
const MIB = 2 ** 20;
/** Measured: kB of a worker's memory for one that stands still (bench/README.md, row 5). */
const KINDS = [
  ["event streams, streams", 4.2],
  ["long polls", 3.2],
  ["WebSockets", 2.8],
] as const;

export function sizingCommand({ channels, messages, bytes, subscribers, workers }: SizingOptions): number {
  const size = parseSize(bytes);
  if (size === null || size < 1) throw usageFault(`--bytes wants a size, as 200 or 2k: ${bytes}`);
  const blocksEach = size <= FIRST ? 1 : 1 + Math.ceil((size - FIRST) / FURTHER);
  const blocks = channels * (messages * blocksEach + NAME_BLOCKS);
  const records = Math.ceil(channels * 1.25);
  const store = storeSize(blocks, records, workers);
  const number = (value: number): string => value.toLocaleString("en-US");
  const lines = [
    `${number(channels)} channels with ${number(messages)} messages of ${number(size)} bytes each: ` +
      `${number(blocks)} blocks, a store of ${number(store / MIB)} MiB`,
    `${number(subscribers)} subscribers beside it, over all workers:`,
    ...KINDS.map(
      ([kind, kilobytes]) =>
        `  ${kind.padEnd(24)} about ${number(Math.ceil((subscribers * kilobytes) / 1024))} MiB`,
    ),
    "",
    "[store]",
    `size = "${store / MIB}MiB"`,
    `channels = ${records}`,
    `max_messages_stored_per_channel = ${messages}`,
  ];
  writeOut(`${lines.join("\n")}\n`);
  return ExitCode.OK;
}

/** Whole MiB, with room to spare; what the ring and the tables take depends on the size itself. */
export function storeSize(blocks: number, records: number, workers: number): number {
  const need = blocks * BLOCK * SPARE;
  let size = Math.ceil(need / MIB) * MIB;
  for (let round = 0; round < 8; round++) {
    const taken = takenBytes({
      workers,
      "store.size": size,
      "store.block_size": BLOCK,
      "store.channels": records,
      "store.ring_size": 0,
      "store.idempotency_keys": 0,
    });
    const next = Math.ceil((need + taken) / MIB) * MIB;
    if (next <= size) break;
    size = next;
  }
  return size;
}
