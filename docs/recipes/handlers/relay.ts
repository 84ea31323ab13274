/**
 * The token stream of a language model behind an HTTP interface, as an answer that survives a reload: the
 * backend is asked once, and is let go when nobody wants its answer any more.
 *
 *   [[location]]
 *   match = "~ ^/ask/(?<id>[\\w-]{8,40})$"
 *   handler = "relay.ts"
 *   answer_linger = "2m"
 *   handler_timeout = "10s"
 *
 * `MODEL_URL` takes a POST of `{ model, stream: true, messages }`, and answers with server-sent events as
 * most of them do.
 */
import type { Handler, TaskContext } from "sluice";

const URL = process.env["MODEL_URL"] ?? "http://127.0.0.1:11434/v1/chat/completions";
const KEY = process.env["MODEL_KEY"];

const handler: Handler = async ({ answer, params, method, request }) => {
  const channel = `ask-${params["id"]}`;
  if (method !== "POST") return answer(channel);
  const question = await request.text();
  return answer(channel, (context) => tokens(question, context));
};
export default handler;

async function* tokens(question: string, { signal }: TaskContext) {
  const response = await fetch(URL, {
    method: "POST",
    signal,
    headers: { "Content-Type": "application/json", ...(KEY ? { Authorization: `Bearer ${KEY}` } : {}) },
    body: JSON.stringify({ model: "default", stream: true, messages: [{ role: "user", content: question }] }),
  });
  if (!response.ok || response.body === null) throw new Error(`the model answered ${response.status}`);
  for await (const line of linesOf(response.body)) {
    if (!line.startsWith("data:")) continue;
    const data = line.slice("data:".length).trim();
    if (data === "[DONE]") return;
    const { choices } = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] };
    const token = choices?.[0]?.delta?.content;
    if (token) yield token;
  }
  // Without its last line it was cut off, which is not its end.
  throw new Error("the model broke off");
}

const MOST_LETTERS = 1_000_000;

async function* linesOf(stream: ReadableStream<Uint8Array>) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MOST_LETTERS) throw new Error("the model sends a line without end");
    yield* lines;
  }
  yield rest;
}
