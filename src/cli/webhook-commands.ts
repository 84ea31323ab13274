/**
 * `sluice webhook …` as the command line has it: who is told of what happens (docs/webhooks.md). Called by
 * program.ts.
 */
import type { Command } from "commander";
import { DEFAULT_URL } from "./client/endpoint.ts";
import { examples } from "./help-text.ts";
import type { WebhookStatusOptions, WebhookTestOptions } from "./webhook.ts";

type Done = (exitCode: number) => void;

export function addWebhookCommands(program: Command, done: Done): void {
  const webhook = program.command("webhook").description("who is told of what happens, by signed requests");
  const test = webhook
    .command("test")
    .description("send a signed batch with one event `test`, and show what the receiver answers")
    .argument("<name>", "name of the webhook")
    .requiredOption("-c, --config <file>", "a configuration with [[webhook]]")
    .option("--json", "print one JSON object")
    .action(async (name: string, options: WebhookTestOptions) =>
      done(await (await import("./webhook.ts")).webhookTestCommand(name, options)),
    );
  examples(test, [
    ["sluice webhook test backend --config sluice.toml", "exit code 1 when it did not answer 2xx in time"],
  ]);
  const status = webhook
    .command("status")
    .description("how a running server's webhooks stand: sent, failed, what waits and for how long")
    .option("-u, --url <url>", "the server", DEFAULT_URL)
    .option("--json", "one JSON object a line")
    .action(async (options: WebhookStatusOptions) =>
      done(await (await import("./webhook.ts")).webhookStatusCommand(options)),
    );
  examples(status, [["sluice webhook status", "exit code 1 when one of them fails"]]);
}
