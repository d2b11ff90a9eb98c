/** Twenty questions, and what each server is asked for them; one that has no tool for a question is not asked. */
import type { Group } from "./context.ts";

/** A tool and its arguments. */
export type Asked = readonly [tool: string, args: Readonly<Record<string, unknown>>];

/** One question, and by whom it can be answered in one call. */
export interface Question {
  readonly group: Group;
  readonly question: string;
  readonly asked: Readonly<Record<string, Asked>>;
}

const sql = (question: string, text: string): Question => ({
  group: "postgres",
  question,
  asked: {
    ours: ["query_database", { sql: text }],
    "server-postgres": ["query", { sql: text }],
    dbhub: ["execute_sql", { sql: text }],
  },
});

const columns = (table: string) =>
  `SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_name = '${table}'`;

const metric = (question: string, query: string): Question => ({
  group: "prometheus",
  question,
  asked: {
    ours: ["query_metrics", { query }],
    "prometheus-mcp": ["prometheus_query", { query }],
    "prometheus-mcp-go": ["query", { query }],
  },
});

const now = Math.floor(Date.now() / 60_000) * 60;

const range = (question: string, query: string, hours: number, step: string): Question => {
  const [start, end] = [now - hours * 3600, now];
  return {
    group: "prometheus",
    question,
    asked: {
      ours: ["query_metrics_range", { query, duration: `${hours}h` }],
      "prometheus-mcp": ["prometheus_query_range", {
        query,
        start: new Date(start * 1000).toISOString(),
        end: new Date(end * 1000).toISOString(),
        step,
      }],
      "prometheus-mcp-go": ["range_query", { query, start_time: String(start), end_time: String(end), step }],
    },
  };
};

/** The names are those that `parts.ts` gives. */
export const questions: readonly Question[] = [
  sql("ten rows of a table", "SELECT * FROM items ORDER BY id LIMIT 10"),
  sql("a count", "SELECT count(*) FROM items"),
  sql("all rows of a table of 100,000", "SELECT * FROM items ORDER BY id"),
  sql("a wide text", "SELECT repeat('lorem ipsum ', 20000) AS text"),
  sql("a column that does not exist", "SELECT prize FROM items"),
  {
    ...sql("the columns of a table", columns("items")),
    asked: { ...sql("", columns("items")).asked, ours: ["describe_table", { table_name: "items" }] },
  },
  {
    ...sql("the plan of a slow query", "EXPLAIN SELECT * FROM items WHERE name = 'item 5'"),
    asked: {
      ...sql("", "EXPLAIN SELECT * FROM items WHERE name = 'item 5'").asked,
      ours: ["explain_query", { sql: "SELECT * FROM items WHERE name = 'item 5'" }],
    },
  },
  metric("what is up", "up"),
  metric("requests a second by handler", "sum by (handler) (rate(prometheus_http_requests_total[5m]))"),
  metric("everything there is", '{__name__=~".+"}'),
  metric("a metric that does not exist", "http_request_total"),
  range("two series over an hour", "queue_length", 1, "60s"),
  range("a series over a day", 'queue_length{queue="mail"}', 24, "900s"),
  {
    group: "prometheus",
    question: "what is scraped",
    asked: {
      ours: ["list_targets", {}],
      "prometheus-mcp": ["prometheus_list_targets", {}],
      "prometheus-mcp-go": ["list_targets", {}],
    },
  },
  {
    group: "kubernetes",
    question: "the pods of a namespace",
    asked: {
      ours: ["get_pods", { namespace: "default" }],
      "kubernetes-mcp-server": ["pods_list_in_namespace", { namespace: "default" }],
      "mcp-server-kubernetes": ["kubectl_get", { resourceType: "pods", namespace: "default" }],
    },
  },
  {
    group: "kubernetes",
    question: "the failing pods, in all namespaces",
    asked: {
      ours: ["get_pods", { status: "unhealthy", all_namespaces: true }],
      "kubernetes-mcp-server": ["pods_list", {}],
      "mcp-server-kubernetes": ["kubectl_get", { resourceType: "pods", allNamespaces: true }],
    },
  },
  {
    group: "kubernetes",
    question: "a deployment",
    asked: {
      ours: ["describe_resource", { kind: "deployment", name: "web", namespace: "default" }],
      "kubernetes-mcp-server": ["resources_get", {
        apiVersion: "apps/v1",
        kind: "Deployment",
        name: "web",
        namespace: "default",
      }],
      "mcp-server-kubernetes": ["kubectl_describe", {
        resourceType: "deployment",
        name: "web",
        namespace: "default",
      }],
    },
  },
  {
    group: "kubernetes",
    question: "the events",
    asked: {
      ours: ["get_events", { namespace: "default" }],
      "kubernetes-mcp-server": ["events_list", { namespace: "default" }],
      "mcp-server-kubernetes": ["kubectl_get", { resourceType: "events", namespace: "default" }],
    },
  },
  {
    group: "kubernetes",
    question: "the services",
    asked: {
      ours: ["get_services", { all_namespaces: true }],
      "kubernetes-mcp-server": ["resources_list", { apiVersion: "v1", kind: "Service" }],
      "mcp-server-kubernetes": ["kubectl_get", { resourceType: "services", allNamespaces: true }],
    },
  },
  {
    group: "kubernetes",
    question: "the nodes",
    asked: {
      ours: ["get_nodes", {}],
      "kubernetes-mcp-server": ["resources_list", { apiVersion: "v1", kind: "Node" }],
      "mcp-server-kubernetes": ["kubectl_get", { resourceType: "nodes" }],
    },
  },
];

/** The question that a call is timed with, where the group has one for all: the first of each. */
export function firstOf(group: Group): Question {
  const found = questions.find((question) => question.group === group);
  if (found === undefined) throw new Error(`There is no question for ${group}`);
  return found;
}
