/** Much of what the programs are asked about. */
import type { TestKubernetes } from "../tests/support/kubernetes.ts";
import { startPrometheus, type TestPrometheus } from "../tests/support/prometheus.ts";

/** A Prometheus that holds so many series of the metric `many`, each with a sample of the last minute. */
export async function seriesServer(series: number): Promise<TestPrometheus> {
  const now = Math.floor(Date.now() / 1000);
  function* lines() {
    yield "# TYPE many gauge\n";
    for (let at = 0; at < series; at++) {
      for (const time of [now - 60, now, now + 60, now + 120, now + 180]) {
        yield `many{instance="host-${at % 500}:9100",shard="${at}"} ${at} ${time}\n`;
      }
    }
    yield "# EOF\n";
  }
  return await startPrometheus({ backfill: lines() });
}

/** Lets the namespace `many` have so many pods. */
export async function growPods(
  kubernetes: TestKubernetes,
  pods: number,
  say: (line: string) => void,
): Promise<void> {
  const labels = { app: "many" };
  await kubernetes.apply([
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "many" } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "many", namespace: "many" },
      spec: {
        replicas: pods,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "app", image: "many:1" }] } },
      },
    },
  ]);
  say(`waiting for ${pods.toLocaleString("en")} pods`);
  const count = async () =>
    Number(
      (await kubernetes.kubectl(
        ...["get", "replicasets", "--namespace=many", "--output=jsonpath={.items[0].status.replicas}"],
      )).trim() || 0,
    );
  while (await count() < pods) await new Promise((resolve) => setTimeout(resolve, 500));
}
