import assert from "@std/assert";
import { type Scope, scopeOf } from "../../src/prometheus/alert_scope.ts";
import type { Service } from "../../src/prometheus/service.ts";

const service: Service = {
  name: "web",
  matchers: [["job", "=", "web"], ["namespace", "=", "shop"]],
  metrics: new Map(),
  text: "job=web",
  series: 1,
  others: [],
  notes: [],
};

const ofLab = 'sum by (job) (errors{namespace="lab"}) > 0';

Deno.test.each(
  [
    ["a label of its own", { job: "web", namespace: "shop" }, ofLab, "own"],
    ["another's", { job: "web", namespace: "lab" }, "errors > 0", "other"],
    ["an expression of its namespace", { job: "web" }, 'sum by (job) (errors{namespace="shop"}) > 0', "own"],
    ["of several", { job: "web" }, 'sum by (job) (errors{namespace=~"lab|shop"}) > 0', "own"],
    ["of another", { job: "web" }, ofLab, "other"],
    ["of none", { job: "web" }, "sum by (job) (errors) > 0", "unknown"],
    [
      "of none, but for what is excepted",
      { job: "web" },
      'errors unless on () off{namespace="ops"}',
      "unknown",
    ],
    [
      "of another, with what is excepted in its own",
      { job: "web" },
      `${ofLab} unless on () off{namespace="shop"}`,
      "unknown",
    ],
    ["of its own, joined", { job: "web" }, 'errors{namespace="shop"} and on () up{namespace="shop"}', "own"],
  ] satisfies [string, Record<string, string>, string, Scope][],
)("an alert about web of shop: %s", (_, labels, expression, scope) => {
  assert.equal(scopeOf(service, labels, expression), scope);
});
