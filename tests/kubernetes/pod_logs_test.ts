/** Logs that are followed, over connections that a test holds in its hand. */
import assert from "@std/assert";
import { getPodLogs } from "../../src/kubernetes/get_pod_logs.ts";
import { readLogs } from "../../src/kubernetes/pod_logs.ts";
import { permitted } from "../support/permitted.ts";
import type { Structured } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { FakeApiserver } from "./fake_apiserver.ts";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

function pod(name: string) {
  return {
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: "web" } },
    spec: { containers: [{ name: "app" }] },
    status: {
      phase: "Running",
      containerStatuses: [{ name: "app", ready: true, state: { running: { startedAt: at(0) } } }],
    },
  };
}

/** A log with one line, which a test goes on with once somebody follows it. */
class LiveLog {
  readonly #followed = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
  readonly #headers: HeadersInit;
  cancelled = false;

  /** `cut`: its end is that of a connection with an apiserver that is stopped. */
  constructor(end: "whole" | "cut") {
    // A body that is shorter than it was said to be is a connection that broke.
    this.#headers = end === "whole" ? {} : { "content-length": "1000000" };
  }

  readonly answer = (request: Request): Response => {
    if (!request.url.includes("follow=true")) return new Response(`${at(1)} before\n`);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => this.#followed.resolve(controller),
      cancel: () => {
        this.cancelled = true;
      },
    });
    return new Response(body, { headers: this.#headers });
  };

  async write(second: number, text: string): Promise<void> {
    (await this.#followed.promise).enqueue(new TextEncoder().encode(`${at(second)} ${text}\n`));
  }

  async end(): Promise<void> {
    (await this.#followed.promise).close();
  }
}

/** Follows for longer than any test takes; the answer is there when all streams have ended. */
function follow(api: FakeApiserver, whose: Readonly<Record<string, unknown>>, signal: AbortSignal) {
  const tool = getPodLogs(api.clusters);
  const told: string[] = [];
  const args = tool.input.parse({ ...whose, follow_seconds: 30 });
  const answer = tool.run(args, { signal, budget: 32_768, progress: (message) => told.push(message) })
    .then((value) => tool.present(value, 32_768))
    .then(({ text, structured }): { text: string; structured: Structured } => ({ text, structured }));
  return { told, answer };
}

const path = "/api/v1/namespaces/default/pods";
const never = new AbortController().signal;

Deno.test("a followed log that is cut keeps what was read, and says so", { ignore: !permitted }, async () => {
  const log = new LiveLog("cut");
  await using api = FakeApiserver.start({
    [`${path}/web-1`]: pod("web-1"),
    [`${path}/web-1/log`]: log.answer,
  });
  const { told, answer } = follow(api, { pod_name: "web-1" }, never);
  await log.write(2, "a new line");
  await until("the new line", () => told.length > 0);
  await log.end();
  const { text, structured } = await answer;
  assert.deepEqual(structured.lines, ["before", "a new line"]);
  assert.equal(structured.followed, 1);
  assert.match(
    text,
    /\n1 new line came within 30 s\.\nFollowing ended early: Cannot reach .* the connection broke .*\. Ask again for what came since\.\n\nbefore\na new line$/,
  );
});

Deno.test("of two logs the one that is not cut is followed on", { ignore: !permitted }, async () => {
  const logs = { first: new LiveLog("cut"), second: new LiveLog("whole") };
  await using api = FakeApiserver.start({
    [path]: { kind: "PodList", metadata: {}, items: [pod("web-1"), pod("web-2")] },
    [`${path}/web-1/log`]: logs.first.answer,
    [`${path}/web-2/log`]: logs.second.answer,
  });
  const { told, answer } = follow(api, { selector: "app=web" }, never);
  await logs.first.write(2, "of the first");
  await until("the first line", () => told.length === 1);
  await logs.first.end();
  await logs.second.write(3, "of the second");
  await until("the second line", () => told.length === 2);
  await logs.second.end();
  const { structured } = await answer;
  assert.deepEqual(structured.lines.slice(-2), ["[web-1] of the first", "[web-2] of the second"]);
  assert.equal(structured.notes.filter((note: string) => note.startsWith("Following ended early")).length, 1);
});

Deno.test("a cancelled call follows no longer", { ignore: !permitted }, async () => {
  const log = new LiveLog("whole");
  await using api = FakeApiserver.start({
    [`${path}/web-1`]: pod("web-1"),
    [`${path}/web-1/log`]: log.answer,
  });
  const caller = new AbortController();
  const { told, answer } = follow(api, { pod_name: "web-1" }, caller.signal);
  await log.write(2, "a new line");
  await until("the new line", () => told.length > 0);
  caller.abort(new Error("no longer wanted"));
  // The stream has not ended, and of its 30 s hardly one is over.
  await assert.rejects(answer, /no longer wanted/);
  await until("the end of the request", () => log.cancelled);
});

Deno.test(
  "other work goes on between the lines of one large chunk of a followed log",
  { ignore: !permitted },
  async () => {
    const log = new LiveLog("whole");
    await using api = FakeApiserver.start({ [`${path}/web-1/log`]: log.answer });
    let turns = 0;
    let turnsAtLast = 0;
    const timer = setInterval(() => turns++, 0);
    const test = Object.assign((text: string) => {
      // As long as a pattern may take.
      for (const begun = performance.now(); performance.now() - begun < 1;);
      if (text === "first") turns = 0;
      if (text === "last") turnsAtLast = turns;
      return false;
    }, { longest: 100 });
    try {
      const source = { pod: "web-1", container: "app", state: "Running", message: undefined, restarts: 0 };
      const answer = readLogs(api.clusters.cluster(undefined), "default", [{
        ...source,
        previous: undefined,
      }], {
        tail: 10,
        test,
        previous: false,
        sinceSeconds: undefined,
        sinceTime: undefined,
        followSeconds: 30,
        signal: never,
        progress: () => {},
      });
      const lines = ["first", ...Array.from({ length: 100 }, () => "between"), "last"];
      await log.write(2, lines.join(`\n${at(2)} `));
      await log.end();
      await answer;
    } finally {
      clearInterval(timer);
    }
    assert.ok(turnsAtLast > 0);
  },
);
