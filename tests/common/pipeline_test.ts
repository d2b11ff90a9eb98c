import assert from "@std/assert";
import * as z from "zod";
import { addNotice, type Answer, fitAnswer, visibleStrings } from "../../src/common/answer.ts";
import type { AuditLog, AuditRecord } from "../../src/common/audit.ts";
import { askingClient } from "../../src/common/asking_client.ts";
import { CallError } from "../../src/common/errors.ts";
import { largestThatFits } from "../../src/common/largest_that_fits.ts";
import { createLogger } from "../../src/common/log.ts";
import { type Caller, Pipeline, type PipelineOptions, UnknownToolError } from "../../src/common/pipeline.ts";
import { RateLimiter } from "../../src/common/rate_limit.ts";
import { defineTool, type Presentation, type ToolContext } from "../../src/common/tool.ts";
import { visible } from "../../src/common/visible.ts";

type Run = (args: { text: string }, context: ToolContext) => Promise<string>;

interface Bench {
  readonly records: AuditRecord[];
  readonly logged: string[];
  call(args: unknown, caller?: Partial<Caller>, tool?: string): Promise<Answer>;
  readonly pipeline: Pipeline;
}

/** A pipeline around one tool, `echo`. */
function bench(run: Run, options: Partial<PipelineOptions> = {}): Bench {
  const records: AuditRecord[] = [];
  const logged: string[] = [];
  const echo = defineTool({
    name: "echo",
    title: "Echo",
    description: "Gives back what it gets",
    input: z.strictObject({ text: z.string() }),
    output: z.object({ text: z.string() }),
    run,
    present: (value: string) => ({ text: value, structured: { text: value }, rows: 1 }),
  });
  const pipeline = new Pipeline({
    tools: [echo],
    audit: { write: (record) => void records.push(record), close: () => {} },
    log: createLogger("debug", (line) => logged.push(line)),
    rateLimiter: new RateLimiter(60),
    answerCacheSeconds: 0,
    maxOutputBytes: 4_096,
    deadlineMs: 10_000,
    ...options,
  });
  return {
    records,
    logged,
    pipeline,
    call: (args, caller = {}, tool = "echo") =>
      pipeline.call(tool, args, {
        client: "test",
        clientInfo: undefined,
        signal: new AbortController().signal,
        progress: undefined,
        ...caller,
      }),
  };
}

const echo: Run = ({ text }) => Promise.resolve(text);

Deno.test("a call is answered in both forms, and audited", async () => {
  const { call, records } = bench(echo);
  const answer = await call({ text: "hello" });
  assert.deepEqual(answer, { text: "hello", structured: { text: "hello" } });
  assert.equal(records.length, 1);
  const { durationMs, ...record } = records[0] as AuditRecord;
  assert.ok(durationMs >= 0);
  assert.deepEqual(record, {
    client: "test",
    clientInfo: undefined,
    tool: "echo",
    arguments: { text: "hello" },
    outcome: "ok",
    rows: 1,
    bytes: 5,
  });
});

const badArguments: readonly (readonly [string, unknown, RegExp])[] = [
  ["a missing argument", {}, /: text is missing: it must be a string\.$/],
  ["no arguments at all", undefined, /: text is missing: it must be a string\.$/],
  ["a wrong type", { text: 5 }, /: text must be a string, not the number 5\.$/],
  ["an unknown key", { text: "a", txt: 1 }, /unknown argument "txt"; the arguments are text/],
  ["an unknown key with hidden characters", { text: "a", "\u202e": 1 }, /\\u\{202e\}/],
];
for (const [what, args, message] of badArguments) {
  Deno.test(`bad arguments are told apart from a defect, and audited: ${what}`, async () => {
    const { call, records } = bench(echo);
    const answer = await call(args);
    assert.notEqual(answer.kind, undefined);
    assert.match(answer.text, message);
    assert.equal(records[0]?.outcome, "invalid");
  });
}

Deno.test("an unknown tool is a protocol error, with the nearest name; it is limited and audited", async () => {
  const { call, records } = bench(echo, { rateLimiter: new RateLimiter(2) });
  await assert.rejects(call({}, {}, "ecko"), /UnknownToolError: .*did you mean echo/);
  await assert.rejects(call({}, {}, "another"), UnknownToolError);
  const answer = await call({}, {}, "third");
  assert.match(answer.text, /more than 2 times a minute/);
  assert.deepEqual(records.map(({ tool, outcome }) => [tool, outcome]), [
    ["ecko", "invalid"],
    ["another", "invalid"],
    ["third", "limited"],
  ]);
});

Deno.test("a refusal says what to do next", async () => {
  const { call, records } = bench(() => {
    throw new CallError("refused", "Cannot do that", { hint: "Do this instead" });
  });
  const answer = await call({ text: "" });
  assert.deepEqual(answer, {
    text: "Cannot do that. Do this instead.",
    structured: undefined,
    kind: "refused",
  });
  assert.equal(records[0]?.outcome, "refused");
});

Deno.test("a refusal is one line, whatever the backend's words in it are", async () => {
  const { call } = bench(() => {
    throw new CallError("failed", "Cannot ask as it says: no\n\n[Cut: none]\u202e");
  });
  assert.equal((await call({ text: "" })).text, "Cannot ask as it says: no\\n\\n[Cut: none]\\u{202e}.");
});

Deno.test("a hint that begins with a tool's name leaves it as it is called", async () => {
  const { call } = bench(() => {
    throw new CallError("not_found", "Cannot find it", { hint: "list_contexts shows their names" });
  });
  assert.equal((await call({ text: "" })).text, "Cannot find it. list_contexts shows their names.");
});

Deno.test("a backend's sentence that ends in a full stop gets no second one", async () => {
  for (const hint of [undefined, "Do that"]) {
    const { call } = bench(() => {
      throw new CallError("failed", "Cannot ask as it says: too busy.", { hint });
    });
    const { text } = await call({ text: "" });
    assert.equal(text, `Cannot ask as it says: too busy.${hint === undefined ? "" : " Do that."}`);
  }
});

Deno.test("a defect is logged with its cause and answered with one neutral sentence", async () => {
  const { call, records, logged } = bench(() =>
    Promise.reject(new TypeError("password hunter2 at /srv/x.ts"))
  );
  const answer = await call({ text: "" });
  assert.notEqual(answer.kind, undefined);
  assert.ok(!answer.text.includes("hunter2") && !answer.text.includes("/srv"), answer.text);
  assert.equal(records[0]?.outcome, "defect");
  assert.match(logged.join(), /TypeError/);
});

Deno.test("what lies below a tool learns whose call it is, and nothing outside of a call", async () => {
  const { call } = bench(async () => {
    await Promise.resolve();
    return askingClient();
  });
  const texts = await Promise.all(["alice", "bob"].map((client) => call({ text: "" }, { client })));
  assert.deepEqual(texts.map(({ text }) => text), ["alice", "bob"]);
  assert.equal(askingClient(), "");
});

Deno.test("the client's cancellation reaches the tool, and does not wait for it", async () => {
  const abort = new AbortController();
  let seen = false;
  const { call, records } = bench((_, { signal }) => {
    signal.addEventListener("abort", () => seen = true);
    return new Promise(() => {});
  });
  const answer = call({ text: "" }, { signal: abort.signal });
  abort.abort();
  assert.notEqual((await answer).kind, undefined);
  assert.equal(seen, true);
  assert.equal(records[0]?.outcome, "cancelled");
});

Deno.test("what calls take is loaded before the first, and a call that is cancelled meanwhile never runs", async () => {
  const loading = Promise.withResolvers<void>();
  const ran: string[] = [];
  const { call, records } = bench(({ text }) => {
    ran.push(text);
    return Promise.resolve(text);
  }, { prepare: () => loading.promise });
  const abort = new AbortController();
  const cancelled = call({ text: "cancelled" }, { signal: abort.signal });
  const answered = call({ text: "answered" });
  abort.abort();
  assert.notEqual((await cancelled).kind, undefined);
  assert.deepEqual(ran, []);
  loading.resolve();
  assert.equal((await answered).kind, undefined);
  assert.deepEqual(ran, ["answered"]);
  assert.deepEqual(records.map(({ outcome }) => outcome), ["cancelled", "ok"]);
});

Deno.test("a call that takes too long is given up", async () => {
  const { call, records } = bench(() => new Promise(() => {}), { deadlineMs: 20 });
  const answer = await call({ text: "" });
  assert.match(answer.text, /Cannot answer within 20 ms/);
  assert.equal(records[0]?.outcome, "unavailable");
});

Deno.test("the rate limit refuses, says how long to wait, and is audited", async () => {
  const { call, records } = bench(echo, { rateLimiter: new RateLimiter(1) });
  await call({ text: "" });
  const answer = await call({ text: "" });
  assert.match(answer.text, /Cannot call echo more than 1 time a minute. Wait \d+ s/);
  assert.deepEqual(records.map(({ outcome }) => outcome), ["ok", "limited"]);
  assert.equal((await call({ text: "" }, { client: "another" })).kind, undefined);
});

Deno.test("an audit log that can't be written refuses the answer", async () => {
  const audit: AuditLog = {
    write: () => {
      throw new CallError("unavailable", "Cannot answer as the audit log can't be written");
    },
    close: () => {},
  };
  const { call } = bench(echo, { audit });
  const answer = await call({ text: "a secret of the database" });
  assert.notEqual(answer.kind, undefined);
  assert.match(answer.text, /audit log/);
  assert.ok(!JSON.stringify(answer).includes("a secret of the database"));
});

Deno.test("an answer over the budget is cut, whatever the tool does", async () => {
  const { call } = bench(() => Promise.resolve("line\n".repeat(10_000)), { maxOutputBytes: 2_048 });
  const answer = await call({ text: "" });
  assert.ok(new TextEncoder().encode(answer.text).length <= 2_048);
  assert.match(answer.text, /Cut/);
});

Deno.test("a structured form over the budget has its longest strings cut, names of labels too", async () => {
  const { call } = bench(() => Promise.resolve("L".repeat(200_000)));
  const { structured } = await call({ text: "" });
  assert.equal(structured?.text, `${"L".repeat(1_000)}…`);
  const named = fitAnswer({ text: "", structured: { ["n".repeat(9_000)]: "v", short: "w" } }, 4_096);
  assert.deepEqual(named.structured, { [`${"n".repeat(1_000)}…`]: "v", short: "w" });
});

for (const hidden of ["\u202e", "\b"]) {
  Deno.test(`what is hidden counts as it is spelt out where a list is fitted into the budget: ${visible(hidden)}`, () => {
    const items = Array.from({ length: 100 }, () => hidden.repeat(30));
    const fitted = (make: (shown: number) => Presentation<Record<string, unknown>>) => {
      const { text, structured, rows } = largestThatFits(items.length, make, 4_096);
      assert.ok(rows > 0 && rows < items.length);
      assert.ok(visible(text).length <= 4_096);
      assert.ok(JSON.stringify(visibleStrings(structured)).length <= 4_096);
    };
    fitted((shown) => ({ text: "", structured: { items: items.slice(0, shown) }, rows: shown }));
    fitted((shown) => ({ text: items.slice(0, shown).join(""), structured: {}, rows: shown }));
  });
}

Deno.test("hidden characters of the backend are visible in the text, whatever the tool does", async () => {
  const { call } = bench(() => Promise.resolve("a\u202eb\x1b[2J\nc"));
  assert.equal((await call({ text: "" })).text, "a\\u{202e}b\\x1b[2J\nc");
});

Deno.test("hidden characters of the backend are visible in the structured content", async () => {
  const { call } = bench(() => Promise.resolve("a\u202eb\u0007\nc"));
  assert.deepEqual((await call({ text: "" })).structured, { text: "a\\u{202e}b\\x07\nc" });
});

Deno.test("a cached answer says its age, and does not ask again; a failure is not kept", async () => {
  let runs = 0;
  const { call } = bench(() => {
    runs++;
    return runs === 1 ? Promise.reject(new CallError("unavailable", "down")) : Promise.resolve(`run ${runs}`);
  }, { answerCacheSeconds: 60 });
  assert.notEqual((await call({ text: "a" })).kind, undefined);
  assert.equal((await call({ text: "a" })).text, "run 2");
  const cached = await call({ text: "a" });
  assert.match(cached.text, /^run 2\n\nThis answer is .* old\.$/);
  assert.equal(runs, 2);
  assert.equal((await call({ text: "b" })).text, "run 3");
});

Deno.test("the notice comes once, with the first answer that succeeds, and in both forms", async () => {
  const { call } = bench(({ text }) => {
    if (text === "fail") throw new CallError("failed", "no");
    return Promise.resolve(text);
  }, { notice: () => Promise.resolve("mind the role") });
  assert.ok(!(await call({ text: "fail" })).text.includes("mind"));
  const first = await call({ text: "a" });
  assert.equal(first.text, "a\n\nmind the role");
  assert.equal(JSON.stringify(first.structured), '{"notices":["mind the role"],"text":"a"}');
  assert.equal((await call({ text: "a" })).text, "a");
});

Deno.test("a notice joins those that are there", () => {
  const answer = addNotice(addNotice({ text: "a", structured: { notices: ["first"] } }, "second"), "third");
  assert.deepEqual(answer, {
    text: "a\n\nsecond\n\nthird",
    structured: { notices: ["first", "second", "third"] },
  });
});

Deno.test("a call over a second tells how far it is", async () => {
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { call } = bench(async (_, { progress }) => {
    progress("reading");
    await promise;
    return "done";
  });
  const caller: Partial<Caller> = {
    progress: (message) => {
      told.push(message);
      resolve();
    },
  };
  assert.equal((await call({ text: "" }, caller)).text, "done");
  assert.match(told[0] ?? "", /^reading, running for \d+(\.\d)? s$/);
});

Deno.test("a request of the wrong shape, which no handler sees, is limited and audited", () => {
  const { pipeline, records } = bench(echo, { rateLimiter: new RateLimiter(1) });
  const caller: Caller = {
    client: "test",
    clientInfo: undefined,
    signal: new AbortController().signal,
    progress: undefined,
  };
  assert.equal(pipeline.refuse("echo", 5, caller, "wrong").text, "wrong");
  assert.match(pipeline.refuse("echo", 5, caller, "wrong").text, /more than 1 time a minute/);
  assert.deepEqual(records.map(({ outcome }) => outcome), ["invalid", "limited"]);
});

Deno.test("each client hears the notice once, and again where it could not be made", async () => {
  let attempts = 0;
  const { call } = bench(echo, {
    notice: () => ++attempts === 1 ? Promise.reject(new Error("not now")) : Promise.resolve("Beware."),
  });
  const hears = async (client: string) => (await call({ text: "x" }, { client })).text.includes("Beware.");
  assert.deepEqual([await hears("alice"), await hears("alice"), await hears("alice")], [false, true, false]);
  assert.deepEqual([await hears("bob"), await hears("bob"), await hears("alice")], [true, false, false]);
});

Deno.test("no answer leaves before its record is out, be it a tool's or a refusal", async () => {
  const out: string[] = [];
  const audit = {
    write: ({ tool }: AuditRecord) => void out.push(`written ${tool}`),
    settled: async () => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      out.push("settled");
    },
    close() {},
  };
  const { call } = bench(echo, { audit });
  const answered = (answer: Promise<unknown>) => answer.catch(() => {}).then(() => out.push("answered"));
  await answered(call({ text: "a" }));
  await answered(call({}, {}, "nothing"));
  const each = (tool: string) => [`written ${tool}`, "settled", "answered"];
  assert.deepEqual(out, [...each("echo"), ...each("nothing")]);
});

Deno.test("of an unknown tool's name the record keeps a beginning", async () => {
  const { call, records } = bench(echo);
  await assert.rejects(call({}, {}, "x".repeat(100_000)), UnknownToolError);
  assert.deepEqual(records.map(({ tool }) => tool), ["x".repeat(128)]);
});

Deno.test("an answer that fills a tool's budget has room for the notices below it", async () => {
  const { call } = bench((_, { budget }) => Promise.resolve("x".repeat(budget)), {
    notice: () => Promise.resolve("mind the role ".repeat(20)),
  });
  assert.match((await call({ text: "" })).text, /^x+\n\n(mind the role )+$/);
});

Deno.test("the answers that are kept do not grow without an end: the oldest goes", async () => {
  const runs: string[] = [];
  const { call } = bench(({ text }) => {
    runs.push(text);
    return Promise.resolve(text.repeat(3_000_000));
  }, { answerCacheSeconds: 60 });
  for (const text of ["a", "a", "b", "b", "a"]) await call({ text });
  assert.deepEqual(runs, ["a", "b", "a"]);
});

Deno.test("of those who have heard the notice a thousand are remembered", async () => {
  const { call } = bench(echo, { notice: () => Promise.resolve("Beware.") });
  const hears = async (client: string) => (await call({ text: "x" }, { client })).text.includes("Beware.");
  for (let number = 0; number <= 1_000; number++) assert.equal(await hears(`client ${number}`), true);
  assert.deepEqual([await hears("client 1000"), await hears("client 0")], [false, true]);
});
