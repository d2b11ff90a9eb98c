/** Prometheus's own objections to a query, with the place in the query and what to write instead. */
import { CallError } from "../common/errors.ts";
import { didYouMean, nearest } from "../common/nearest.ts";
import { excerpt, type ParsedQuery } from "./promql.ts";
import { expressions } from "./promql_expression.ts";
import { unparsed } from "./victoria_metrics.ts";

const rangeFunctions = new Set(
  ("rate irate increase delta idelta deriv predict_linear changes resets absent_over_time avg_over_time min_over_time " +
    "max_over_time sum_over_time count_over_time quantile_over_time stddev_over_time stdvar_over_time last_over_time " +
    "first_over_time present_over_time mad_over_time").split(" "),
);
const otherFunctions =
  ("abs absent ceil changes clamp clamp_max clamp_min day_of_month day_of_week days_in_month exp floor " +
    "histogram_avg histogram_count histogram_fraction histogram_quantile histogram_stddev histogram_sum hour label_join " +
    "label_replace ln log2 log10 minute month round scalar sgn sort sort_desc sort_by_label sqrt time timestamp vector " +
    "year double_exponential_smoothing sum avg min max count topk bottomk quantile stddev count_values group")
    .split(" ");

/**
 * The error of a query call with a hint that points to the place and says what to write; the error itself when there is
 * nothing to add. Prometheus's own words stay as they are.
 */
export function explainRefusal(error: CallError, parsed: ParsedQuery): CallError {
  if (error.kind !== "invalid" && error.kind !== "failed") return error;
  const place = placeIn(error.message, parsed);
  const advice = adviceFor(error.message, parsed);
  const pointed = place === undefined || !isSyntax(error.message)
    ? undefined
    : `look at ▸ in: ${excerpt(parsed.text, place)}`;
  const hint = [advice, pointed ?? (advice === undefined ? error.hint : undefined)]
    .filter((part) => part !== undefined).join("; ");
  return new CallError(error.kind, error.message, { hint: hint === "" ? undefined : hint, cause: error });
}

function isSyntax(message: string): boolean {
  return /parse error|unparsed data|cannot (?:recognize|find)|StringExpr/.test(message);
}

/** The offset of Prometheus's `1:5: parse error`, which counts bytes; else where our own grammar stumbled. */
function placeIn(message: string, parsed: ParsedQuery): number | undefined {
  const match = /(?:^|[\s"])(\d+):(\d+): parse error/.exec(message);
  if (match === null) {
    const rest = unparsed(message);
    return rest !== undefined && parsed.text.endsWith(rest)
      ? parsed.text.length - rest.length
      : parsed.stumblesAt;
  }
  const lines = parsed.text.split("\n");
  const line = Number(match[1]) - 1;
  const start = lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
  const bytes = new TextEncoder().encode(lines[line] ?? "").subarray(0, Math.max(0, Number(match[2]) - 1));
  return start + new TextDecoder().decode(bytes).length;
}

function adviceFor(message: string, parsed: ParsedQuery): string | undefined {
  const wanted =
    /expected type (range|instant) vector in (?:call to function|aggregation expression) ?"?(\w*)"?/
      .exec(message);
  if (wanted?.[1] === "range") return `${wanted[2]}() needs a range: ${withRange(parsed, wanted[2] ?? "")}`;
  if (wanted?.[1] === "instant") {
    return "a range such as [5m] belongs inside rate(), increase() or …_over_time(), which goes inside the rest: " +
      "sum(rate(x[5m]))";
  }
  const unknown = /(?:unknown function with name|unsupported function) "([^"]*)"/.exec(message)?.[1];
  if (unknown !== undefined) {
    const near = nearest(unknown, [...rangeFunctions, ...otherFunctions], 2);
    return didYouMean(near, " or ") ?? "there is no such function in this version";
  }
  if (/\$\{?[A-Za-z_]/.test(parsed.text) && isSyntax(message)) {
    return "Grafana's variables, such as $__rate_interval, are not PromQL: write a duration such as 5m in their place";
  }
  if (/[{,]\s*[\w.]+\s*==/.test(parsed.text) && isSyntax(message)) {
    return 'a label matcher has a single equals sign: {job="api"}';
  }
  if (/[{,]\s*[\w.]+\s*[=!]~?\s*[^"'`\s=~]/.test(parsed.text) && isSyntax(message)) {
    return 'label values are quoted: {job="api"}';
  }
  if (/missing argument to repetition operator/.test(message)) {
    return "patterns are regular expressions (RE2): write .* for a shell's *";
  }
  if (
    /many-to-many|found duplicate series|duplicate time series on|multiple matches for labels|many-to-one/
      .test(message)
  ) {
    return "aggregate both sides by the same labels, or add on (labels) and group_left or group_right";
  }
  if (/must contain at least one non-empty matcher/.test(message)) {
    return 'name the metric, or match a label with something: {job="api"}';
  }
  return undefined;
}

/** The call as it could have been meant. */
function withRange(parsed: ParsedQuery, name: string): string {
  for (const part of expressions(parsed.expression)) {
    if (part.kind !== "call" || part.name !== name) continue;
    const argument = part.args.find(({ kind }) => kind === "selector");
    if (argument?.kind === "selector" && argument.to - argument.from <= 100) {
      return `${name}(${parsed.text.slice(argument.from, argument.to)}[5m])`;
    }
  }
  return `${name}(x[5m]); of an expression, ${name}((…)[5m:])`;
}
