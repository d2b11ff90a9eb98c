/** What in an expression leaves nothing of series that are there. */
import { answerOr } from "../common/errors.ts";
import { count } from "../common/units.ts";
import type { AskOptions, PrometheusApi } from "./api.ts";
import { numberOf } from "./metric_unit.ts";
import { type Binary, type Expression, partsOf } from "./promql_expression.ts";
import { formatDuration } from "./time.ts";

/** What the probe stands on. */
interface Probing {
  readonly api: PrometheusApi;
  readonly options: AskOptions;
}

/**
 * Every selector matches something: sentences on what in the expression itself leaves nothing, if that can be told. Asks
 * one query at most, where there is an operator between two expressions: which side is empty, or what the values are.
 */
export async function explainExpression(
  expression: Expression,
  time: number,
  probing: Probing,
): Promise<readonly string[]> {
  const binary = outermostBinary(expression);
  if (binary === undefined) return emptyBecause(expression);
  // A side that is a scalar or a string can't be counted.
  return await answerOr(emptyBecause(expression), () => explainBinary(binary, time, probing));
}

/** Not inside a subquery, which has times of its own. */
function outermostBinary(expression: Expression): Binary | undefined {
  if (expression.kind === "binary") return expression;
  if (expression.kind === "subquery") return undefined;
  for (const part of partsOf(expression)) {
    const found = outermostBinary(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

const comparison = /^(?:[<>]=?|[=!]=)$/;

const flipped: Readonly<Record<string, string>> = { "<": ">", ">": "<", "<=": ">=", ">=": "<=" };

async function explainBinary(
  { operator, bool, left, right, texts }: Binary,
  time: number,
  { api, options }: Probing,
): Promise<readonly string[]> {
  const sides = [["left", left, texts[0]], ["right", right, texts[1]]] as const;
  const vectors = sides.filter(([, side]) => side.kind !== "number");
  // A comment at the end of a side ends with its line.
  const branches = vectors.flatMap(([name, , text]) =>
    ["count", "min", "max"].map((of) => `label_replace(${of}(\n${text}\n), "probe", "${name} ${of}", "", "")`)
  );
  const { series } = await api.query(branches.join(" or "), time, options);
  const found = new Map(series.map(({ metric, value }) => [metric.probe ?? "", value?.[1] ?? ""]));
  for (const [name, side] of vectors) {
    if (found.has(`${name} count`)) continue;
    const which = vectors.length === 1 ? "" : `The ${name} side of ${operator} has no result. `;
    const [first = "", ...others] = emptyBecause(side);
    return [`${which}${first}`.trim(), ...others].filter((sentence) => sentence !== "");
  }
  const numbers = (name: string) => count(numberOf(found.get(`${name} count`) ?? "0"));
  const compares = comparison.test(operator) && !bool;
  const [only] = vectors;
  if (vectors.length === 1 && only !== undefined && compares) {
    const [name] = only;
    const bound = name === "left" ? right : left;
    const condition = `${name === "left" ? operator : flipped[operator] ?? operator} ${
      bound.kind === "number" ? bound.value : ""
    }`;
    const [least, greatest] = [found.get(`${name} min`), found.get(`${name} max`)];
    return [
      least === greatest
        ? `The values are ${least}, not ${condition}.`
        : `None of ${numbers(name)} values is ${condition}: they lie between ${least} and ${greatest}.`,
    ];
  }
  if (operator === "unless") {
    return ["Every series on the left side of unless has a match on the right side."];
  }
  return [
    `The left side of ${operator} has ${numbers("left")} series, the right side ${
      numbers("right")
    }, but none has the ` +
    `labels of one on the other side${compares ? ", or none meets the comparison" : ""}.`,
  ];
}

/** Sentences on functions that need more than a series. */
function emptyBecause(expression: Expression): string[] {
  if (expression.kind === "call") {
    const { name, args } = expression;
    if (name === "absent" || name === "absent_over_time") {
      return [`${name}() is empty as there are such series.`];
    }
    const range = args.find((argument) => argument.kind === "range");
    if (range?.kind === "range" && /^(?:rate|irate|increase|delta|idelta|deriv|predict_linear)$/.test(name)) {
      return [
        `${name}() needs two samples within its range of ${formatDuration(range.seconds ?? 0)}: ` +
        "take a range of at least four scrape intervals, unless the series have only just appeared.",
      ];
    }
    if (name === "histogram_quantile") {
      return ["histogram_quantile() needs buckets with the label le, or native histograms."];
    }
  }
  return partsOf(expression).flatMap(emptyBecause).slice(0, 1);
}
