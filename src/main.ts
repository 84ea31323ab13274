/**
 * Process entry: argv → a command in cli/. The same executable is main, worker and client.
 */
import { runCommandLine } from "./cli/entry.ts";
import { endInOneLine } from "./cli/last-words.ts";

// The exit is not left to the event loop: a kept-alive socket of the HTTP client would hold the process for
// seconds. A worker takes `process.exit` away from handlers: this one is looked up before.
const { exit } = process;
endInOneLine(exit);
exit(await runCommandLine(process.argv.slice(2)));
