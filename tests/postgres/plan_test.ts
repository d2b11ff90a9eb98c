/** What a plan's JSON says, by itself: the parts of each node, and fields that other versions than the server's have. */
import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { readPlan } from "../../src/postgres/plan.ts";
import { findingsOf, isFast } from "../../src/postgres/plan_findings.ts";
import type { PlanFacts } from "../../src/postgres/plan_relations.ts";
import { head, mostImportant, nodeLines, tree } from "../../src/postgres/plan_text.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A node that ran `loops` times, `ms` each. */
function node(type: string, ms: number, more: Fields = {}, ...plans: readonly Fields[]): Fields {
  return {
    "Node Type": type,
    "Total Cost": 10,
    "Plan Rows": 1,
    "Actual Total Time": ms,
    "Actual Rows": 1,
    "Actual Loops": 1,
    "Parent Relationship": "Outer",
    ...more,
    ...(plans.length === 0 ? {} : { Plans: plans }),
  };
}

function planOf(top: Fields, more: Fields = { "Execution Time": 100 }) {
  return readPlan(JSON.stringify([{ Plan: top, ...more }]));
}

/** Own parts in percent, in the order of the plan. */
function shares(top: Fields, more?: Fields): number[] {
  return planOf(top, more).nodes.map(({ share }) => Math.round(share * 100));
}

const facts: PlanFacts = {
  workMem: 4 << 20,
  offset: undefined,
  extensions: { intarray: false, trigrams: undefined },
  relation: () => undefined,
};

Deno.test("a node's own time is what its inputs leave", () => {
  assert.deepEqual(shares(node("Sort", 100, {}, node("Seq Scan", 70))), [30, 70]);
});

Deno.test("times are per loop", () => {
  const inner = node("Index Scan", 0.5, { "Actual Loops": 160, "Parent Relationship": "Inner" });
  assert.deepEqual(shares(node("Nested Loop", 100, {}, node("Seq Scan", 10), inner)), [10, 10, 80]);
});

Deno.test("processes run beside each other: their time is an average, not a sum", () => {
  const scan = node("Seq Scan", 60, { "Actual Loops": 3, "Parallel Aware": true });
  const gather = node("Gather", 80, { "Workers Planned": 2, "Workers Launched": 2 }, scan);
  assert.deepEqual(shares(node("Sort", 100, {}, gather)), [20, 20, 60]);
});

Deno.test("processes of an inner side in a parallel join share its loops", () => {
  const inner = node("Index Scan", 1, { "Actual Loops": 90, "Parent Relationship": "Inner" });
  const join = node(
    "Nested Loop",
    50,
    { "Actual Loops": 3 },
    node("Seq Scan", 10, { "Actual Loops": 3 }),
    inner,
  );
  assert.deepEqual(shares(node("Gather", 100, { "Workers Launched": 2 }, join)), [50, 10, 10, 30]);
});

Deno.test("a CTE's time is taken from the scan that asked for it, and not from where it is printed", () => {
  const cte = node("Seq Scan", 60, { "Parent Relationship": "InitPlan", "Subplan Name": "CTE c" });
  const scan = node("CTE Scan", 90, { "CTE Name": "c" });
  assert.deepEqual(shares(node("Aggregate", 100, {}, cte, scan)), [10, 60, 30]);
});

const asked: readonly (readonly [string, string, string])[] = [
  ["15", "InitPlan 1 (returns $0)", "(t.id = $0)"],
  ["18", "InitPlan 1", "(t.id = (InitPlan 1).col1)"],
];
for (const [version, name, filter] of asked) {
  Deno.test(`an init plan's time is taken from the node that asked for it, as ${version} names it`, () => {
    const init = node("Result", 60, { "Parent Relationship": "InitPlan", "Subplan Name": name });
    const other = node("Seq Scan", 65, { Filter: filter, "Relation Name": "t" });
    assert.deepEqual(shares(node("Sort", 100, {}, init, other)), [35, 60, 5]);
  });
}

Deno.test("$1 is not $10", () => {
  const init = node("Result", 60, {
    "Parent Relationship": "InitPlan",
    "Subplan Name": "InitPlan 1 (returns $1)",
  });
  const other = node("Seq Scan", 10, { Filter: "(t.id = $10)" });
  assert.deepEqual(shares(node("Sort", 100, {}, init, other)), [30, 60, 10]);
});

Deno.test("rounded times that add up to more than the whole are shared out", () => {
  const inner = node("Index Scan", 0.003, { "Actual Loops": 50_000, "Parent Relationship": "Inner" });
  assert.deepEqual(shares(node("Nested Loop", 100, {}, node("Seq Scan", 50), inner)), [0, 25, 75]);
});

Deno.test("without times the parts are those of the cost, with what LIMIT leaves", () => {
  const top = {
    "Node Type": "Limit",
    "Total Cost": 10,
    "Plan Rows": 1,
    Plans: [{
      "Node Type": "Seq Scan",
      "Total Cost": 1000,
      "Plan Rows": 100,
      "Parent Relationship": "Outer",
    }],
  };
  assert.deepEqual(shares(top, {}), [0, 100]);
  const join = {
    "Node Type": "Nested Loop",
    "Total Cost": 1000,
    "Plan Rows": 1,
    Plans: [
      { "Node Type": "Seq Scan", "Total Cost": 100, "Plan Rows": 80, "Parent Relationship": "Outer" },
      { "Node Type": "Index Scan", "Total Cost": 10, "Plan Rows": 1, "Parent Relationship": "Inner" },
    ],
  };
  assert.deepEqual(shares(join, {}), [10, 10, 80]);
});

Deno.test("fractions of rows, as 18 gives them, disabled nodes and unknown fields do no harm", () => {
  const plan = planOf(
    node("Seq Scan", 1, {
      "Relation Name": "t",
      "Alias": "t",
      "Actual Rows": 0.33,
      "Actual Loops": 3,
      Disabled: true,
      Novelty: { a: [1] },
    }),
  );
  assert.match(tree(plan, nodeLines(plan, 80)).join("\n"), /Seq Scan on t: 0\.33 rows × 3 loops/);
});

Deno.test("what is given per loop, and rounded there, is approximate in all", () => {
  const scan = (loops: number) =>
    node("Seq Scan", 1, { "Actual Loops": loops, "Rows Removed by Filter": 33332 });
  const text = (loops: number) => {
    const plan = planOf(node("Gather", 2, {}, scan(loops)));
    return tree(plan, nodeLines(plan, 80)).join("\n");
  };
  assert.match(text(3), /^ *about 99,996 rows dropped by the filter$/m);
  assert.match(text(1), /^ *33,332 rows dropped by the filter$/m);
});

Deno.test("a plan without the fields that are always there is read all the same", () => {
  const plan = readPlan('[{"Plan":{"Node Type":7,"Plans":[{}, null, 3]}}]');
  assert.equal(plan.nodes.length, 2);
  assert.ok(head(plan).length > 0 && findingsOf({ plan, facts }).length === 0);
});

for (const json of ["", "{", "[]", "null", '[{"Plan":[]}]']) {
  Deno.test(`no plan is not taken for one: ${JSON.stringify(json)}`, () => {
    assert.throws(
      () => readPlan(json),
      (error: unknown) => error instanceof CallError && error.kind === "failed",
    );
  });
}

Deno.test("compiling that takes most of the time stands out", () => {
  const plan = planOf(node("Aggregate", 98, {}, node("Seq Scan", 90)), {
    "Execution Time": 100,
    JIT: { Functions: 5, Timing: { Total: 60 } },
  });
  const [finding] = findingsOf({ plan, facts });
  assert.deepEqual([finding?.title, finding?.statement], [
    "Just-in-time compilation takes 60% of the time",
    "SET jit = off",
  ]);
  assert.match(head(plan).join("\n"), /Just-in-time compilation: 60 ms\./);
});

Deno.test("compiling that takes little does not", () => {
  const jit = { Functions: 5, Timing: { Total: 19 } };
  assert.deepEqual(
    findingsOf({ plan: planOf(node("Result", 90), { "Execution Time": 90, JIT: jit }), facts }),
    [],
  );
});

Deno.test("planning that takes longer than running stands out", () => {
  const plan = planOf(node("Append", 5), { "Execution Time": 5, "Planning Time": 45 });
  const [finding] = findingsOf({ plan, facts });
  assert.deepEqual([finding?.title, finding?.evidence, finding?.share], [
    "Planning takes longer than running",
    "45 ms against 5 ms, for 1 node",
    0.9,
  ]);
});

Deno.test("a join is without a condition only when the inner side is not looked up by the outer one", () => {
  const scan = (alias: string, more: Fields) =>
    node("Index Scan", 40, { Alias: alias, "Actual Rows": 2000, ...more });
  const join = (condition: string) => {
    const inner = scan("t", { "Parent Relationship": "Inner", "Index Cond": condition });
    const found = findingsOf({ plan: planOf(node("Nested Loop", 100, {}, scan("u", {}), inner)), facts });
    return found.some(({ title }) => /every row with every other/.test(title));
  };
  assert.equal(join("(t.kind = 7)"), true);
  assert.equal(join("(t.kind = uu.id)"), true);
  assert.equal(join("(t.kind = u.id)"), false);
});

Deno.test("fast is what took less, planning included", () => {
  const took = (times: Fields) => planOf(node("Result", 0.5), times);
  const times = { "Execution Time": 0.5, "Planning Time": 0.5 };
  assert.equal(isFast(took(times), 1.001), true);
  assert.equal(isFast(took(times), 1), false);
  assert.equal(isFast(readPlan('[{"Plan":{}}]'), 1), false);
});

Deno.test("an incremental sort that spills says so in its groups", () => {
  const sort = node("Incremental Sort", 90, {
    "Pre-sorted Groups": {
      "Group Count": 3,
      "Sort Space Disk": { "Average Sort Space Used": 3000, "Peak Sort Space Used": 4096 },
    },
  });
  const [finding] = findingsOf({ plan: planOf(sort), facts });
  assert.match(finding?.title ?? "", /^Incremental Sort takes 90% of the time: it spills 4096 kB to disk$/);
  assert.equal(finding?.statement, "SET work_mem = '16MB'");
});

Deno.test("workers' sorts count, and each has a work_mem of its own", () => {
  const sort = node("Sort", 90, {
    "Sort Space Type": "Disk",
    "Sort Space Used": 4096,
    Workers: [{ "Worker Number": 0, "Sort Space Type": "Disk", "Sort Space Used": 5000 }, {
      "Worker Number": 1,
      "Sort Space Type": "Memory",
      "Sort Space Used": 50,
    }],
  });
  const [finding] = findingsOf({ plan: planOf(sort), facts });
  assert.match(finding?.title ?? "", /it spills 9096 kB to disk$/);
  assert.equal(finding?.statement, "SET work_mem = '16MB'");
});

Deno.test("storage, as 17 and 18 give it, is shown", () => {
  const plan = planOf(node("Materialize", 50, { Storage: "Disk", "Maximum Storage": 20_000 }));
  assert.match(tree(plan, nodeLines(plan, 80)).join("\n"), /stored on disk, 20 MB/);
});

Deno.test("at most five findings, and none about less than a twentieth", () => {
  const gathers = (share: number) =>
    Array.from(
      { length: 8 },
      (_, index) =>
        node("Gather", share, {
          "Workers Planned": 4 + index,
          "Workers Launched": 0,
          "Parent Relationship": "Member",
        }),
    );
  assert.equal(findingsOf({ plan: planOf(node("Append", 100, {}, ...gathers(12))), facts }).length, 5);
  assert.equal(findingsOf({ plan: planOf(node("Append", 100, {}, ...gathers(4))), facts }).length, 0);
});

Deno.test("a cut tree keeps what costs most, with all above it", () => {
  const cheap = Array.from({ length: 20 }, () => node("Result", 0.1, { "Parent Relationship": "Member" }));
  const dear = node("Sort", 70, { "Parent Relationship": "Member" }, node("Seq Scan", 60));
  const plan = planOf(node("Append", 100, {}, ...cheap, dear));
  const kept = mostImportant(plan, 3);
  assert.deepEqual(plan.nodes.filter((each) => kept.has(each)).map(({ type }) => type), [
    "Append",
    "Sort",
    "Seq Scan",
  ]);
  const text = tree(plan, nodeLines(plan, 80).filter((each) => kept.has(each.node))).join("\n");
  assert.match(text, /\[Cut: 20 cheaper nodes of 23 left out\./);
});

const names: readonly (readonly [Fields, string])[] = [
  [{ "Node Type": "Hash Join", "Join Type": "Left" }, "Hash Left Join"],
  [{ "Node Type": "Hash Join", "Join Type": "Inner" }, "Hash Join"],
  [{ "Node Type": "Nested Loop", "Join Type": "Anti" }, "Nested Loop Anti Join"],
  [{ "Node Type": "Aggregate", Strategy: "Hashed", "Partial Mode": "Partial" }, "Partial HashAggregate"],
  [{ "Node Type": "Aggregate", Strategy: "Sorted", "Partial Mode": "Finalize" }, "Finalize GroupAggregate"],
  [{ "Node Type": "SetOp", Strategy: "Hashed", Command: "Except" }, "HashSetOp Except"],
  [
    {
      "Node Type": "Index Scan",
      "Scan Direction": "Backward",
      "Index Name": "i",
      "Relation Name": "t",
      Schema: "s",
      Alias: "x",
    },
    "Index Scan Backward using i on s.t x",
  ],
  [{ "Node Type": "Bitmap Index Scan", "Index Name": "i" }, "Bitmap Index Scan on i"],
  [
    { "Node Type": "Seq Scan", "Relation Name": "a\u202eb\n", Alias: "a\u202eb\n" },
    "Seq Scan on a\\u{202e}b\\n",
  ],
];
for (const [fields, name] of names) {
  Deno.test(`a node is named as psql does: ${name}`, () => {
    const plan = readPlan(JSON.stringify([{ Plan: fields }]));
    assert.equal(nodeLines(plan, 80)[0]?.name, name);
  });
}
