/**
 * `sluice top` and `sluice verify`, commands for who runs a server, as commander knows them. Part of
 * program.ts.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { examples } from "./help-text.ts";
import { answerTimeoutOption, collect, tokenFileOption, urlOption } from "./option-types.ts";
import type { TopOptions } from "./top.ts";
import type { VerifyOptions } from "./verify.ts";

export function addTop(program: Command, done: (exitCode: number) => void): void {
  const top = program
    .command("top")
    .description("the console in a terminal: rates, connections, the largest channels")
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .option("--path <path>", "path of the location with `console`", "/console/")
    .addOption(answerTimeoutOption())
    .option("--once", "one sample, then exit")
    .option("--json", "one JSON object a sample")
    .action(async (options: TopOptions) => done(await (await import("./top.ts")).topCommand(options)));
  examples(top, [
    ["sluice top", "until Ctrl-C"],
    ["sluice top --once --json | jq .delivered", "for scripts"],
  ]);
}

export function addVerify(program: Command, done: (exitCode: number) => void): void {
  const verify = program
    .command("verify")
    .description("hold a server against its promises: publishers, readers on every transport, faults")
    .option("-u, --url <url>", "a server that runs; without it one of our own is started, and treated badly")
    .option(
      "-H, --header <field>",
      "a field of every request, as `Authorization: Bearer …`; repeatable",
      collect,
    )
    .option("--minutes <n>", "how long; every fault comes at least once", positive, 2)
    .option("--seed <n>", "the numbers that everything random is drawn from; a report names its own", whole)
    .option("--rate <n>", "messages a second", positive, 200)
    .option("--fault <name>", "only this one; repeatable", collect)
    .option("--other <file>", "another binary, for upgrades there and back")
    .option("-w, --workers <n>", "worker processes of our own server", workers, 2)
    .addOption(
      new Option("--listener <kind>", "of our own server").choices(["native", "wire"]).default("native"),
    )
    .option(
      "--cluster",
      "two nodes and a redis-server of our own, whose faults come as well; with --url: the server is " +
        "such a node",
    )
    .option("--json", "print the report as one JSON object")
    .action(async (options: VerifyOptions) =>
      done(await (await import("./verify.ts")).verifyCommand(options)),
    );
  examples(verify, [
    ["sluice verify", "two minutes on a server of its own, with every fault"],
    ["sluice verify --url http://127.0.0.1:8080", "only load: nothing is stopped or killed"],
    ["sluice verify --fault worker-kill --minutes 10", ""],
    ["sluice verify --cluster", "two nodes over an engine that is killed, emptied, replaced"],
    ["sluice verify --seed 42 --json", "the same run again, for a script"],
  ]);
}

function positive(text: string): number {
  const value = Number(text);
  if (text !== "" && value > 0 && value <= 100_000) return value;
  throw new InvalidArgumentError("It wants a number above 0, and at most 100,000.");
}

/** As many as the configuration takes (config/options/process.ts). */
const MAX_WORKERS = 256;

function workers(text: string): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= 1 && value <= MAX_WORKERS) return value;
  throw new InvalidArgumentError(`It wants a whole number from 1 to ${MAX_WORKERS}.`);
}

function whole(text: string): number {
  const value = Number(text);
  if (/^[0-9]{1,10}$/.test(text) && value < 2 ** 32) return value;
  throw new InvalidArgumentError("It wants a whole number.");
}
