/** What a service calls and that has become slow or fails, by a real Prometheus. */
import assert from "@std/assert";
import { metricsReporter } from "../support/metrics_report.ts";
import { alignedSeconds, OpenMetrics } from "../support/openmetrics.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { apiOf } from "../support/prometheus_api.ts";

const hour = 3_600;

Deno.test({
  name: "a dependency that has become slow, or fails, is named before the latency that it makes",
  ignore: !prometheusAvailable,
  async fn(t) {
    const now = alignedSeconds(Date.now(), 60);
    const span = { from: now - 26 * hour, to: now + 600, step: 60 };
    const series = new OpenMetrics();
    /** One rate until two hours ago, another since: what was an hour ago is no day before. */
    const grow = (name: string, labels: Record<string, string>, before: number, after: number) =>
      series.gauge(name, labels, span, (time, since) => {
        const late = Math.max(0, time - (now - 2 * hour));
        return before * (since - late) + after * late;
      });
    const serve = (job: string, isSlow: boolean, more: Record<string, string> = {}) => {
      const labels = { job, instance: `${job}:80`, ...more };
      series.gauge("up", labels, span, 1).counter(
        "http_requests_total",
        { ...labels, status: "200" },
        span,
        10,
      );
      for (const [le, after] of [["0.1", isSlow ? 2 : 10], ["5", 10], ["+Inf", 10]] as const) {
        grow("http_request_duration_seconds_bucket", { ...labels, le }, 10, after);
      }
      grow("http_request_duration_seconds_count", labels, 10, 10);
      grow("http_request_duration_seconds_sum", labels, 1, isSlow ? 20 : 1);
      return labels;
    };
    /** Ten calls a second, of that mean until two hours ago and since. */
    const call = (metric: string, labels: Record<string, string>, before: number, after: number) => {
      grow(`${metric}_count`, labels, 10, 10);
      grow(`${metric}_sum`, labels, 10 * before, 10 * after);
    };
    const cart = serve("cart", true);
    const http = "http_client_request_duration_seconds";
    call(http, { ...cart, server_address: "pricing.shop.svc" }, 0.05, 2);
    call(http, { ...cart, server_address: "users" }, 0.05, 0.06);
    const stock = serve("stock", true);
    const database = { ...stock, server_address: "10.0.0.7", db_system_name: "postgresql" };
    call("db_client_operation_duration_seconds", database, 0.01, 0.4);
    call("http_client_duration_milliseconds", { ...stock, net_peer_name: "users" }, 20, 80);
    const alone = serve("alone", true);
    call(http, { ...alone, server_address: "users" }, 0.05, 0.05);
    grow(`${http}_count`, { ...alone, server_address: "seldom", http_response_status_code: "500" }, 0, 0.01);
    /** Ten calls a second, of which that part fails since two hours ago. */
    const fail = (
      counter: string,
      labels: Record<string, string>,
      [good, bad]: readonly [Record<string, string>, Record<string, string>],
      share: number,
    ) => {
      grow(counter, { ...labels, ...good }, 10, 10 - 10 * share);
      grow(counter, { ...labels, ...bad }, 0, 10 * share);
    };
    const status = (code: string) => ({ http_response_status_code: code });
    const checkout = serve("checkout", true);
    fail(`${http}_count`, { ...checkout, server_address: "users" }, [status("200"), status("404")], 0.6);
    fail(`${http}_count`, { ...checkout, server_address: "rates" }, [status("200"), status("503")], 0.02);
    const partner = { ...serve("partner", true), server_address: "payments.partner.com" };
    fail(`${http}_count`, partner, [status("200"), status("503")], 0.9);
    const called = {
      outer: "partner.com",
      unnamable: "r".repeat(64),
      crossing: "rates.billing:8080",
      abroad: "rates.qa",
    };
    for (const [job, address] of Object.entries(called)) {
      const labels = { ...serve(job, true), server_address: address };
      fail(`${http}_count`, labels, [status("200"), status("503")], 0.9);
    }
    const payment = { ...checkout, server_address: "payment.shop.svc" };
    fail(`${http}_count`, payment, [status("200"), { ...status("500"), error_type: "500" }], 0.5);
    grow(`${http}_count`, { ...payment, error_type: "timeout" }, 0, 2);
    // As many failed a day before: of one no call ever succeeds, of another more fail now.
    for (const job of ["legacy", "both"]) {
      grow(`${http}_count`, { ...serve(job, true), server_address: "old", ...status("503") }, 10, 10);
    }
    fail(`${http}_count`, { job: "both", instance: "both:80", server_address: "users" }, [
      status("200"),
      status("500"),
    ], 0.2);
    const billing = { ...serve("billing", true), server_address: "rates" };
    fail(`${http}_count`, billing, [status("200"), status("503")], 0.02);
    const mesh = {
      reporter: "source",
      source_workload: serve("meshed", true).job,
      destination_service_name: "stock",
    };
    const answered = (code: string) => ({ response_code: code });
    fail("istio_requests_total", mesh, [answered("200"), answered("503")], 0.4);
    fail("istio_requests_total", { ...mesh, reporter: "destination" }, [answered("200"), answered("503")], 1);
    // Measures its calls itself as well, which are well.
    const twofold = { ...mesh, source_workload: serve("twofold", true).job };
    fail("istio_requests_total", twofold, [answered("200"), answered("503")], 0.4);
    call(http, { job: "twofold", instance: "twofold:80", server_address: "users" }, 0.05, 0.05);
    for (const [namespace, share] of [["shop", 0.3], ["lab", 1]] as const) {
      const own = { ...mesh, source_workload: serve("twin", true, { namespace }).job };
      fail("istio_requests_total", { ...own, source_workload_namespace: namespace }, [
        answered("200"),
        answered("503"),
      ], share);
    }
    const remote = { ...serve("remote", true), grpc_service: "shop.Cart" };
    const handled = (code: string) => ({ grpc_code: code });
    fail("grpc_client_handled_total", remote, [handled("OK"), handled("Unavailable")], 0.3);
    call(http, { ...serve("well", false), server_address: "pricing.shop.svc" }, 0.05, 2);
    await using server = await startPrometheus({ backfill: series.lines });
    using prometheus = apiOf(server.url);
    const report = metricsReporter(prometheus.api, ["service_health_report", "top_queries"]);

    await t.step("a service, which is what to look at next", async () => {
      const text = await report("cart");
      assert.match(
        text,
        /^1\. Its calls to server_address=pricing\.shop\.svc take 2 s on average, 40 times that of a day before \(50 ms\)\n2\. The 95th percentile/m,
      );
      assert.match(text, /^next:\n {2}service_health_report \{"service":"pricing","namespace":"shop"\}/m);
    });
    await t.step("the one that adds most time, a database", async () => {
      const text = await report("stock");
      assert.match(
        text,
        /^1\. Its calls to db_system_name=postgresql server_address=10\.0\.0\.7 take 400 ms on average, 40 times/m,
      );
      assert.match(text, /^next:\n {2}top_queries \{\}/m);
    });
    await t.step("the one whose calls fail most: with a status, or without an answer", async () => {
      const text = await report("checkout");
      assert.match(
        text,
        /^1\. 58\.3% of its calls to server_address=payment\.shop\.svc fail \(7 of 12\/s\), 0% a day before\n2\. The 95th/m,
      );
      assert.match(text, /^next:\n {2}service_health_report \{"service":"payment","namespace":"shop"\}/m);
    });
    await t.step(
      "one that always fails is of note, and one that fails since then comes before it",
      async () => {
        const text = await report("legacy");
        assert.match(text, /^1\. The 95th percentile of latency/m);
        assert.match(
          text,
          /^2\. Of note, as a day before: 100% of its calls to server_address=old fail \(10 of 10\/s\), 100% a day before$/m,
        );
        assert.match(await report("both"), /^1\. 20% of its calls to server_address=users fail/m);
      },
    );
    await t.step("a host of another domain is no service to look at next", async () => {
      const text = await report("partner");
      assert.match(text, /^1\. 90% of its calls to server_address=payments\.partner\.com fail/m);
      assert.doesNotMatch(text, /service_health_report/);
      assert.doesNotMatch(await report("outer"), /service_health_report/);
      assert.doesNotMatch(await report("unnamable"), /service_health_report/);
      assert.match(
        await report("crossing"),
        /^next:\n {2}service_health_report \{"service":"rates","namespace":"billing"\}/m,
      );
      // A namespace may be called like a country, where it is the service's own.
      assert.doesNotMatch(await report("abroad"), /service_health_report/);
      assert.match(
        await report("abroad", { namespace: "qa" }),
        /^next:\n {2}service_health_report \{"service":"rates","namespace":"qa"\}/m,
      );
    });
    await t.step("one of which few calls fail, and more than a day before", async () => {
      assert.match(
        await report("billing"),
        /^1\. 2% of its calls to server_address=rates fail \(0\.2 of 10\/s\), 0% a day before$/m,
      );
    });
    await t.step("by a mesh, as the caller sees it", async () => {
      assert.match(
        await report("meshed"),
        /^1\. 40% of its calls to destination_service_name=stock fail \(4 of 10\/s\), 0% a day before$/m,
      );
      assert.match(await report("twofold"), /^1\. 40% of its calls to destination_service_name=stock fail/m);
    });
    await t.step("by a mesh, of a service that is chosen by labels", async () => {
      assert.match(
        await report("namespace=shop,job=twin"),
        /^1\. 30% of its calls to destination_service_name=stock fail \(3 of 10\/s\), 0% a day before$/m,
      );
    });
    await t.step("by gRPC", async () => {
      assert.match(
        await report("remote"),
        /^1\. 30% of its calls to grpc_service=shop\.Cart fail \(3 of 10\/s\), 0% a day before$/m,
      );
    });
    await t.step("none where the calls are as they were, or too few", async () => {
      assert.match(await report("alone"), /^1\. The 95th percentile/m);
    });
    await t.step("none is looked for where the service is well", async () => {
      assert.match(await report("well"), /^well: HEALTHY/);
    });
  },
});
