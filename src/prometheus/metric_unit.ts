/** The unit of an expression's values, as far as names, metadata and arithmetic tell; and values in that unit. */
import { duration, percent, size } from "../common/units.ts";
import { type Expression, expressions } from "./promql_expression.ts";
import { utc } from "./time.ts";

/** A unit; `timestamp` is epoch seconds, the empty name a plain count. */
export interface Unit {
  readonly name: string;
  /** Per second. */
  readonly rate: boolean;
}

/** Base units of https://prometheus.io/docs/practices/naming/#base-units, and others that names end in. */
const suffixes =
  /_(bytes|seconds|ratio|celsius|meters|volts|amperes|joules|grams|milliseconds|percent|bits|hertz)$/;
const timestamps = /_(?:timestamp|time|timestamp_time)_seconds$|_created$/;
/** Seconds that are told as a time of day and still are a duration. */
const durations =
  /_(?:cpu|run|up|idle|wait|iowait|busy|io|read|write|response|request|process(?:ing)?)_time_seconds$/;

/** The unit of a metric's samples; `unit` is what its metadata says. */
export function metricUnit(name: string, unit = ""): Unit {
  if (/_(?:bucket|count|info)$/.test(name)) return { name: "", rate: false };
  if (timestamps.test(name) && !durations.test(name)) return { name: "timestamp", rate: false };
  const base = name.replace(/_(?:total|sum)$/, "");
  return { name: unit !== "" ? unit : suffixes.exec(base)?.[1] ?? "", rate: false };
}

const sameUnit = new Set(
  ("increase delta idelta avg_over_time min_over_time max_over_time sum_over_time last_over_time first_over_time " +
    "stddev_over_time mad_over_time abs ceil floor round clamp clamp_min clamp_max sort sort_desc scalar vector " +
    "label_replace label_join predict_linear sum avg min max topk bottomk limitk limit_ratio stddev " +
    "sort_by_label sort_by_label_desc double_exponential_smoothing histogram_sum histogram_avg").split(" "),
);
const comparisons = new Set(["==", "!=", "<", ">", "<=", ">="]);

/** The unit of an expression's result; undefined where it can't be told. */
export function unitOf(expression: Expression, metric: (name: string) => Unit): Unit | undefined {
  const of = (part: Expression | undefined) => part === undefined ? undefined : unitOf(part, metric);
  switch (expression.kind) {
    case "selector":
      return expression.metric === undefined ? undefined : metric(expression.metric);
    case "range":
    case "subquery":
    case "shifted":
    case "unary":
      return of(expression.of);
    case "aggregate":
    case "call": {
      const name = expression.kind === "call" ? expression.name : expression.operator;
      const { args } = expression;
      if (name === "time" || name === "timestamp") return { name: "timestamp", rate: false };
      if (name === "quantile" || name === "quantile_over_time") return of(args[1]);
      if (name === "histogram_quantile") return bucketUnit(args[1], metric);
      const unit = of(args.find(({ kind }) => kind !== "number" && kind !== "string"));
      if (name === "rate" || name === "irate" || name === "deriv") {
        return unit && { name: unit.name, rate: true };
      }
      return sameUnit.has(name) ? unit : undefined;
    }
    case "binary": {
      const { operator, left, right } = expression;
      if (expression.bool) return undefined;
      if (left.kind === "number" || right.kind === "number") {
        const other = left.kind === "number" ? right : left;
        // 1 - ratio is a ratio, x > 5 is x; twice as much of something may be anything.
        return comparisons.has(operator) || operator === "+" || operator === "-" ? of(other) : undefined;
      }
      if (comparisons.has(operator) || operator === "and" || operator === "unless" || operator === "or") {
        return of(left);
      }
      if (operator === "/" && sameMetric(left, right)) return { name: "ratio", rate: false };
      return arithmetic(operator, of(left), of(right));
    }
    default:
      return undefined;
  }
}

/** Such as errors of all requests: a part of a whole, if both are counted alike. */
function sameMetric(left: Expression, right: Expression): boolean {
  const shape = (side: Expression) =>
    [...expressions(side)].map((part) =>
      part.kind === "selector" ? part.metric ?? "" : part.kind === "call" ? part.name : ""
    ).filter((name) => name !== "").join();
  return shape(left) !== "" && shape(left) === shape(right);
}

function arithmetic(operator: string, left: Unit | undefined, right: Unit | undefined): Unit | undefined {
  if (left === undefined || right === undefined) return undefined;
  const same = left.name === right.name && left.rate === right.rate;
  if (operator === "-" && same && left.name === "timestamp") return { name: "seconds", rate: false };
  if (operator === "+" || operator === "-") return same ? left : undefined;
  if (operator !== "/" || left.rate !== right.rate) return undefined;
  if (same) return left.name === "" ? undefined : { name: "ratio", rate: false };
  return right.name === "" ? { name: left.name, rate: false } : undefined;
}

/** Of `histogram_quantile`'s argument: what the bounds of the buckets are in, which is in the histogram's name. */
function bucketUnit(expression: Expression | undefined, metric: (name: string) => Unit): Unit | undefined {
  if (expression === undefined) return undefined;
  const unit = unitOf(expression, (name) => metric(name.replace(/_bucket$/, "_sum")));
  return unit && { name: unit.name, rate: false };
}

/** `bytes per second`; empty where there is nothing to say. */
export function unitText(unit: Unit | undefined): string {
  if (unit === undefined) return "";
  if (unit.name === "") return unit.rate ? "per second" : "";
  return unit.rate ? `${unit.name} per second` : unit.name;
}

/** The value as people read it in its unit; undefined where that is the value itself. */
export function humanValue(value: string, unit: Unit | undefined): string | undefined {
  const number = numberOf(value);
  if (unit === undefined || !Number.isFinite(number)) return undefined;
  switch (unit.name) {
    case "bytes":
      // Below that, the number itself reads better.
      return Math.abs(number) < 10_240 ? undefined : size(number) + (unit.rate ? "/s" : "");
    case "seconds":
      return unit.rate || number === 0 ? undefined : duration(number * 1000);
    case "milliseconds":
      return unit.rate || number === 0 ? undefined : duration(number);
    case "ratio":
      return unit.rate ? undefined : percent(number);
    case "timestamp":
      return unit.rate || number < 1e8 ? undefined : utc(number);
    default:
      return undefined;
  }
}

/** A value's text as a number; Prometheus writes infinities as `+Inf` and `-Inf`. */
export function numberOf(value: string): number {
  if (value === "+Inf" || value === "Inf") return Infinity;
  if (value === "-Inf") return -Infinity;
  return Number(value);
}
