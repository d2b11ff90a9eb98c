/**
 * OpenMetrics text for `promtool tsdb create-blocks-from openmetrics`: series whose rates, ratios, quantiles, growth and
 * gaps are known because they were made so.
 */

/** Where samples lie: every `step` seconds from `from` to `to`, both included, epoch seconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  /** Stretches without a sample: from the first to the second, both included. */
  readonly gaps?: readonly (readonly [from: number, to: number])[];
}

/** Labels of a series, without its name. */
export type SeriesLabels = Readonly<Record<string, string>>;

/** A whole number of seconds, one that `step` divides: spans of different series then share their times. */
export function alignedSeconds(epochMs: number, step: number): number {
  return Math.floor(epochMs / 1000 / step) * step;
}

/** The times of a span. */
function timesOf({ from, to, step, gaps = [] }: Span): readonly number[] {
  const times: number[] = [];
  for (let time = from; time <= to; time += step) {
    if (!gaps.some(([start, end]) => time >= start && time <= end)) times.push(time);
  }
  return times;
}

/** A label's value in quotes, as the text format escapes it. */
function quoted(value: string): string {
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** `name{a="b"}`, or `{"a name","a label"="b"}` where a name is not of the classic kind. */
export function seriesText(name: string, labels: SeriesLabels): string {
  const pairs = Object.entries(labels).map(([label, value]) =>
    `${/^[A-Za-z_]\w*$/.test(label) ? label : quoted(label)}=${quoted(value)}`
  );
  if (!/^[A-Za-z_:][\w:]*$/.test(name)) return `{${[quoted(name), ...pairs].join(",")}}`;
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

/** Collects series, and gives them as text. */
export class OpenMetrics {
  readonly #lines: string[] = [];

  /** Bytes are spent on what a test reads: backfill keeps no metadata, so there are no `# TYPE` lines. */
  get lines(): readonly string[] {
    return [...this.#lines, "# EOF\n"];
  }

  /** One series; `value` gets the time and the number of seconds since the span began. */
  gauge(
    name: string,
    labels: SeriesLabels,
    span: Span,
    value: number | string | ((time: number, since: number) => number | string),
  ): this {
    const series = seriesText(name, labels);
    const at = typeof value === "function" ? value : () => value;
    for (const time of timesOf(span)) this.#lines.push(`${series} ${at(time, time - span.from)} ${time}\n`);
    return this;
  }

  /** A counter that grows by `perSecond` from `start` on: what its rate is, in every window, is known. */
  counter(name: string, labels: SeriesLabels, span: Span, perSecond: number, start = 0): this {
    return this.gauge(name, labels, span, (_, since) => start + perSecond * since);
  }

  /**
   * A classic histogram; `perSecond` maps each upper bound (with `+Inf`) to the observations that fall between the bound
   * before and it, each second. `mean` is what one observation adds to the sum.
   */
  histogram(
    name: string,
    labels: SeriesLabels,
    span: Span,
    perSecond: Readonly<Record<string, number>>,
    mean = 0.1,
  ): this {
    let sum = 0;
    const bounds = Object.entries(perSecond).sort(([a], [b]) => boundOf(a) - boundOf(b));
    for (const [le, rate] of bounds) {
      sum += rate;
      this.counter(`${name}_bucket`, { ...labels, le }, span, sum);
    }
    if (!bounds.some(([le]) => le === "+Inf")) {
      this.counter(`${name}_bucket`, { ...labels, le: "+Inf" }, span, sum);
    }
    this.counter(`${name}_count`, labels, span, sum);
    return this.counter(`${name}_sum`, labels, span, sum * mean);
  }
}

function boundOf(le: string): number {
  return le === "+Inf" ? Infinity : Number(le);
}
