/** How services measure the calls that they make: the libraries and the mesh that are known. */
import { grpcErrors } from "./instrumentation.ts";
import type { Matcher } from "./promql_literal.ts";
import type { Service } from "./service.ts";
import { namedBy } from "./service_name.ts";

/** One way to measure calls. */
export interface ClientCalls {
  /** The series that count them. */
  readonly counter: string;
  /** A histogram or summary of durations, without `_sum` and `_count`; its name says the unit. */
  readonly duration: string;
  /** Labels that say what is called, the one that names it first. */
  readonly labels: readonly string[];
  /** What picks the calls that failed: each of these some of them, and none twice. */
  readonly failed: readonly (readonly Matcher[])[];
  /** What picks a service's own calls, where its usual matchers do not. */
  readonly of?: (service: Service) => readonly Matcher[];
}

const peers = ["server_address", "net_peer_name", "http_host"];
const serverErrors = "5..";

/** Of a histogram or summary that counts as well. */
function measured(
  duration: string,
  labels: readonly string[],
  failed: ClientCalls["failed"],
): ClientCalls {
  return { counter: `${duration}_count`, duration, labels, failed };
}

/** See the module. */
export const clientCalls: readonly ClientCalls[] = [
  // https://opentelemetry.io/docs/specs/semconv/http/http-metrics/: without a response there is an error's type alone.
  measured("http_client_request_duration_seconds", peers, [
    [["http_response_status_code", "=~", serverErrors]],
    [["http_response_status_code", "=", ""], ["error_type", "!=", ""]],
  ]),
  measured("http_client_duration_milliseconds", peers, [[["http_status_code", "=~", serverErrors]]]),
  // https://docs.spring.io/spring-framework/reference/integration/observability.html
  measured("http_client_requests_seconds", ["client_name", "clientName"], [
    [["status", "=~", `${serverErrors}|IO_ERROR|CLIENT_ERROR`]],
  ]),
  measured("rpc_client_call_duration_seconds", ["rpc_service", "rpc_method", "server_address"], [
    [["rpc_response_status_code", "=~", grpcErrors.regex]],
    [["rpc_response_status_code", "=", ""], ["error_type", "!=", ""]],
  ]),
  measured("rpc_client_duration_milliseconds", ["rpc_service", "server_address"], [
    [["rpc_grpc_status_code", "=~", grpcErrors.regex]],
  ]),
  {
    counter: "grpc_client_handled_total",
    duration: "grpc_client_handling_seconds",
    labels: ["grpc_service"],
    failed: [[["grpc_code", "=~", grpcErrors.regex]]],
  },
  measured(
    "db_client_operation_duration_seconds",
    ["server_address", "db_system_name", "db_system", "db_namespace"],
    [[["error_type", "!=", ""]]],
  ),
  // https://istio.io/latest/docs/reference/config/metrics/
  {
    counter: "istio_requests_total",
    duration: "istio_request_duration_milliseconds",
    labels: ["destination_service_name", "destination_service_namespace"],
    failed: [[["response_code", "=~", serverErrors]]],
    of(service) {
      const namespace = service.matchers.find(([label, operator]) =>
        label === "namespace" && operator === "="
      );
      return [
        ["reporter", "=", "source"],
        ["source_workload", "=", namedBy(service).name],
        ...(namespace === undefined ? [] : [["source_workload_namespace", "=", namespace[2]] as const]),
      ];
    },
  },
];
