/** The step of a range query: few enough points to read, none between two scrapes, at round times. */
import { CallError } from "../common/errors.ts";
import { count } from "../common/units.ts";
import { formatDuration, utc } from "./time.ts";

/** Prometheus refuses a range query of more points per series (web/api/v1, "exceeded maximum resolution"). */
export const maxResolution = 11_000;

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** Steps that people read easily, in seconds. */
const roundSteps: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY),
];

/** When a range query looks: epoch seconds, both ends included, each a multiple of the step. */
export interface TimeRange {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** What a step is chosen from. */
export interface StepChoice {
  /** Epoch seconds. */
  readonly start: number;
  /** Epoch seconds. */
  readonly end: number;
  /** Points per series at most. */
  readonly maxPoints: number;
  /** Seconds between two scrapes; 1 when it is not known. */
  readonly scrapeInterval?: number | undefined;
  /** The caller's own step in seconds, which goes before `maxPoints`, but never over {@linkcode maxResolution}. */
  readonly step?: number | undefined;
}

/** How many points a series can have. */
export function pointsOf({ start, end, step }: TimeRange): number {
  return Math.round((end - start) / step) + 1;
}

/**
 * The range with its step, its ends moved back to multiples of the step. Throws {@linkcode CallError} `invalid` when the
 * end is before the start, or the caller's step makes more than 11,000 points.
 */
export function chooseStep(choice: StepChoice): TimeRange {
  const { start, end } = choice;
  if (end < start) {
    throw new CallError(
      "invalid",
      `Cannot query from ${utc(start)} to ${utc(end)} as the end is before the start`,
      {
        hint: "swap start and end, or give duration alone",
      },
    );
  }
  if (choice.step !== undefined) {
    const range = align(start, end, choice.step);
    if (pointsOf(range) <= maxResolution) return range;
    const least = nextStep(start, end, maxResolution, choice.step);
    throw new CallError(
      "invalid",
      `Cannot query with step ${formatDuration(choice.step)} as that is ${
        count(pointsOf(range))
      } points per series ` +
        `and Prometheus gives at most ${count(maxResolution)}`,
      { hint: `use step ${formatDuration(least)} or more, a shorter range, or leave step out` },
    );
  }
  const points = Math.max(2, Math.min(choice.maxPoints, maxResolution));
  return align(start, end, nextStep(start, end, points, choice.scrapeInterval ?? 1));
}

/** The least round step that is at least `least` and gives at most `points` points. */
function nextStep(start: number, end: number, points: number, least: number): number {
  const fits = (step: number) => step >= least && pointsOf(align(start, end, step)) <= points;
  const round = roundSteps.find(fits);
  if (round !== undefined) return round;
  let days = Math.max(1, Math.floor((end - start) / DAY / points), Math.floor(least / DAY));
  while (!fits(days * DAY)) days++;
  return days * DAY;
}

/** Ends moved back to multiples of the step. Counted in steps, so that a step of 0.1 s gains no stray digits. */
function align(start: number, end: number, step: number): TimeRange {
  const back = (time: number) => Number((Math.floor(time / step + 1e-9) * step).toFixed(3));
  return { start: back(start), end: back(end), step };
}
