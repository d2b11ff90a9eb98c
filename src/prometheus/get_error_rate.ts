/** Tool `get_error_rate`: how many of a service's requests fail, and whether that is more than may be. */
import * as z from "zod";
import { CallError } from "../common/errors.ts";
import { largestThatFits } from "../common/largest_that_fits.ts";
import { filled, rounded } from "../common/structured.ts";
import { defineTool, type Tool } from "../common/tool.ts";
import { count } from "../common/units.ts";
import { visible } from "../common/visible.ts";
import type { PrometheusApi } from "./api.ts";
import { type BurnRate, readBurnRate } from "./burn_rate.ts";
import { type ErrorPlace, readErrorPlaces, readMissedErrors } from "./error_places.ts";
import { requestCounters } from "./instrumentation.ts";
import { oneLine } from "./one_line.ts";
import { rate, readRequests, type RequestRates, type Requests } from "./requests.ts";
import type { Told } from "./result.ts";
import { fitWindow, readInterval } from "./scrapes.ts";
import { beginAsking, leftOutTexts } from "./asking.ts";
import { findService, type Service } from "./service.ts";
import { statusDoubts } from "./request_verdict.ts";
import { serviceArgument, serviceFields, serviceLines, serviceOutput } from "./service_words.ts";
import { formatDuration, parseDuration, utc } from "./time.ts";
import { readVanished, vanishedText } from "./vanished.ts";
import { saidNotes } from "./told.ts";

const input = z.strictObject({
  service: serviceArgument,
  window: z.string().default("5m").describe("5m, 1h, 1d"),
  objective: z.number().gt(0).lt(100).optional()
    .describe("Percentage that must succeed: 99.9"),
});

const code = z.object({
  code: z.string(),
  per_second: z.number(),
  share: z.number().describe("Of all requests; 1 is all"),
  count: z.number().describe("About how many in the window"),
  error: z.literal(true).optional(),
});

const output = z.object({
  service: serviceOutput.service,
  error_ratio: z.number().nullable().describe("1 is all; null: no traffic, or nothing that tells, see notes"),
  more_may_fail: z.literal(true).optional().describe("error_ratio is what is known to fail"),
  notes: z.array(z.string()).optional(),
  errors_per_second: z.number().optional(),
  requests_per_second: z.number().optional().describe("Absent: no data"),
  errors: z.number().optional().describe("About how many in the window"),
  requests: z.number().optional(),
  window: z.string(),
  until: z.string(),
  burn_rate: z.object({
    objective_percent: z.number(),
    verdict: z.enum(["page", "ticket", "ok", "no data"]).describe(
      "page: burns fast enough to page somebody; ticket: too fast, but slowly enough for a ticket",
    ),
    windows: z.array(z.object({
      long: z.string(),
      short: z.string(),
      long_burn: z.number().nullable().describe(
        "1 spends the budget of 30 days in 30 days; null: no traffic",
      ),
      short_burn: z.number().nullable(),
      threshold: z.number().describe("For both"),
      burns: z.literal(true).optional(),
      covered: z.literal(false).optional().describe("No samples from the beginning of the long window"),
    })),
  }).optional(),
  code_label: z.string().optional(),
  code_count: z.number().optional(),
  by_code: z.array(code).optional(),
  errors_by: z.array(z.object({ labels: z.string(), per_second: z.number() })).optional(),
  metric: z.string().nullable().describe("null: nothing that counts requests was found"),
  instrumentation: z.string().optional(),
  passed_over: z.array(z.object({ metric: z.string(), because: z.string() })).optional(),
  found_by: serviceOutput.found_by,
  also_found_by: serviceOutput.also_found_by,
  query: z.string().optional(),
});
type Answer = z.output<typeof output>;

interface Found {
  readonly service: Service;
  readonly time: number;
  readonly window: number;
  readonly requests: Requests;
  readonly places: readonly ErrorPlace[];
  readonly burn: BurnRate | undefined;
  /** Whether more may fail than is known to. */
  readonly doubted: boolean;
  readonly notes: readonly string[];
  readonly told: Told;
}

/** Computes the error rate; `now` gives epoch milliseconds, Prometheus unless given. */
export function getErrorRate(api: PrometheusApi, now?: () => number): Tool {
  return defineTool({
    name: "get_error_rate",
    title: "Error rate of a service",
    description:
      "What share of a service's requests fails: ratio, per second, by code, and where. Finds the instrumentation itself (HTTP, OpenTelemetry, Spring, gRPC, Istio …). With an objective: whether its error budget is burning.",
    input,
    output,
    async run({ service: name, window: windowText, objective }, { signal }): Promise<Found> {
      const asked = parseDuration(windowText, "window");
      const target = objective === undefined ? undefined : readObjective(objective);
      const asking = await beginAsking(api, signal, now);
      const service = await findService(asking, name);
      const [counter] = requestCounters(service.metrics);
      /** What counts its requests no more tells nothing of those that failed since then. */
      const readGone = async (window: number, interval?: number, rates?: RequestRates) => {
        const vanished = await readVanished(asking, service, { window, interval });
        const text = vanishedText(vanished, rates, asking.time);
        return text === undefined ? [] : [text, ...leftOutTexts(asking.leftOut)];
      };
      if (counter === undefined) {
        const gone = service.goneSince === undefined ? await readGone(asked) : [];
        const requests = { rates: undefined, beside: [], passedOver: [] };
        return {
          service,
          time: asking.time,
          window: asked,
          requests,
          places: [],
          burn: undefined,
          doubted: gone.length > 0,
          notes: gone,
          told: asking.heard(),
        };
      }
      const interval = await readInterval(asking, service, counter.metric);
      const { window, notes } = fitWindow(asked, interval);
      const requests = await readRequests(asking, service, window);
      const { rates } = requests;
      const gone = await readGone(window, interval, rates);
      const [places = [], missed, burn] = rates === undefined ? [] : await Promise.all([
        rates.errorsPerSecond > 0 ? readErrorPlaces(asking, rates) : [],
        readMissedErrors(asking, rates),
        target === undefined ? undefined : readBurnRate(asking, rates.source, target),
      ]);
      const doubts = rates === undefined ? [] : statusDoubts(rates);
      return {
        service,
        time: asking.time,
        window,
        requests,
        places,
        burn,
        doubted: missed !== undefined || doubts.length + gone.length > 0,
        notes: [...gone, ...notes, ...doubts, ...(missed === undefined ? [] : [missed.text])],
        told: asking.heard(),
      };
    },
    present(found: Found, budget) {
      const make = (shown: number) => {
        const answer = answerOf(found, shown, budget);
        const { by_code: codes = [] } = answer;
        return {
          text: render(answer, found),
          structured: rounded(structuredOf(answer, found), ["objective_percent"]),
          rows: codes.length,
        };
      };
      return largestThatFits(
        Math.max(1, Math.min(20, found.requests.rates?.codes.length ?? 0)),
        make,
        budget,
      );
    },
  });
}

/** A ratio: 99.9 is 0.999, and so is 0.999. */
function readObjective(objective: number): number {
  if (objective < 1) return objective;
  if (objective >= 50) return objective / 100;
  throw new CallError("invalid", `Cannot take ${objective} as an objective in percent`, {
    hint: "an objective is the part of requests that must succeed, such as 99.9",
  });
}

function answerOf(
  { service, time, window, requests, places, burn, notes, told }: Found,
  shown: number,
  budget: number,
): Answer {
  const { rates } = requests;
  const traffic = rates !== undefined && rates.requestsPerSecond > 0;
  const { notes: own, found, service: name } = serviceFields(service);
  return {
    service: name,
    error_ratio: traffic ? rates.ratio : null,
    ...filled({
      errors_per_second: rates?.errorsPerSecond,
      requests_per_second: rates?.requestsPerSecond,
      errors: traffic ? Math.round(rates.errorsPerSecond * window) : undefined,
      requests: traffic ? Math.round(rates.requestsPerSecond * window) : undefined,
    }),
    window: formatDuration(window),
    until: utc(Math.floor(time)),
    ...filled({
      notes: [...own, ...notes, ...saidNotes(told, budget)],
      burn_rate: burn === undefined ? undefined : burnFields(burn),
      code_label: rates?.source.codeLabel,
      code_count: rates?.codes.length,
      by_code: (rates?.codes ?? []).slice(0, shown).map(({ code, perSecond, isError }) => ({
        code: oneLine(code, 60),
        per_second: perSecond,
        share: traffic ? perSecond / rates.requestsPerSecond : 0,
        count: Math.round(perSecond * window),
        ...(isError ? { error: true as const } : {}),
      })),
      errors_by: places.slice(0, shown === 0 ? 0 : 5)
        .map(({ labels, perSecond }) => ({ labels, per_second: perSecond })),
    }),
    metric: rates?.source.counter.metric ?? null,
    ...filled({
      instrumentation: rates?.source.counter.instrumentation.from,
      passed_over: requests.passedOver.slice(0, 5).map((each) => ({ ...each })),
    }),
    ...found,
    ...filled({ query: rates?.query }),
  };
}

/** With what its text says in its first line, where that is no figure, and of codes that are not shown. */
function structuredOf(answer: Answer, { doubted, requests }: Found): Answer {
  const { service, error_ratio, notes = [], ...others } = answer;
  const [shown, all] = [answer.by_code?.length ?? 0, requests.rates?.codes.length ?? 0];
  const said = [
    ...(error_ratio === null ? [noRatio(answer, doubted)] : []),
    ...(shown < all ? [`Cut: the first ${shown} of ${all} codes shown`] : []),
    ...notes,
  ];
  return {
    service,
    error_ratio,
    ...(doubted && error_ratio !== null ? { more_may_fail: true as const } : {}),
    ...filled({ notes: said }),
    ...others,
  };
}

function burnFields({ objective, verdict, rules }: BurnRate): NonNullable<Answer["burn_rate"]> {
  const known = (burn: number) => Number.isNaN(burn) ? null : burn;
  return {
    objective_percent: Number((objective * 100).toPrecision(12)),
    verdict,
    windows: rules.map(({ long, short, factor, longBurn, shortBurn, burns }) => ({
      long: formatDuration(long),
      short: formatDuration(short),
      long_burn: known(longBurn.burn),
      short_burn: known(shortBurn.burn),
      threshold: factor,
      ...(burns === true ? { burns } : {}),
      ...(longBurn.covered ? {} : { covered: false as const }),
    })),
  };
}

/** A ratio as a percentage with three significant digits: in an error budget the third matters. */
export function ratioText(ratio: number): string {
  return `${rate(ratio * 100)}%`;
}

function render(answer: Answer, { doubted }: Found): string {
  const { metric, requests_per_second: requests, errors_per_second: errors, error_ratio: ratio } = answer;
  const { by_code: codes = [], code_count: allCodes = 0, errors_by: places = [], passed_over = [] } = answer;
  const lines = [headline(answer, doubted)];
  if (metric !== null && requests !== undefined && errors !== undefined && ratio !== null) {
    lines.push(
      `${rate(errors)} of ${rate(requests)} requests/s; about ${count(answer.errors ?? 0)} of ${
        count(answer.requests ?? 0)
      } in ${answer.window} until ${answer.until}`,
      `by ${answer.code_label}: ${
        codes.map(({ code, per_second, share, error }) =>
          `${visible(code) || "(none)"} ${rate(per_second)}/s ${ratioText(share)}${error ? " (error)" : ""}`
        ).join(", ")
      }${allCodes > codes.length ? ` [Cut: ${allCodes} codes in all]` : ""}`,
    );
    if (places.length > 0) {
      lines.push(
        `errors from: ${
          places.map(({ labels, per_second }) => `${visible(labels)} ${rate(per_second)}/s`).join("; ")
        }`,
      );
    }
  }
  if (answer.burn_rate !== undefined) lines.push(...burnLines(answer.burn_rate));
  lines.push(...serviceLines(answer));
  if (metric !== null) lines.push(`counted by ${visible(metric)} (${answer.instrumentation})`);
  if (passed_over.length > 0) {
    lines.push(
      `passed over: ${
        passed_over.map(({ metric, because }) => `${visible(metric)} (${because})`).join(", ")
      }`,
    );
  }
  if (answer.query !== undefined) lines.push(`query: ${visible(answer.query)}`);
  lines.push(...(answer.notes ?? []).map((note) => `note: ${visible(note)}`));
  return lines.join("\n");
}

function headline(answer: Answer, doubted: boolean): string {
  const { service, error_ratio: ratio, code_label: label } = answer;
  const name = visible(service);
  if (ratio === null) return `${name}: ${noRatio(answer, doubted)}`;
  return `${name}: ${
    ratio === 0 && !doubted
      ? "0%: no request fails"
      : `${ratioText(ratio)} of requests ${doubted ? "are known to fail" : "fail"}`
  } (by ${label})`;
}

/** Why there is no ratio. */
function noRatio({ metric, window }: Answer, doubted: boolean): string {
  if (metric !== null) return `no data: no request in the last ${window}, which is not 0% errors`;
  return doubted
    ? "no data on errors: what counted its requests has no samples now"
    : "no data on errors: nothing that counts its requests by status was found. find_metrics shows what it has.";
}

function burnLines(
  { objective_percent: objective, verdict, windows }: NonNullable<Answer["burn_rate"]>,
): string[] {
  const words = {
    page: "burns fast enough to page somebody",
    ticket: "burns too fast, but slowly enough for a ticket",
    ok: "does not burn too fast",
    "no data": "can't be judged: no traffic",
  };
  const burn = (value: number | null) => value === null ? "no data" : rate(value);
  return [
    `error budget of ${objective}%: ${words[verdict]}`,
    ...windows.map(({ long, short, long_burn, short_burn, threshold, burns, covered }) =>
      `  ${long} ${burn(long_burn)}, ${short} ${burn(short_burn)}, threshold ${threshold} for both${
        burns === true ? ": BURNS" : ""
      }${covered === undefined ? "" : ` (no samples from ${long} ago: only what there is)`}`
    ),
  ];
}
