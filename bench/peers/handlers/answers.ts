// What tokens.ts yields, each in a channel of its own.
import type { Handler } from "sluice";

const handler: Handler = ({ answer, query }) => {
  const [count, ms] = [Number(query.get("n")), Number(query.get("ms"))];
  return answer(query.get("ch") ?? "", async function* ({ sleep }) {
    for (let at = 0; at < count; at++) {
      yield "token-of-a-word";
      await sleep(ms);
    }
  });
};
export default handler;
