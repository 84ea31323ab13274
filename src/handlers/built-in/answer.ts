/**
 * `handler = "sluice:answer"`: a made-up language model that talks of push servers for some seven seconds, a
 * token at a time. The example "An answer that survives a reload". The address names the answer: whoever asks
 * for the same one watches the same one.
 */
import type { Context, TaskContext } from "sluice";

const TEXT = [
  "You asked something, and this is the answer: it is made one token at a time, by a handler that knows " +
    "nothing and takes its time.",
  "Reload the page now. The handler does not notice, because it does not talk to your page: it talks to a " +
    "channel.",
  "Your page reads the channel, from the place where it stopped, on whichever worker it meets.",
  "Open the address in a second tab, and both watch one answer. Close both, and it goes on for half a " +
    "minute, in case you come back.",
].join("\n");
const TOKEN_MS = 70;
/** Part of the channel's name. */
const NAME = /^[\w-]{1,40}$/;

export default function answer(context: Context) {
  const name = context.params["1"] ?? "";
  if (!NAME.test(name))
    return new Response("an answer's name has 1 to 40 letters and digits\n", { status: 400 });
  return context.answer(`example-answer-${name}`, tokens);
}

async function* tokens({ sleep }: TaskContext) {
  // A word with the blank before it, as language models have it.
  for (const token of TEXT.match(/\s*\S+/g) ?? []) {
    yield token;
    await sleep(TOKEN_MS);
  }
}
