/** What publishers were told, held against what is there. Part of checker.ts. */
import { type History, type Loss, mayBeLost, type Publish } from "./history.ts";
import type { Place, Places } from "./places.ts";
import { told, type Violation } from "./story.ts";

/**
 * A message that was sent after the answer to another one, by whomever and through whichever worker, stands
 * behind that in their channel.
 */
export function publishOrder({ publishes, losses }: History, places: Places): readonly Violation[] {
  const channels = new Map<string, { publish: Publish; place: Place }[]>();
  for (const publish of publishes) {
    const place = places.lastOf(publish.key);
    // What an engine lost and a node sent again stands where it came the second time.
    if (place === null || publish.outcome !== "accepted" || mayBeLost(publish, losses)) continue;
    const name = `${publish.channel} ${place.life}`;
    const channel = channels.get(name) ?? [];
    channel.push({ publish, place });
    channels.set(name, channel);
  }
  return [...channels.values()].flatMap(orderIn);
}

function orderIn(channel: readonly { publish: Publish; place: Place }[]): Violation[] {
  const found: Violation[] = [];
  /** Of those that stand behind: the one that was answered first. */
  let behind: { publish: Publish; place: Place } | null = null;
  for (const one of channel.toSorted((a, b) => b.place.id - a.place.id)) {
    const { key } = one.publish;
    if (behind !== null && behind.publish.answeredAt < one.publish.sentAt)
      found.push({
        promise: "order",
        sentence: `${key} was sent after the answer to ${behind.publish.key}, and stands before it`,
        story: [told(behind.publish, behind.place), told(one.publish, one.place)],
      });
    if (behind === null || one.publish.answeredAt < behind.publish.answeredAt) behind = one;
  }
  return found;
}

/** What was accepted is somewhere: a reader saw it, or it is stored, or the store had no room for all. */
export function kept(
  { publishes, stored, cuts, keepsAll, losses }: History,
  places: Places,
): readonly Violation[] {
  const last = cuts.at(-1) ?? Number.NEGATIVE_INFINITY;
  const there = new Map(
    [...stored].map(([channel, messages]) => [channel, new Set(messages.map(({ key }) => key))]),
  );
  const found: Violation[] = [];
  for (const publish of publishes) {
    const { channel, key, outcome, sentAt } = publish;
    const keys = there.get(channel);
    if (keys === undefined || sentAt < last) continue;
    if (outcome === "refused" && keys.has(key))
      found.push({
        promise: "honest",
        sentence: `${key} was refused, and is stored`,
        story: [told(publish, places.lastOf(key))],
      });
    if (outcome !== "accepted" || keys.has(key) || !keepsAll || mayBeLost(publish, losses)) continue;
    found.push({
      promise: "kept",
      sentence: `${key} was accepted, and is not stored at the end though there was room`,
      story: [told(publish, places.lastOf(key))],
    });
  }
  return found;
}

/**
 * A node of a cluster waits for a little less than this to have what the engine has taken, and answers then
 * with what it has (docs/reliability.md, what is not promised).
 */
const OWN_READER_MS = 900;

/** What publishers are answered: counts that grow, and statuses that are documented. */
export function honest({ publishes, cuts, losses, isDense }: History): readonly Violation[] {
  const counts = new Map<string, { publish: Publish; count: number }>();
  const found: Violation[] = [];
  for (const publish of publishes.toSorted((one, other) => one.answeredAt - other.answeredAt)) {
    if (publish.outcome !== "accepted") continue;
    // A node that is behind its engine answers with what it has.
    if (!isDense && publish.answeredAt - publish.sentAt > OWN_READER_MS) continue;
    const life = cuts.filter((cut) => cut <= publish.answeredAt).length;
    if (publish.count === null || publish.count < 1) {
      // The engine took it, and lost it before the node answered: there is nothing to count any more.
      if (mayBeLost(publish, losses)) continue;
      found.push({
        promise: "honest",
        sentence: `${publish.key} was answered ${publish.status} without a count of messages`,
        story: [told(publish, null)],
      });
      continue;
    }
    const name = `${publish.publisher} ${publish.channel} ${life}`;
    const before = counts.get(name);
    if (
      before !== undefined &&
      before.count >= publish.count &&
      before.publish.answeredAt <= publish.sentAt &&
      !isLossBetween(before.publish, publish, losses)
    )
      found.push({
        promise: "honest",
        sentence: `${publish.channel} had ${before.count} messages, and ${publish.count} after one more`,
        story: [told(before.publish, null), told(publish, null)],
      });
    counts.set(name, { publish, count: publish.count });
  }
  return found;
}

/**
 * An engine that lost messages counts on from those that it has, once the node that answers has read of it.
 */
const isLossBetween = (before: Publish, publish: Publish, losses: readonly Loss[]): boolean =>
  losses.some(({ from, until }) => before.answeredAt < until + OWN_READER_MS && publish.answeredAt > from);
