import assert from "@std/assert";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { HttpProgram, sendRaw } from "../support/http_program.ts";
import { programCommand, project } from "../support/mcp.ts";
import { copyOfDeploy, followGuide } from "../support/deploy_guide.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { permitted } from "../support/permitted.ts";
import { newToken } from "../../src/common/http/tokens.ts";

const folder = join(project, "deploy/kubernetes");
const programs = ["postgres", "prometheus", "kubernetes", "platform"] as const;

/** What these tests look at of an object. */
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // deno-lint-ignore no-explicit-any
  readonly spec: any;
}

function objects(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS());
}

Deno.test({
  name: "the manifests: built by kubectl, accepted by a real apiserver, rolled out by its controllers",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const all = await kubernetes.kubectl("kustomize", folder);
    const deployments = objects(all).filter(({ kind }) => kind === "Deployment");
    await t.step("one deployment and one service per program, in one namespace", () => {
      assert.deepEqual(
        deployments.map(({ metadata }) => metadata.name).sort(),
        programs.map((name) => `${name}-mcp`).sort(),
      );
      for (const { metadata } of deployments) assert.equal(metadata.namespace, "mcp");
    });
    await t.step(
      "docs/deploying.md, followed to the letter: applied, rolled out, tokens in and out",
      async () => {
        await using guide = await followGuide(kubernetes.kubeconfig);
        await kubernetes.kubectl("create", "namespace", "monitoring");
        await guide.run("In a cluster", { DB_PASSWORD: "x" });
        const accepted = async () => {
          const held = await kubernetes.kubectl(
            ...["-n", "mcp", "get", "secret", "mcp-tokens", "-o", "jsonpath={.data.tokens}"],
          );
          return atob(held).trim().split("\n").map((line) => line.split(":")[0]);
        };
        assert.deepEqual(await accepted(), ["alice", "prometheus"]);
        const replicas = await kubernetes.kubectl("-n", "mcp", "get", "deployments", "-o", "json");
        const rolledOut = JSON.parse(replicas).items.map((
          { metadata, status }: { metadata: { name: string }; status: { availableReplicas: number } },
        ) => [metadata.name, status.availableReplicas]);
        assert.deepEqual(rolledOut, programs.map((name) => [`${name}-mcp`, 2]).sort());
        const pods = await kubernetes.kubectl("-n", "mcp", "get", "pods", "-o", "name");
        await guide.run("Issuing and revoking tokens", {}, "deploy/overlays/shop");
        assert.deepEqual(await accepted(), ["bob", "prometheus"]);
        assert.equal(await kubernetes.kubectl("-n", "mcp", "get", "pods", "-o", "name"), pods);
        await guide.run("Monitoring", {});
        const token = await kubernetes.kubectl(
          ...["-n", "monitoring", "get", "secret", "mcp-token", "-o", "jsonpath={.data.mcp-token}"],
        );
        assert.match(atob(token), /^mcp_[\w-]+\n$/);
        const dashboard = await kubernetes.kubectl(
          ...["-n", "monitoring", "get", "configmap", "-l", "grafana_dashboard=1", "-o", "name"],
        );
        assert.equal(dashboard.trim(), "configmap/mcp-dashboard");
      },
    );
    await t.step(
      "the autoscaling component: an apply leaves the count that the autoscaler chose",
      async () => {
        await using copy = await copyOfDeploy();
        const path = join(copy.path, "deploy/kubernetes/postgres/kustomization.yaml");
        const text = await Deno.readTextFile(path);
        await Deno.writeTextFile(
          path,
          `${
            text.replace("namespace: mcp", "namespace: scaled")
          }components:\n  - ../components/autoscaling\n`,
        );
        await kubernetes.kubectl("create", "namespace", "scaled");
        const apply = () => kubernetes.kubectl("apply", "-k", join(copy.path, "deploy/kubernetes/postgres"));
        const replicas = () =>
          kubernetes.kubectl(
            ...["-n", "scaled", "get", "deployment", "postgres-mcp", "-o", "jsonpath={.spec.replicas}"],
          );
        await apply();
        const scaler = await kubernetes.kubectl(
          ...["-n", "scaled", "get", "hpa", "postgres-mcp", "-o", "jsonpath={.spec.scaleTargetRef.name}"],
        );
        assert.equal(scaler, "postgres-mcp");
        await kubernetes.kubectl("-n", "scaled", "get", "pdb", "postgres-mcp");
        await kubernetes.kubectl("-n", "scaled", "scale", "deployment", "postgres-mcp", "--replicas=4");
        await apply();
        assert.equal(await replicas(), "4");
      },
    );
    await t.step(
      "an overlay: its variables win, its namespace holds everything, OAuth alone needs no tokens",
      async () => {
        await using copy = await copyOfDeploy();
        const overlay = join(copy.path, "deploy/overlays/example");
        const path = join(overlay, "kustomization.yaml");
        const text = (await Deno.readTextFile(path)).replace("namespace: mcp", "namespace: tools")
          .replace("  - name: mcp-tokens\n    files: [tokens]\n", "");
        await Deno.writeTextFile(
          path,
          `${text}components:\n  - ../../kubernetes/components/oauth-only\n`,
        );
        await Deno.writeTextFile(join(overlay, "database-password"), "x");
        const built = await kubernetes.kubectl("kustomize", overlay);
        assert.doesNotMatch(built, /mcp-tokens|MCP_TOKENS_FILE|namespace: mcp\b/);
        const postgres = objects(built).find(({ kind, metadata }) =>
          kind === "Deployment" && metadata.name === "postgres-mcp"
        );
        assert.equal(postgres?.metadata.namespace, "tools");
        const [container] = postgres?.spec.template.spec.containers ?? [];
        assert.equal(container.image, "ghcr.io/example/mcp/postgres-mcp:0.1.0");
        const hosts = container.env.filter(({ name }: { name: string }) => name === "DB_HOST");
        assert.deepEqual(hosts, [{ name: "DB_HOST", value: "postgres.shop.svc" }]);
        await kubernetes.kubectl("create", "namespace", "tools");
        await kubernetes.kubectl("apply", "--dry-run=server", "-k", overlay);
      },
    );
    for (const { metadata: { name }, spec } of deployments) {
      await t.step(`${name}: no rights, no writable file system, probes without the backend`, () => {
        const pod = spec.template.spec;
        const [container] = pod.containers;
        assert.equal(pod.securityContext.runAsNonRoot, true);
        assert.equal(container.securityContext.readOnlyRootFilesystem, true);
        assert.deepEqual(container.securityContext.capabilities.drop, ["ALL"]);
        assert.equal(container.readinessProbe.httpGet.path, "/readyz?exclude=backend");
        assert.equal(pod.automountServiceAccountToken, name === "kubernetes-mcp" || name === "platform-mcp");
        // $(POD_IP) is expanded only where it stands before.
        const names = container.env.map((variable: { name: string }) => variable.name);
        for (const used of ["POD_IP", "POD_NAMESPACE", "SERVICE"]) {
          assert.ok(names.includes(used) && names.indexOf(used) < names.indexOf("MCP_ALLOWED_HOSTS"));
        }
      });
    }
  },
});

Deno.test({
  name: "--http [::]:PORT serves IPv4 and IPv6, for pods that have only the latter",
  ignore: !permitted || !hasIpv6(),
  async fn() {
    const tokens = await Deno.makeTempFile();
    await Deno.writeTextFile(tokens, newToken("alice").line);
    await using served = await HttpProgram.start({
      command: programCommand([], "prometheus"),
      address: "[::]:0",
      variables: { MCP_TOKENS_FILE: tokens, MCP_ALLOWED_HOSTS: "127.0.0.1,::1" },
    });
    for (const host of ["127.0.0.1", "[::1]"]) {
      const response = await fetch(`http://${host}:${served.port}/healthz`);
      assert.equal(response.status, 200, host);
      await response.body?.cancel();
    }
    await Deno.remove(tokens);
  },
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

/** The environment of a container, as the kubelet makes it; `fields` are the pod's own. */
function environmentOf(
  variables: readonly { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }[],
  fields: Readonly<Record<string, string>>,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const { name, value, valueFrom } of variables) {
    environment[name] = (value ?? fields[valueFrom?.fieldRef.fieldPath ?? ""] ?? "")
      .replaceAll(/\$\((\w+)\)/g, (reference, other) => environment[other] ?? reference);
  }
  return environment;
}

for (const program of programs) {
  Deno.test({
    name:
      `the manifests' environment of ${program}-mcp: the kubelet and Prometheus ask by the pod's address, ` +
      "strangers' names are refused",
    ignore: !kubernetesAvailable,
    async fn() {
      const kubernetes = await sharedKubernetes();
      const built = objects(await kubernetes.kubectl("kustomize", join(folder, program)));
      const pod = built.find(({ kind }) => kind === "Deployment")?.spec.template;
      const [container] = pod.spec.containers;
      const podAddress = "10.1.2.3";
      const secrets = await Deno.makeTempDir();
      const { token, line } = newToken("alice");
      await Deno.writeTextFile(join(secrets, "tokens"), `${line}\n`);
      await Deno.writeTextFile(join(secrets, "password"), "x");
      const environment = environmentOf(container.env, {
        "status.podIP": podAddress,
        "metadata.namespace": "mcp",
        "metadata.labels['app.kubernetes.io/name']": pod.metadata.labels["app.kubernetes.io/name"],
      });
      const variables = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [
          name,
          // Where the manifest mounts its Secrets.
          value.replace(/^\/etc\/mcp\/\w+/, secrets),
        ]),
      );
      await using served = await HttpProgram.start({
        command: programCommand([], program),
        address: "0.0.0.0:0",
        variables,
      });
      const status = async (path: string, host: string, bearer?: string): Promise<number> => {
        // As whoever has that name would ask: fetch may not set the Host header.
        const authorization = bearer === undefined ? "" : `Authorization: Bearer ${bearer}\r\n`;
        const answer = await sendRaw(
          served.port,
          `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${authorization}Connection: close\r\n\r\n`,
          20_000,
        );
        return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
      };
      try {
        assert.equal(await status("/healthz", `${podAddress}:8080`), 200);
        assert.equal(await status("/readyz?exclude=backend", `${podAddress}:8080`), 200);
        assert.equal(await status("/metrics", `${podAddress}:8080`), 401);
        assert.equal(await status("/metrics", `${podAddress}:8080`, token), 200);
        assert.equal(await status("/metrics", `${program}-mcp:8080`, token), 200);
        assert.equal(await status("/metrics", `${program}-mcp.mcp.svc:8080`, token), 200);
        assert.equal(await status("/metrics", `${program}-mcp.other.svc:8080`, token), 403);
        assert.equal(await status("/healthz", "evil.example"), 403);
      } finally {
        await Deno.remove(secrets, { recursive: true });
      }
    },
  });
}
