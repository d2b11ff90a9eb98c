/** SIGKILL of a backend under load, and its return: calls fail with a sentence, and later ones are answered. */
import { kubernetesAvailable, startKubernetes } from "../support/kubernetes.ts";
import { underLoad } from "../support/load.ts";
import { postgresAvailable, startPostgres } from "../support/postgres.ts";
import { createProgramDatabase } from "../support/program_database.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { rounds } from "../support/rounds.ts";
import { until } from "../support/until.ts";

const times = rounds({ short: 1, long: 5 });

Deno.test({
  name: "PostgreSQL is killed under load and comes back",
  ignore: !postgresAvailable,
  async fn() {
    await using server = await startPostgres();
    await using database = await createProgramDatabase(server);
    await database.execute("checkpoint");
    for (let round = 0; round < times; round++) {
      await underLoad(
        {
          program: "postgres",
          variables: database.variables,
          tool: "query_database",
          arguments: { sql: "SELECT count(*) AS todos FROM todos" },
          right: /3000/,
        },
        async () => {
          const [pid] = (await Deno.readTextFile(`${server.dataDirectory}/postmaster.pid`)).split("\n");
          Deno.kill(Number(pid), "SIGKILL");
        },
        // Its children may still hold the shared memory.
        () => until("PostgreSQL starts", () => server.start().then(() => true, () => false)),
      );
    }
  },
});

Deno.test({
  name: "Prometheus is killed under load and comes back",
  ignore: !prometheusAvailable,
  async fn() {
    await using server = await startPrometheus({ settle: false });
    for (let round = 0; round < times; round++) {
      await underLoad(
        {
          program: "prometheus",
          variables: { PROMETHEUS_URL: server.url },
          tool: "query_metrics",
          arguments: { query: "vector(4711)" },
          right: /4711/,
        },
        () => Promise.resolve(Deno.kill(server.pid, "SIGKILL")),
        () => server.start(),
      );
    }
  },
});

Deno.test({
  name: "the apiserver, and etcd alone, are killed under load and come back",
  ignore: !kubernetesAvailable,
  async fn(t) {
    await using kubernetes = await startKubernetes({ controllers: false });
    const load = {
      program: "kubernetes",
      variables: { KUBECONFIG: kubernetes.kubeconfig, KUBE_TIMEOUT_MS: "2000" },
      tool: "list_resources",
      arguments: { kind: "namespaces" },
      right: /kube-system/,
    } as const;
    for (let round = 0; round < times; round++) {
      await t.step(
        "the apiserver",
        () => underLoad(load, () => kubernetes.kill("kube-apiserver"), () => kubernetes.startApiserver()),
      );
      await t.step(
        "etcd",
        () => underLoad(load, () => kubernetes.kill("etcd"), () => kubernetes.startEtcd()),
      );
    }
  },
});
