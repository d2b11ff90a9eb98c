import assert from "@std/assert";
import { join } from "node:path";
import { parse } from "yaml";
import { newToken } from "../../src/common/http/tokens.ts";
import { HttpProgram } from "../support/http_program.ts";
import { programCommand, project } from "../support/mcp.ts";
import { prometheusAvailable, startPrometheus } from "../support/prometheus.ts";
import { available, findProgram } from "../support/real_program.ts";
import { until } from "../support/until.ts";

const folder = join(project, "deploy/monitoring");
const rulesPath = join(folder, "alerts.yaml");
const casesPath = join(project, "tests/deploy/alerts.yaml");
const promtool = findProgram("PROMTOOL_BIN", "promtool");
const ignore = !available(promtool, "Cannot find promtool: set PROMTOOL_BIN to the program");

interface Rules {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

async function readYaml<Value>(path: string): Promise<Value> {
  return parse(await Deno.readTextFile(path));
}

/** Runs promtool; all that it says, and whether it is content. */
async function check(args: readonly string[], input = ""): Promise<{ ok: boolean; said: string }> {
  const child = new Deno.Command(promtool ?? "promtool", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { ok: success, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  name: "alert rules: promtool finds no fault in them, and each fires when it should and is quiet otherwise",
  ignore,
  async fn() {
    const checked = await check(["check", "rules", "--lint=all", "--lint-fatal", rulesPath]);
    assert.ok(checked.ok, checked.said);
    const tested = await check(["test", "rules", casesPath]);
    assert.ok(tested.ok, tested.said);
    const { groups } = await readYaml<Rules>(rulesPath);
    const { tests } = await readYaml<
      {
        readonly tests: readonly {
          readonly alert_rule_test: readonly { alertname: string; exp_alerts: unknown[] }[];
        }[];
      }
    >(casesPath);
    const fired = tests.flatMap(({ alert_rule_test }) => alert_rule_test)
      .filter(({ exp_alerts }) => exp_alerts.length > 0).map(({ alertname }) => alertname);
    const all = groups.flatMap(({ rules }) => rules).map(({ alert }) => alert);
    assert.deepEqual([...new Set(fired)].sort(), all.sort());
  },
});

Deno.test("the dashboard's panels lie beside each other", { ignore }, async () => {
  const { panels } = JSON.parse(await Deno.readTextFile(join(folder, "dashboard.json"))) as Dashboard;
  const taken = new Map<string, string>();
  for (const { title, gridPos: { x, y, w, h } } of panels) {
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        assert.equal(taken.get(`${column},${row}`), undefined, title);
        assert.ok(column < 24, title);
        taken.set(`${column},${row}`, title);
      }
    }
  }
});

/** The page as promtool reads it: in the older text format a counter is described under the name of its samples. */
function olderFormat(page: string): string {
  const counters = [...page.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name = ""]) => name);
  return counters.reduce(
    (text, name) => text.replaceAll(new RegExp(`^# (HELP|TYPE) ${name} `, "gm"), `# $1 ${name}_total `),
    page.replace(/^# EOF\n/m, ""),
  );
}

/** Starts a program with a token, at an address where `/metrics` needs one. */
function start(program: "postgres" | "prometheus", tokens: string, variables: Record<string, string>) {
  return HttpProgram.start({
    command: programCommand([], program),
    address: "0.0.0.0:0",
    variables: { ...variables, MCP_TOKENS_FILE: tokens, MCP_ALLOWED_HOSTS: "127.0.0.1" },
  });
}

/** What the service discovery of a cluster says of a pod's port. */
function discovered(program: string, port: number, changes: Record<string, string> = {}) {
  return {
    targets: [`127.0.0.1:${port}`],
    labels: {
      __meta_kubernetes_namespace: "mcp",
      __meta_kubernetes_pod_name: `${program}-1`,
      __meta_kubernetes_pod_phase: "Running",
      __meta_kubernetes_pod_label_app_kubernetes_io_part_of: "mcp",
      __meta_kubernetes_pod_label_app_kubernetes_io_name: program,
      __meta_kubernetes_pod_container_port_name: "http",
      ...changes,
    },
  };
}

Deno.test({
  name: "a real Prometheus scrapes by the job of scrape.yaml, and the dashboard and the rules show the calls",
  ignore: ignore || !prometheusAvailable,
  async fn(t) {
    const { token, line } = newToken("prometheus");
    const secrets = await Deno.makeTempDir({ prefix: "monitoring-" });
    const tokens = join(secrets, "tokens");
    await Deno.writeTextFile(tokens, line);
    await Deno.writeTextFile(join(secrets, "mcp-token"), token);
    const { groups } = await readYaml<Rules>(rulesPath);
    // Without a database: its calls end as "unavailable".
    await using postgres = await start("postgres", tokens, { DB_PORT: "1", QUERY_CACHE_TTL_SECONDS: "60" });
    const { scrape_configs: [job] } = await readYaml<
      { scrape_configs: readonly { job_name: string; kubernetes_sd_configs: unknown }[] }
    >(join(folder, "scrape.yaml"));
    if (job === undefined) throw new Error("scrape.yaml has no job");
    const { kubernetes_sd_configs: _, ...scrape } = job;
    // Discovery alone is played: nothing here is a cluster whose pods have addresses.
    const jobFor = (...targets: readonly unknown[]) => ({
      ...scrape,
      authorization: { credentials_file: join(secrets, "mcp-token") },
      static_configs: targets,
    });
    await using server = await startPrometheus({ rules: groups, settle: false });
    await using prometheus = await start("prometheus", tokens, { PROMETHEUS_URL: server.url });
    const strangers = [
      discovered("shop", 1, { __meta_kubernetes_pod_label_app_kubernetes_io_part_of: "shop" }),
      discovered("postgres-mcp", 2, { __meta_kubernetes_pod_phase: "Succeeded" }),
      discovered("postgres-mcp", 3, { __meta_kubernetes_pod_container_port_name: "" }),
    ];
    await server.reload({
      scrape: [jobFor(
        discovered("postgres-mcp", postgres.port),
        discovered("prometheus-mcp", prometheus.port),
        ...strangers,
      )],
    });
    const authorization = `Bearer ${token}`;
    const call = (program: HttpProgram, name: string, args: Record<string, unknown>) =>
      program.ask("tools/call", { name, arguments: args }, { headers: { authorization } });
    const page = async (program: HttpProgram) => {
      const response = await program.get("/metrics", { authorization });
      assert.equal(response.status, 200);
      return await response.text();
    };

    await t.step("each program's page is as promtool wants it", async () => {
      for (const program of [postgres, prometheus]) {
        const { ok, said } = await check(["check", "metrics"], olderFormat(await page(program)));
        assert.ok(ok, said);
        assert.equal(said, "");
      }
    });
    await t.step("the pods' ports alone are scraped, under the names of the programs", async () => {
      await server.untilAnswered('up{job="postgres-mcp",pod="postgres-mcp-1",namespace="mcp"} == 1');
      await server.untilAnswered('up{job="prometheus-mcp"} == 1');
      const { result } = await server.ask("query", { query: "count(up)" });
      assert.equal(result[0].value[1], "2");
    });

    // A series that begins with its first call has a rate from the second one on.
    await call(postgres, "list_tables", {});
    await server.untilAnswered('mcp_calls_total{outcome="unavailable"} > 0');
    await call(postgres, "list_tables", {});
    await call(prometheus, "query_metrics", { query: "up" });
    const wanted = await Promise.all([postgres, prometheus].map(page));
    const names = new Set(wanted.flatMap((text) => [...text.matchAll(/^([a-z_]+)/gm)].map(([name]) => name)));
    const known = (expression: string) => {
      for (const [name] of expression.matchAll(/\b(?:mcp|process)_[a-z_]+/g)) {
        assert.ok(names.has(name), name);
      }
    };
    await server.untilAnswered('increase(mcp_calls_total{outcome="ok"}[10s]) > 0');
    const { panels } = JSON.parse(await Deno.readTextFile(join(folder, "dashboard.json"))) as Dashboard;
    for (const { title, targets } of panels) {
      await t.step(`dashboard: ${title}`, async () => {
        for (const { expr } of targets) {
          known(expr);
          // As Grafana fills them in, for a scrape each second.
          await server.untilAnswered(
            expr.replaceAll("$__rate_interval", "30s").replaceAll("$__range", "1m")
              .replaceAll("$job", ".+-mcp"),
          );
        }
      });
    }
    await t.step("dashboard: the calls, by tool", async () => {
      const panel = panels.find(({ title }) => title === "Calls per second, by tool");
      const expr = panel?.targets[0]?.expr.replaceAll("$__rate_interval", "30s").replaceAll("$job", ".+");
      await server.untilAnswered(`(${expr}) > 0 and on (tool) mcp_calls_running{tool="query_metrics"}`);
    });
    for (const { alert, expr } of groups.flatMap(({ rules }) => rules)) {
      await t.step(`rule: ${alert}`, async () => {
        known(expr);
        if (alert === "McpDown") return;
        // Without its threshold, and with an outcome that there is, it has an answer: its labels match.
        await server.untilAnswered(
          expr.replaceAll(/(>|==) [\d.]+/g, ">= 0").replaceAll('outcome="defect"', 'outcome="unavailable"'),
        );
      });
    }
    await t.step("rule: McpDown and McpReplicaDown, of a program that ends", async () => {
      postgres.kill("SIGTERM");
      await postgres.ended();
      await server.untilAnswered(
        'ALERTS{alertname="McpReplicaDown",job="postgres-mcp",alertstate="pending"}',
      );
      await server.untilAnswered('ALERTS{alertname="McpDown",job="postgres-mcp",alertstate="pending"}');
    });
    await t.step("all rules are evaluated without an error", async () => {
      const { groups: evaluated } = await server.ask("rules");
      await until(
        "all are ok",
        () =>
          evaluated.every(({ rules }: { rules: { health: string }[] }) =>
            rules.every(({ health }) => health === "ok")
          ),
      );
    });
    await Deno.remove(secrets, { recursive: true });
  },
});
