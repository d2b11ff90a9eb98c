/**
 * Common mistakes in PromQL, said beside the answer and never in its place. A warning is only given where the result is
 * wrong whatever the series are, so that an honest query stays without one.
 */
import { type Aggregate, type Binary, type Call, type Expression, expressions } from "./promql_expression.ts";
import { quoteLabelName, quoteLabelValue } from "./promql_literal.ts";
import { formatDuration } from "./time.ts";

/** Of a metric by its name: `counter`, `gauge`, `histogram`, `summary`; undefined when nobody says. */
export type TypeOf = (metric: string) => string | undefined;

/** Functions of counters, and functions of gauges, that are often taken for each other. */
const counterFunctions = new Set(["rate", "increase", "irate"]);
const gaugeFunctions = new Set(["deriv", "delta", "idelta", "predict_linear"]);
const aggregating = new Set(["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group", "quantile"]);
/** Seconds of range from which `irate`'s last two samples can't be what was meant. */
const longIrate = 900;

/** What is wrong with a query, each in one sentence; most often nothing. */
export function mistakes(
  parsed: { readonly expression: Expression },
  typeOf: TypeOf,
): readonly string[] {
  const found = new Set<string>();
  for (const part of expressions(parsed.expression)) {
    const sentences = part.kind === "call"
      ? callMistakes(part, typeOf)
      : part.kind === "aggregate"
      ? aggregateMistakes(part, typeOf)
      : part.kind === "binary"
      ? binaryMistakes(part)
      : [];
    for (const sentence of sentences) found.add(sentence);
  }
  return [...found];
}

function callMistakes(call: Call, typeOf: TypeOf): readonly string[] {
  if (call.name === "histogram_quantile") return quantileMistakes(call);
  const sentences: string[] = [];
  const argument = call.args.find(({ kind }) => kind !== "number" && kind !== "string");
  if (argument === undefined) return [];
  const range = unshifted(argument);
  if (counterFunctions.has(call.name)) {
    if (range.kind === "range") {
      const of = unshifted(range.of);
      const metric = of.kind === "selector" ? of.metric : undefined;
      if (metric !== undefined && typeOf(metric) === "gauge") {
        sentences.push(
          `${metric} is a gauge: ${call.name}() takes each fall for a counter's restart, so the figure is wrong; ` +
            `use ${
              call.name === "irate" ? "idelta" : call.name === "increase" ? "delta" : "deriv"
            }() or avg_over_time()`,
        );
      }
      if (call.name === "irate" && (range.seconds ?? 0) >= longIrate) {
        sentences.push(
          `irate() looks at the last two samples only, whatever its range of ${
            formatDuration(range.seconds ?? 0)
          }; ` +
            "use rate() for the average over the range",
        );
      }
    } else if (range.kind === "subquery") {
      const inner = unshifted(range.of);
      if (inner.kind === "aggregate" && aggregating.has(inner.operator)) {
        sentences.push(
          `${call.name}() of ${inner.operator}() sees a fall of the ${inner.operator} whenever one process restarts or ` +
            `goes away, and takes it for a restart of all; aggregate last: ${inner.operator}(${call.name}(…[5m]))`,
        );
      } else if (inner.kind === "call" && counterFunctions.has(inner.name)) {
        sentences.push(
          `${call.name}() of ${inner.name}() is the rate of a rate; for the change of a rate use deriv() or delta()`,
        );
      }
    }
  }
  if (gaugeFunctions.has(call.name) && call.name !== "predict_linear" && range.kind === "range") {
    const of = unshifted(range.of);
    if (of.kind === "selector" && of.metric !== undefined && isCounter(of.metric, typeOf)) {
      const better = call.name === "deriv" ? "rate" : call.name === "delta" ? "increase" : "irate";
      sentences.push(`${of.metric} is a counter: ${call.name}() goes wrong at restarts; use ${better}()`);
    }
  }
  return sentences;
}

/** `histogram_quantile` over classic buckets; native histograms have no `le` and need none. */
function quantileMistakes(call: Call): readonly string[] {
  const argument = call.args[1];
  if (argument === undefined) return [];
  const parts = [...expressions(argument)];
  const buckets = parts.find((part) => part.kind === "selector" && part.metric?.endsWith("_bucket"));
  if (buckets?.kind !== "selector" || buckets.metric === undefined) return [];
  const sentences: string[] = [];
  const dropping = parts.find((part): part is Aggregate =>
    part.kind === "aggregate" && !keepsLabel(part, "le")
  );
  if (dropping !== undefined) {
    const by = ["le", ...(dropping.by ?? [])].map(quoteLabelName).join(", ");
    sentences.push(
      `histogram_quantile() needs the label le, which ${dropping.operator}() drops here, so there is no result; ` +
        (dropping.without === undefined
          ? `write ${dropping.operator} by (${by}) (…)`
          : `take le out of ${dropping.operator} without (…)`),
    );
  }
  const bounded = parts.some((part) =>
    part.kind === "call" && /^(?:rate|irate|increase|delta)$/.test(part.name)
  );
  // A recording rule such as job:latency_bucket:rate5m does not end in _bucket.
  if (!bounded && !buckets.metric.includes(":")) {
    sentences.push(
      `histogram_quantile() of bare buckets covers everything since each process started; ` +
        `write rate(${buckets.metric}[5m]) inside for the last 5 minutes`,
    );
  }
  return sentences;
}

function keepsLabel(aggregate: Aggregate, label: string): boolean {
  if (["topk", "bottomk", "limitk", "limit_ratio"].includes(aggregate.operator)) return true;
  return aggregate.without === undefined
    ? aggregate.by?.includes(label) === true
    : !aggregate.without.includes(label);
}

function aggregateMistakes(aggregate: Aggregate, typeOf: TypeOf): readonly string[] {
  if (aggregate.operator !== "avg" && aggregate.operator !== "sum") return [];
  const argument = aggregate.args.at(-1);
  if (argument === undefined) return [];
  const inner = unshifted(argument);
  const summary = inner.kind === "selector" && inner.metric !== undefined &&
    typeOf(inner.metric) !== "gauge" &&
    inner.matchers.some(([label, operator, value]) =>
      label === "quantile" && operator === "=" && value !== ""
    );
  if (inner.kind === "call" && inner.name === "histogram_quantile") {
    return [
      `${aggregate.operator}() of quantiles is not a quantile; aggregate the buckets: ` +
      `histogram_quantile(0.99, sum by (le) (rate(…_bucket[5m])))`,
    ];
  }
  return summary
    ? [
      `${aggregate.operator}() of a summary's quantiles is not a quantile; use max(), or divide …_sum by …_count for a mean`,
    ]
    : [];
}

const matchingOperators = new Set([..."+-*/%^", "==", "!=", "<", ">", "<=", ">=", "and", "unless"]);

/** Two aggregations that keep different labels never match, unless the query says how. */
function binaryMistakes(binary: Binary): readonly string[] {
  if (binary.matching || !matchingOperators.has(binary.operator)) return [];
  const left = keptLabels(binary.left);
  const right = keptLabels(binary.right);
  if (left === undefined || right === undefined || left.join() === right.join()) return [];
  const fewer = left.length < right.length ? left : right;
  const names = (labels: readonly string[]) => `(${labels.map(quoteLabelName).join(", ")})`;
  const group = left.length < right.length ? "group_right" : "group_left";
  const how = binary.operator === "and" || binary.operator === "unless"
    ? `${binary.operator} on ${names(fewer)}`
    : `${binary.operator} on ${names(fewer)} ${group}`;
  return [
    `the two sides of ${binary.operator} keep different labels, ${names(left)} and ${
      names(right)
    }, and only series ` +
    `with equal labels match; write ${how}`,
  ];
}

/** The labels of an aggregation's result where the query alone tells them, in order; none for a plain `sum(x)`. */
function keptLabels(expression: Expression): readonly string[] | undefined {
  const inner = unshifted(expression);
  if (inner.kind === "binary" && !inner.matching) {
    if (inner.right.kind === "number") return keptLabels(inner.left);
    if (inner.left.kind === "number") return keptLabels(inner.right);
  }
  if (inner.kind !== "aggregate" || !aggregating.has(inner.operator) || inner.without !== undefined) {
    return undefined;
  }
  return [...new Set(inner.by ?? [])].toSorted();
}

/** Conditions that compare with `=` what can only be meant as a pattern; for explaining an empty result. */
export function literalPatterns(parsed: { readonly expression: Expression }): readonly string[] {
  return [...expressions(parsed.expression)].flatMap((part) =>
    part.kind !== "selector"
      ? []
      : part.matchers.flatMap(([label, operator, value]) =>
        operator === "=" && /\.[*+]|\||^\d\.\.$|\[.*\]/.test(value)
          ? [`${quoteLabelName(label)}=${quoteLabelValue(value)} compares literally; a pattern needs =~`]
          : []
      )
  );
}

function unshifted(expression: Expression): Expression {
  return expression.kind === "shifted" ? unshifted(expression.of) : expression;
}

/** By its type, or by its name where the type is unknown. */
export function isCounter(metric: string, typeOf: TypeOf): boolean {
  const type = typeOf(metric);
  if (type !== undefined && type !== "unknown") return type === "counter";
  return metric.endsWith("_total");
}
