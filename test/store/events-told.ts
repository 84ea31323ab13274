/** Reading the events channel, for tests: what was told, and whether it can have been so. */
import { expect } from "bun:test";
import type { Store } from "../../src/store/store.ts";
import { dataOf, readOn, text } from "./fixture.ts";

/** What was told, as "created a": the event's name without its first word. Checks each message's form. */
export function told(store: Store, after = 0): string[] {
  const index = store.eventsChannel;
  const events: string[] = [];
  readOn(store, index, store.incarnation(index), after, (message) => {
    const body = dataOf(message);
    const { type, channel } = JSON.parse(body);
    expect(body).toBe(`{"type": "${type}", "channel": ${JSON.stringify(channel)}}`);
    expect(text(message.bytes.subarray(0, message.eventTypeLength))).toBe(type);
    expect(message.eventIdLength).toBe(-1);
    return events.push(`${type.replace(/^[a-z]+_/, "")} ${channel}`) > 0;
  });
  return events;
}

/**
 * The first event that cannot be where it is; null = all can. Two lives of a name overlap while the older is
 * in delete.
 */
export function impossibleIn(events: readonly string[]): string | null {
  const lives = new Map<string, { made: number; standing: number }>();
  for (const [place, event] of events.entries()) {
    const [what, name = ""] = event.split(" ");
    const life = lives.get(name) ?? { made: 0, standing: 0 };
    lives.set(name, life);
    if (what === "created") life.made++;
    else if (what === "subscribed") life.standing++;
    else if (what === "unsubscribed") life.standing--;
    else life.made--;
    if (life.made < 0 || life.standing < 0 || (life.made === 0 && life.standing > 0))
      return `${place}: ${event}`;
  }
  return null;
}
