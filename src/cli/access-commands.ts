/**
 * `sluice key …` and `sluice token …` as the command line has them: who may do what (docs/access.md). Called
 * by program.ts.
 */
import type { Command } from "commander";
import { examples } from "./help-text.ts";
import type { KeyAddOptions, KeyFileOptions } from "./key.ts";
import type { TokenCheckOptions, TokenMakeOptions } from "./token.ts";

type Done = (exitCode: number) => void;

export function addAccessCommands(program: Command, done: Done): void {
  const key = program.command("key").description("keys of programs that publish or subscribe");
  addKeyAdd(key, done);
  addKeyList(key, done);
  addKeyRevoke(key, done);
  const token = program
    .command("token")
    .description("signed tokens, for tests and to see what is wrong with one");
  addTokenMake(token, done);
  addTokenCheck(token, done);
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

const fileOptions = (command: Command): Command =>
  command
    .option("-f, --file <file>", "the file of keys")
    .option("-c, --config <file>", "a configuration that names it in publisher_keys_file");

function addKeyAdd(key: Command, done: Done): void {
  const add = fileOptions(
    key
      .command("add")
      .description("make a key, print it once, and write its hash into the file")
      .argument("<name>", "whose key it is: what logs call it"),
  )
    .option("--publish <pattern>", "channels it may publish to: exact names, prefix*, *; repeatable", collect)
    .option("--subscribe <pattern>", "channels it may subscribe to; repeatable", collect)
    .action(async (name: string, options: KeyAddOptions) =>
      done((await import("./key.ts")).keyAddCommand(name, options)),
    );
  examples(add, [
    [
      "sluice key add backend --file /etc/sluice/keys --publish 'news-*'",
      "the server sees it within a second",
    ],
    [
      "sluice key add backend --config sluice.toml --publish '*'",
      "a second key of the same name: take the first out later",
    ],
  ]);
}

function addKeyList(key: Command, done: Done): void {
  const list = fileOptions(key.command("list").description("list names, ids and channels of the keys"))
    .option("--json", "one JSON object a line")
    .action(async (options: KeyFileOptions & { json?: boolean }) =>
      done((await import("./key.ts")).keyListCommand(options)),
    );
  examples(list, [["sluice key list --file /etc/sluice/keys", "no key can be had from what is in the file"]]);
}

function addKeyRevoke(key: Command, done: Done): void {
  const revoke = fileOptions(
    key
      .command("revoke")
      .description("take keys out of the file")
      .argument("<name>", "all keys of this name, or the one with this id"),
  ).action(async (name: string, options: KeyFileOptions) =>
    done((await import("./key.ts")).keyRevokeCommand(name, options)),
  );
  examples(revoke, [
    ["sluice key revoke backend --file /etc/sluice/keys", "within a second it opens nothing"],
  ]);
}

function addTokenMake(token: Command, done: Done): void {
  const make = token
    .command("make")
    .description("sign a token of an issuer of the configuration")
    .requiredOption("-c, --config <file>", "a configuration with [[issuer]]")
    .option("-i, --issuer <name>", "which of them; needed where there are several")
    .option("--sub <name>", "whom it is for")
    .option("--subscribe <pattern>", "channels it may subscribe to; repeatable", collect)
    .option("--publish <pattern>", "channels it may publish to; repeatable", collect)
    .option("--for <time>", "how long it is good", "1h")
    .option("--jti <id>", "an id, by which it can be taken back alone")
    .option("--kid <id>", "name of the key in the key set")
    .option("--key <file>", "the private key (PEM, or a JSON Web Key), where the issuer has a public one")
    .action(async (options: TokenMakeOptions) =>
      done(await (await import("./token.ts")).tokenMakeCommand(options)),
    );
  examples(make, [
    ["sluice token make --config sluice.toml --sub alice --subscribe 'news-*' --for 10m", ""],
    ["sluice token make --config sluice.toml --issuer app --key app.key --publish '*'", ""],
  ]);
}

function addTokenCheck(token: Command, done: Done): void {
  const check = token
    .command("check")
    .description("say what a token grants with a configuration, or why not")
    .argument(
      "<token>",
      "the token; - takes it from standard input, where nobody sees it in a list of processes",
    )
    .requiredOption("-c, --config <file>", "a configuration with [[issuer]]")
    .option("--channel <name>", "say whether it may subscribe and publish there; repeatable", collect)
    .action(async (text: string, options: TokenCheckOptions) =>
      done(await (await import("./token.ts")).tokenCheckCommand(text, options)),
    );
  examples(check, [
    [
      "sluice token check - --config sluice.toml --channel news-1 < token",
      "exit code 1 when it is not good, or not for that",
    ],
  ]);
}
