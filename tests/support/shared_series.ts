/** What the Prometheus that the tests of a process share holds. */
import { OpenMetrics } from "./openmetrics.ts";

/**
 * Samples every 15 s from 2 h before `now` to 20 min after it, so that windows that end now are full:
 *
 * | job | what is known |
 * |---|---|
 * | `checkout` (two instances, up) | `http_requests_total{status,method}`: 8/s 200, 1.5/s 500, 0.5/s 404: 15% errors; `http_request_duration_seconds`: half of 10/s below 0.1, all below 0.5 |
 * | `catalog` (up) | `http_requests_total{code}`: 20/s 200, 0/s 500: no error |
 * | `broken` | `up` is 0; `http_requests_total` ended an hour before `now` |
 * | `grpc-orders` (up) | `grpc_server_handled_total{grpc_code}`: 9/s OK, 1/s Internal |
 * | `batch` (up) | `queue_length`, a gauge from 100 on, growing 1 a minute, with a gap from 30 to 20 min before `now` |
 */
export function sharedSeries(now: number): OpenMetrics {
  const span = { from: now - 7200, to: now + 1200, step: 15 };
  const series = new OpenMetrics();
  for (const instance of ["10.0.0.1:8080", "10.0.0.2:8080"]) {
    const labels = { job: "checkout", instance };
    series.gauge("up", labels, span, 1)
      .counter("http_requests_total", { ...labels, method: "GET", status: "200" }, span, 4)
      .counter("http_requests_total", { ...labels, method: "GET", status: "404" }, span, 0.25)
      .counter("http_requests_total", { ...labels, method: "POST", status: "500" }, span, 0.75)
      .histogram("http_request_duration_seconds", labels, span, {
        "0.1": 2.5,
        "0.5": 2.5,
        "1": 0,
        "+Inf": 0,
      });
  }
  const catalog = { job: "catalog", instance: "10.0.0.3:8080" };
  series.gauge("up", catalog, span, 1)
    .counter("http_requests_total", { ...catalog, code: "200" }, span, 20)
    .counter("http_requests_total", { ...catalog, code: "500" }, span, 0);
  const broken = { job: "broken", instance: "10.0.0.4:8080" };
  series.gauge("up", broken, span, (time) => time > now - 3600 ? 0 : 1)
    .counter("http_requests_total", { ...broken, status: "200" }, { ...span, to: now - 3600 }, 5);
  const orders = { job: "grpc-orders", instance: "10.0.0.5:9000" };
  const method = { grpc_service: "shop.Orders", grpc_method: "Place" };
  series.gauge("up", orders, span, 1)
    .counter("grpc_server_handled_total", { ...orders, ...method, grpc_code: "OK" }, span, 9)
    .counter("grpc_server_handled_total", { ...orders, ...method, grpc_code: "Internal" }, span, 1);
  const batch = { job: "batch", instance: "10.0.0.6:8080" };
  const gaps = [[now - 1800, now - 1200]] as const;
  return series.gauge("up", batch, span, 1)
    .gauge("queue_length", batch, { ...span, gaps }, (_, since) => 100 + since / 60);
}
