/** What the demo asks Prometheus, Kubernetes and all three together: of the sample services, and of one's own. */
import type { Step } from "./session.ts";

/** To the metrics of the sample services. */
export const metricQuestions: readonly Step[] = [
  {
    question: "Is anything down?",
    tool: "list_targets",
    arguments: { state: "down" },
    expect: "No target",
  },
  {
    question: "Is user-service healthy?",
    tool: "check_service_health",
    arguments: { service: "user-service" },
    expect: "DEGRADED",
  },
  {
    question: "How much has traffic grown in 24 hours?",
    tool: "query_metrics_range",
    arguments: { query: 'sum(rate(http_requests_total{job="user-service"}[15m]))', duration: "1d" },
    expect: "%",
  },
  {
    question: "And a service with a name like this?",
    tool: "get_error_rate",
    arguments: { service: 'x"} or vector(1) #' },
    expect: "Cannot find a service",
    refused: true,
  },
];

/** To a cluster that the sample services run in. */
export const clusterQuestions: readonly Step[] = [
  {
    question: "Are there any failing pods, and why?",
    tool: "get_pods",
    arguments: { status: "unhealthy", all_namespaces: true },
    // Between two crashes a pod is Running.
    expect: "Error (1)",
  },
  {
    question: "Describe the user-service deployment.",
    tool: "describe_resource",
    arguments: { kind: "deployment", name: "user-service", namespace: "shop" },
    expect: "0 of 3",
  },
  {
    question: "What did it say before it crashed?",
    tool: "get_pod_logs",
    arguments: { deployment: "user-service", namespace: "shop", previous: true, tail: 10 },
    expect: "too many connections",
  },
];

/** To all three. */
export const platformQuestions: readonly Step[] = [
  {
    question: "Why is user-service slow?",
    tool: "service_health_report",
    arguments: { service: "user-service" },
    expect: "Database connections are running out",
  },
  {
    question: "Which service has the highest error rate?",
    tool: "rank_services_by_error_rate",
    arguments: {},
    expect: "user-service has the highest error rate",
  },
];

/** To a Prometheus of one's own, whose answers nobody knows beforehand. */
export const ownMetricQuestions: readonly Step[] = [
  { question: "Is anything down?", tool: "list_targets", arguments: { state: "down" } },
  { question: "Is anything firing?", tool: "list_alerts", arguments: {} },
  { question: "Which metrics count requests?", tool: "find_metrics", arguments: { pattern: "requests" } },
];

/** To a cluster of one's own. */
export const ownClusterQuestions: readonly Step[] = [
  {
    question: "Are there any failing pods, and why?",
    tool: "get_pods",
    arguments: { status: "unhealthy", all_namespaces: true },
  },
  { question: "How are the nodes?", tool: "get_nodes", arguments: {} },
];
