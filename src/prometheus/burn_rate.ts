/**
 * How fast an error budget burns, by the rule of several windows: a long window says that it matters, a short one that
 * it still goes on. Both must burn. https://sre.google/workbook/alerting-on-slos/, table 5-8, for a budget of 30 days.
 */
import { errorMatchers, rateOf, type RequestSource } from "./requests.ts";
import type { Asking } from "./asking.ts";
import { selector } from "./promql_literal.ts";
import { figureOf } from "./result.ts";
import { formatDuration } from "./time.ts";

interface Rule {
  readonly long: number;
  readonly short: number;
  /** 1 spends the budget of 30 days in 30 days. */
  readonly factor: number;
  readonly urgency: "page" | "ticket";
}

const rules: readonly Rule[] = [
  { long: 3_600, short: 300, factor: 14.4, urgency: "page" },
  { long: 21_600, short: 1_800, factor: 6, urgency: "page" },
  { long: 86_400, short: 7_200, factor: 3, urgency: "ticket" },
  { long: 259_200, short: 21_600, factor: 1, urgency: "ticket" },
];

/** What one window says. */
export interface WindowBurn {
  /** The error ratio over what the budget allows; NaN without traffic. */
  readonly burn: number;
  /** Whether there are samples from the window's beginning on. */
  readonly covered: boolean;
}

/** A pair of windows, and whether both burn. */
export interface BurnRule extends Rule {
  readonly longBurn: WindowBurn;
  readonly shortBurn: WindowBurn;
  /** Undefined without traffic in one of them. */
  readonly burns: boolean | undefined;
}

/** What became of the budget. */
export interface BurnRate {
  /** A ratio, such as 0.999. */
  readonly objective: number;
  readonly rules: readonly BurnRule[];
  readonly verdict: "page" | "ticket" | "ok" | "no data";
}

/** Reads the burn rates for an objective, which is a ratio below 1. */
export async function readBurnRate(
  asking: Asking,
  source: RequestSource,
  objective: number,
): Promise<BurnRate> {
  const windows = [...new Set(rules.flatMap(({ long, short }) => [short, long]))];
  const burns = new Map(
    await Promise.all(
      windows.map(async (window) =>
        [window, await readWindow(asking, source, window, 1 - objective)] as const
      ),
    ),
  );
  const none = { burn: NaN, covered: false };
  const judged = rules.map((rule): BurnRule => {
    const longBurn = burns.get(rule.long) ?? none;
    const shortBurn = burns.get(rule.short) ?? none;
    const known = !Number.isNaN(longBurn.burn) && !Number.isNaN(shortBurn.burn);
    const burns_ = longBurn.burn > rule.factor && shortBurn.burn > rule.factor;
    return { ...rule, longBurn, shortBurn, burns: known ? burns_ : undefined };
  });
  const urgent = (["page", "ticket"] as const).find((urgency) =>
    judged.some((rule) => rule.burns === true && rule.urgency === urgency)
  );
  const verdict = urgent ?? (judged.some(({ burns }) => burns === false) ? "ok" : "no data");
  return { objective, rules: judged, verdict };
}

/** One query for a window: errors, all, and whether anything was counted when it began. */
async function readWindow(
  { api, time, signal }: Asking,
  source: RequestSource,
  window: number,
  budget: number,
): Promise<WindowBurn> {
  const { counter, matchers } = source;
  const parts = {
    errors: `sum(${rateOf(counter, errorMatchers(source), window)})`,
    all: `sum(${rateOf(counter, matchers, window)})`,
    covered: `count(${selector(counter.metric, matchers)} offset ${formatDuration(window)})`,
  };
  const query = Object.entries(parts)
    .map(([part, expression]) => `label_replace(${expression}, "part", "${part}", "", "")`).join(" or ");
  const { series } = await api.query(query, time, { signal });
  const value = (part: string) => figureOf(series.find(({ metric }) => metric.part === part)?.value);
  const all = value("all");
  const errors = value("errors");
  const ratio = (Number.isNaN(errors) ? 0 : errors) / all;
  return { burn: all > 0 ? ratio / budget : NaN, covered: value("covered") > 0 };
}
