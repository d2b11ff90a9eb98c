import assert from "@std/assert";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { project, RawClient } from "../support/mcp.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
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
    await t.step("applied, and every deployment becomes available", async () => {
      await kubernetes.kubectl("apply", "-f", join(folder, "namespace.yaml"));
      const { line } = newToken("alice");
      await kubernetes.kubectl(
        "-n",
        "mcp",
        "create",
        "secret",
        "generic",
        "mcp-tokens",
        `--from-literal=tokens=${line}`,
      );
      await kubernetes.kubectl(
        "-n",
        "mcp",
        "create",
        "secret",
        "generic",
        "mcp-database",
        "--from-literal=password=x",
      );
      await kubernetes.kubectl("apply", "-k", folder);
      for (const name of programs) {
        await kubernetes.kubectl("-n", "mcp", "rollout", "status", `deployment/${name}-mcp`, "--timeout=60s");
      }
    });
    await t.step("the autoscaling component, where a program takes it", async () => {
      const copy = await Deno.makeTempDir();
      try {
        await new Deno.Command("cp", { args: ["-r", folder, copy] }).output();
        const path = join(copy, "kubernetes/postgres/kustomization.yaml");
        const text = await Deno.readTextFile(path);
        await Deno.writeTextFile(path, `${text}components:\n  - ../components/autoscaling\n`);
        const built = objects(await kubernetes.kubectl("kustomize", join(copy, "kubernetes/postgres")));
        const scaler = built.find(({ kind }) => kind === "HorizontalPodAutoscaler");
        assert.equal(scaler?.spec.scaleTargetRef.name, "postgres-mcp");
        assert.ok(built.some(({ kind }) => kind === "PodDisruptionBudget"));
      } finally {
        await Deno.remove(copy, { recursive: true });
      }
    });
    await t.step("the overlay of docs/deploying.md builds, and its variables win", async () => {
      const guide = await Deno.readTextFile(join(project, "docs/deploying.md"));
      const [, overlay = ""] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];
      const copy = await Deno.makeTempDir();
      try {
        await new Deno.Command("cp", { args: ["-r", join(project, "deploy"), copy] }).output();
        await Deno.mkdir(join(copy, "shop"));
        await Deno.writeTextFile(join(copy, "shop/kustomization.yaml"), overlay);
        const built = objects(await kubernetes.kubectl("kustomize", join(copy, "shop")));
        const [container] = built.find(({ kind }) => kind === "Deployment")?.spec.template.spec.containers ??
          [];
        assert.equal(container.image, "registry.example.com/postgres-mcp:0.1.0");
        const hosts = container.env.filter((variable: { name: string }) => variable.name === "DB_HOST");
        assert.deepEqual(hosts, [{ name: "DB_HOST", value: "postgres.shop.svc" }]);
      } finally {
        await Deno.remove(copy, { recursive: true });
      }
    });
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
        assert.ok(names.indexOf("POD_IP") < names.indexOf("MCP_ALLOWED_HOSTS"));
      });
    }
  },
});

Deno.test({
  name:
    "the manifests' environment: the kubelet and Prometheus ask by the pod's address, strangers' names are refused",
  ignore: !kubernetesAvailable,
  async fn() {
    const kubernetes = await sharedKubernetes();
    const built = objects(await kubernetes.kubectl("kustomize", join(folder, "prometheus")));
    const [container] = built.find(({ kind }) => kind === "Deployment")?.spec.template.spec.containers ?? [];
    const podAddress = "10.1.2.3";
    const tokens = await Deno.makeTempFile();
    const { token, line } = newToken("alice");
    await Deno.writeTextFile(tokens, `${line}\n`);
    const variables = Object.fromEntries(
      container.env.map((
        { name, value = podAddress }: { name: string; value?: string },
      ) => [name, value.replaceAll("$(POD_IP)", podAddress)]),
    );
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const client = RawClient.launch({
      program: "prometheus",
      args: ["--http", `0.0.0.0:${port}`],
      variables: { ...variables, MCP_TOKENS_FILE: tokens },
      plain: true,
    });
    try {
      // As whoever has that name would ask: fetch may not set the Host header.
      const status = async (path: string, host: string, bearer?: string): Promise<number> => {
        const socket = await Deno.connect({ hostname: "127.0.0.1", port });
        try {
          const authorization = bearer === undefined ? "" : `Authorization: Bearer ${bearer}\r\n`;
          await socket.write(
            new TextEncoder().encode(
              `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${authorization}Connection: close\r\n\r\n`,
            ),
          );
          const buffer = new Uint8Array(64);
          const read = await socket.read(buffer) ?? 0;
          return Number(/^HTTP\/1\.1 (\d{3})/.exec(new TextDecoder().decode(buffer.subarray(0, read)))?.[1]);
        } finally {
          socket.close();
        }
      };
      const end = performance.now() + 20_000;
      while (await status("/healthz", `${podAddress}:8080`).catch(() => 0) !== 200) {
        assert.ok(performance.now() < end, `it never answered: ${client.stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal(await status("/readyz?exclude=backend", `${podAddress}:8080`), 200);
      assert.equal(await status("/readyz", `${podAddress}:8080`), 503);
      assert.equal(await status("/metrics", `${podAddress}:8080`), 401);
      assert.equal(await status("/metrics", `${podAddress}:8080`, token), 200);
      assert.equal(await status("/metrics", "prometheus-mcp.mcp.svc:8080", token), 200);
      assert.equal(await status("/healthz", "evil.example"), 403);
    } finally {
      client.kill("SIGTERM");
      await client[Symbol.asyncDispose]();
      await Deno.remove(tokens);
    }
  },
});
