/**
 * A guard that looks a session cookie up in SQL, and lets its user stand in the channel of that name.
 *
 *   [[location]]
 *   match = "~ ^/mine/(.*)$"
 *   subscriber = "eventsource"
 *   channels_path = "$1"
 *   authorize = "session.ts"
 *
 * `DATABASE_URL` is postgres://user:password@host/database, mysql://…, or sqlite://path. The table:
 *
 *   CREATE TABLE sessions (id TEXT PRIMARY KEY, username TEXT NOT NULL, expires BIGINT NOT NULL)
 */
import { CookieMap, SQL } from "bun";
import type { Authorize } from "sluice";

// One pool for each worker; five connections are enough for thousands of questions a second.
const sql = new SQL(process.env["DATABASE_URL"] ?? "sqlite://sessions.db", { max: 5 });

interface Session {
  readonly username: string;
  readonly expires: number | bigint | string;
}

export const authorize: Authorize = async ({ headers, channels }) => {
  const id = new CookieMap(headers.get("cookie") ?? "").get("session");
  if (!id) return { status: 401, explain: "sign in first" };
  // A parameter, never a part of the text: the cookie is the client's.
  const found: Session[] = await sql`SELECT username, expires FROM sessions WHERE id = ${id}`;
  const session = found[0];
  const nowSec = Math.floor(Date.now() / 1000);
  if (session === undefined || Number(session.expires) <= nowSec)
    return { status: 401, explain: "the session is over" };
  const { username } = session;
  if (channels.some((channel) => channel !== "all" && channel !== username))
    return { status: 403, explain: "that channel is not yours" };
  // The connection ends with the session.
  return { sub: username, exp: Number(session.expires) };
};
