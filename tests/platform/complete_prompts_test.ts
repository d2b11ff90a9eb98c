import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { createLogger } from "../../src/common/log.ts";
import { readEventsTable } from "../../src/platform/activity.ts";
import { completePrompts } from "../../src/platform/complete_prompts.ts";
import type { Sources } from "../../src/platform/gather.ts";
import { Environment } from "../../src/common/env.ts";
import { FakePrometheus, faults, success } from "../support/fake_prometheus.ts";
import { clustersAt } from "../support/kubernetes/fake_apiserver.ts";
import { permitted } from "../support/permitted.ts";
import { postgresAvailable } from "../support/postgres.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { createDatabase } from "../support/test_database.ts";
import { callTool } from "../support/tools.ts";

const events = readEventsTable(new Environment({ get: () => undefined, readFile: () => "" }));
const sources = (more: Partial<Sources>): Sources => ({
  clusters: undefined,
  prometheus: undefined,
  database: undefined,
  log: createLogger("off"),
  ...more,
});

async function completed(given: Sources, argument: string, value: string): Promise<unknown> {
  const { structured } = await callTool(completePrompts(given), { prompt: "p", argument, value, known: {} });
  return structured.values;
}

/** A Prometheus that knows these jobs. */
const knowing = (jobs: readonly string[]) =>
  new FakePrometheus({
    play: ({ path }) => path.endsWith("/label/job/values") ? success(jobs) : undefined,
  });

Deno.test({
  name: "completions: services by the beginning of their name, whatever the case, each once and in order",
  ignore: !permitted,
  async fn() {
    await using server = knowing(["user-service", "order-service", "Users"]);
    using prometheus = apiOf(server.url);
    const given = sources({ prometheus: prometheus.api });
    assert.deepEqual(await completed(given, "service", "us"), ["Users", "user-service"]);
    assert.deepEqual(await completed(given, "service", "x"), []);
    assert.deepEqual(await completed(given, "namespace", ""), []);
    assert.deepEqual(await completed(given, "other", ""), []);
  },
});

Deno.test({
  name: "completions: of many services the first hundred",
  ignore: !permitted,
  async fn() {
    await using server = knowing(Array.from({ length: 150 }, (_, index) => `job-${index}`));
    using prometheus = apiOf(server.url);
    const tool = completePrompts(sources({ prometheus: prometheus.api }));
    const { structured } = await callTool(tool, { prompt: "p", argument: "service", value: "", known: {} });
    assert.deepEqual([structured.values.length, structured.total, structured.hasMore], [100, 150, true]);
  },
});

Deno.test({
  name: "completions: a backend that is down completes nothing, and does not hide what the other knows",
  ignore: !permitted,
  async fn() {
    const clusters = clustersAt("http://127.0.0.1:2");
    await using server = knowing(["api"]);
    using prometheus = apiOf(server.url);
    const given = sources({ clusters, prometheus: prometheus.api });
    assert.deepEqual(await completed(given, "service", ""), ["api"]);
    assert.deepEqual(await completed(given, "namespace", ""), []);
    server.play = faults.unavailable;
    assert.deepEqual(await completed(given, "service", ""), []);
    clusters.close();
  },
});

Deno.test({
  name: "completions: one that is cancelled is no empty list",
  ignore: !permitted,
  async fn() {
    await using server = new FakePrometheus({ play: faults.slow });
    using prometheus = apiOf(server.url);
    const tool = completePrompts(sources({ prometheus: prometheus.api }));
    const caller = new AbortController();
    const args = { prompt: "p", argument: "service", value: "", known: {} };
    const work = tool.run(tool.input.parse(args), {
      signal: caller.signal,
      budget: 9_999,
      progress: () => {},
    });
    caller.abort(new CallError("cancelled", "The call was cancelled"));
    await assert.rejects(work);
  },
});

Deno.test({
  name: "completions: tables, in the words of the database",
  ignore: !postgresAvailable,
  async fn() {
    await using test = await createDatabase("create table todos (id int); create table users (id int)");
    const given = sources({ database: { database: test.database, events } });
    assert.deepEqual(await completed(given, "table", "to"), ["todos"]);
    assert.deepEqual(await completed(sources({}), "table", ""), []);
  },
});
