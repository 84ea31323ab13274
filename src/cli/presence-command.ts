/** `sluice presence` as the command line has it (docs/presence.md). Called by program.ts. */
import type { Command } from "commander";
import { examples } from "./help-text.ts";
import { answerTimeoutOption, tokenFileOption, urlOption } from "./option-types.ts";
import type { PresenceOptions } from "./presence.ts";

type Done = (exitCode: number) => void;

export function addPresence(program: Command, done: Done): void {
  const presence = program
    .command("presence")
    .description("show who is in a channel")
    .argument("<channel>", "the channel")
    .addOption(urlOption())
    .addOption(tokenFileOption())
    .addOption(answerTimeoutOption())
    .option(
      "--json",
      "print the server's JSON on one line; with --watch, one object for each who comes or goes",
    )
    .option("--watch", "go on: a line for each who comes or goes, until Ctrl-C")
    .action(async (channel: string, options: PresenceOptions) =>
      done(await (await import("./presence.ts")).presenceCommand(channel, options)),
    );
  examples(presence, [
    ["sluice presence chat", "a table of members"],
    ["sluice presence chat --json | jq '.members[].sub'", ""],
    ["sluice presence chat --watch", ""],
  ]);
}
