/**
 * /openapi.json is valid by a validator that is not ours, and says what is there: its paths answer, its
 * statuses come.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { type RunningServer, startServer } from "../binary/running-server.ts";

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { responses: Readonly<Record<string, unknown>> }>>>
  >;
  readonly components: { readonly responses: Readonly<Record<string, { description: string }>> };
}

let server: RunningServer;
let document: Document;
beforeAll(async () => {
  server = await startServer();
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
});
afterAll(() => server.stop());

test("it is valid", async () => {
  const result = await new Validator().validate({ ...document } as Record<string, unknown>);
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
});

test("it has the paths of the embedded configuration", () => {
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining([
      "/pub",
      "/channels-stats",
      "/ev/{channels}",
      "/ws/{channels}",
      "/lp/{channels}",
      "/health/live",
      "/metrics",
    ]),
  );
  expect(Object.keys(document.paths["/pub"] ?? {})).toEqual(
    expect.arrayContaining(["get", "post", "put", "delete"]),
  );
});

test.each([
  ["post", "/pub?id=a", "200"],
  ["post", "/pub?id=", "400"],
  ["get", "/channels-stats", "200"],
  ["get", "/poll/a", "304"],
  ["get", "/health/ready", "200"],
])("%s %s is answered %s, as it says", async (method, path, status) => {
  const answer = await fetch(server.url + path, {
    method: method.toUpperCase(),
    ...(method === "post" ? { body: "x" } : {}),
  });
  expect(String(answer.status)).toBe(status);
  const described = path.replace(/\?.*/, "").replace(/^\/(poll)\/.*/, "/$1/{channels}");
  expect(Object.keys(document.paths[described]?.[method]?.responses ?? {})).toContain(status);
});

test("every refusal's sentence is in it", () => {
  expect(document.components.responses["Refused403"]?.description).toContain(
    "Channel id not authorized for this method.",
  );
});
