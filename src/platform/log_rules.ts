/** The rules that look at what the pods said themselves: the line that tells most of what is wrong. */
import { formatDuration } from "../prometheus/time.ts";
import { isOfDatabase } from "./database_rules.ts";
import { type ErrorLine, timesText, withoutNumbers } from "./error_lines.ts";
import { type Evidence, seen } from "./evidence.ts";
import { isInitialising, isOver, type PodErrors } from "./pod_errors.ts";
import type { Finding, NextCall, Rule } from "./rule.ts";
import { containerOf, type Pod } from "./workload.ts";

/** What to look for in a log of many lines. */
const include = "(?i)error|fatal|panic|exception|warn|slow";

export const logRules: readonly Rule[] = [
  {
    name: "last_words",
    explains: 79,
    when:
      "a run of its containers ended with a line that says why, or an init container that others wait for says it, " +
      "and the database is not what it tells of",
    find: (evidence) => saidFinding(evidence, true),
  },
  {
    name: "said",
    explains: 44,
    when: "pods that go on log trouble, and the database is not what they tell of",
    find: (evidence) => saidFinding(evidence, false),
  },
];

function saidFinding(evidence: Evidence, hasEnded: boolean): Omit<Finding, "rule"> | undefined {
  const found = mostTelling(evidence);
  if (found === undefined || isEnded(found) !== hasEnded || isOfDatabase(found.line.text)) {
    return undefined;
  }
  const { line, errors, pod } = found;
  const words = errors.kind === "awaited"
    ? `The others wait for init container ${pod?.container}, its last line`
    : errors.kind === "last words"
    ? "The last line before it ended"
    : pod?.status.healthy === true
    ? "At the same time its log says"
    : "Its log says";
  return {
    severity: "coincidence",
    text: `${words}: ${line.text}${timesText(line.count, line.last, evidence.now)}`,
    next: pod === undefined ? [] : [callOf(pod, errors, evidence.window)],
  };
}

/**
 * Whether it is of a run that is over, or that others wait for. While a container waits for its next run, its log is that
 * of the last.
 */
function isEnded({ errors: { previous, kind }, pod }: Omit<Told, "line">): boolean {
  return previous || kind === "last words" || (pod !== undefined && (isOver(pod) || isInitialising(pod)));
}

interface Told {
  readonly line: ErrorLine;
  readonly errors: PodErrors;
  readonly pod: Pod | undefined;
}

/** Of a run that ended the last line; of one that goes on the line that comes most often, the latest of them. */
function mostTelling(evidence: Evidence): Told | undefined {
  const report = seen(evidence.cluster);
  const told = (report?.errors ?? []).flatMap((errors): Told[] => {
    const pod = report?.pods.find(({ name }) => name === errors.pod);
    return errors.lines.map((line) => ({ line, errors, pod }));
  });
  const ended = told.find(isEnded);
  if (ended !== undefined) return told.findLast(({ errors }) => errors === ended.errors);
  const [most = []] = [...Map.groupBy(told, ({ line }) => withoutNumbers(line.text)).values()]
    .toSorted((a, b) => times(b) - times(a) || latest(b) - latest(a));
  const last = most.toSorted((a, b) => (a.line.last ?? 0) - (b.line.last ?? 0)).at(-1);
  return last && { ...last, line: { ...last.line, count: times(most) } };
}

function times(same: readonly Told[]): number {
  return same.reduce((sum, { line }) => sum + line.count, 0);
}

function latest(same: readonly Told[]): number {
  return Math.max(...same.map(({ line }) => line.last ?? 0));
}

function callOf(pod: Pod, { previous, kind }: PodErrors, window: number): NextCall {
  const named = { pod_name: pod.name, namespace: pod.namespace, ...containerOf(pod) };
  // What waits for its next run has no other log than that of the last one.
  if (previous || (isOver(pod) && pod.status.restarts > 0)) {
    return { tool: "get_pod_logs", arguments: { ...named, previous: true } };
  }
  return kind !== "trouble" ? { tool: "get_pod_logs", arguments: named } : logCall(pod, window);
}

/** The call that shows a pod's lines of trouble; of one that is well those within the last `window` seconds. */
export function logCall(pod: Pod, window: number): NextCall {
  const { name, namespace, status } = pod;
  const since = status.healthy ? { since: formatDuration(window) } : {};
  return {
    tool: "get_pod_logs",
    arguments: { pod_name: name, namespace, ...containerOf(pod), ...since, include },
  };
}
