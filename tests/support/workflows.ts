/** The tutorial's four workflows and the shortest of questions, as a model would go about them with platform-mcp: each call follows from the answer before. */
import { tokens } from "../../bench/tokens.ts";
import { RawClient } from "./mcp.ts";

/** One call and what came of it. */
export interface PlayedCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly isError: boolean;
  /** Of the text, by the o200k encoding. */
  readonly tokens: number;
}

/** A tool, and its arguments as they follow from the answers so far. */
type Step = (
  answers: readonly PlayedCall[],
) => readonly [tool: string, args: Readonly<Record<string, unknown>>];

/** A question, how it is answered, and what the answers must hold. */
export interface Workflow {
  readonly question: string;
  readonly steps: readonly Step[];
  readonly truths: readonly RegExp[];
}

const ask = (tool: string, args: Readonly<Record<string, unknown>> = {}): Step => () => [tool, args];

/** What the report named as the next call of that tool. */
const named = (tool: string): Step => (answers) => {
  const found = new RegExp(`${tool} (\\{[^}]*\\})`).exec(answers.at(0)?.text ?? "");
  if (found?.[1] === undefined) throw new Error(`The report does not name ${tool} as a next call`);
  return [tool, JSON.parse(found[1])];
};

export const workflows: readonly Workflow[] = [
  {
    question: "Why is user-service slow?",
    steps: [
      ask("service_health_report", { service: "user-service" }),
      named("database_health"),
      named("get_pod_logs"),
    ],
    truths: [
      /^user-service: DOWN/,
      /1\. Database connections are running out: role user_service has 12 of the 12 connections/,
      /too many connections for role "user_service"/,
      /idle in transaction/,
      /p95 2\.\d+ s \(a day before 95 ms\)/,
      /alerts firing: HighErrorRate/,
    ],
  },
  {
    question: "Which service has the highest error rate?",
    steps: [
      ask("rank_services_by_error_rate"),
      (answers) => {
        const worst = /^(\S+) has the highest error rate/.exec(answers.at(0)?.text ?? "")?.[1];
        return ["get_error_rate", { service: worst, objective: 99.9 }];
      },
    ],
    truths: [
      /^user-service has the highest error rate: 33\.\d%/,
      /3 of 3 pods unhealthy/,
      /error budget of 99\.9%: burns fast enough to page somebody/,
    ],
  },
  {
    question: "What percentage of users have completed todos?",
    steps: [
      ask("list_tables"),
      ask("describe_table", { table_name: "todos" }),
      ask("query_database", {
        sql: "SELECT round(100.0 * count(DISTINCT user_id) / (SELECT count(*) FROM users), 1) AS percent\n" +
          "FROM todos WHERE completed",
      }),
    ],
    truths: [/\btodos\b/, /completed_at/, /\b77\.6\b/],
  },
  {
    question: "How much has traffic grown in 24 hours?",
    steps: [
      ask("query_metrics_range", {
        query: 'sum(rate(http_requests_total{job="user-service"}[15m]))',
        duration: "1d",
      }),
    ],
    // A quarter of an hour that ended while Prometheus was being started lacks some of its samples.
    truths: [/\(\+(4[6-9]|50)(\.\d)?%\)/],
  },
  {
    question: "Is payment-service healthy?",
    steps: [ask("service_health_report", { service: "payment-service" })],
    truths: [
      /^payment-service: HEALTHY, 100% of its requests succeed and its pods are ready/,
      /2\/2 ready/,
      /10 requests\/s, 0% fail/,
    ],
  },
];

/** Plays a workflow in a session of its own. */
export async function play(
  workflow: Workflow,
  variables: Readonly<Record<string, string>>,
): Promise<{ readonly calls: readonly PlayedCall[] }> {
  await using client = await RawClient.connect({ program: "platform", variables });
  const calls: PlayedCall[] = [];
  for (const step of workflow.steps) {
    const [tool, args] = step(calls);
    const { text, isError } = await client.call(tool, args);
    calls.push({ tool, arguments: args, text, isError, tokens: tokens(text) });
  }
  return { calls };
}
