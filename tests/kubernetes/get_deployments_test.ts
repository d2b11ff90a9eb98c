import assert from "@std/assert";
import { getDeployments } from "../../src/kubernetes/get_deployments.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { stallRollout } from "../support/kubernetes/stalled_rollout.ts";
import { permitted } from "../support/permitted.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { FakeApiserver } from "./fake_apiserver.ts";

function deployment(
  namespace: string,
  name: string,
  { replicas = 2, labels = {}, cpu = "10m", image = "registry.example.org/app:1", spec = {} }: {
    readonly replicas?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly cpu?: string;
    readonly image?: string;
    readonly spec?: Readonly<Record<string, unknown>>;
  } = {},
) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, ...labels } },
        spec: { containers: [{ name: "app", image, resources: { requests: { cpu }, limits: { cpu } } }] },
      },
      ...spec,
    },
  };
}

Deno.test({
  name: "get_deployments on a real control plane",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const tool = getDeployments(clusters);
    const namespace = await kubernetes.namespace("deployments");
    const full = await kubernetes.namespace("full");
    await kubernetes.apply([
      {
        apiVersion: "v1",
        kind: "ResourceQuota",
        metadata: { name: "none", namespace: full },
        spec: { hard: { pods: "0" } },
      },
      deployment(namespace, "stuck"),
      deployment(namespace, "well"),
      deployment(namespace, "crashing", { labels: { "test/crash": "true" } }),
      deployment(namespace, "zero", { replicas: 0 }),
      deployment(namespace, "crowd", { replicas: 7, cpu: "5000" }),
      deployment(namespace, "paused", { spec: { paused: true } }),
    ]);
    await kubernetes.kubectl(
      "rollout",
      "status",
      "deployment/stuck",
      `--namespace=${namespace}`,
      "--timeout=120s",
    );
    // A quota that is not yet counted refuses nothing for good.
    await until("the quota is counted", async () => {
      const hard = await kubernetes.kubectl(
        "get",
        "quota",
        "none",
        "-n",
        full,
        "-o",
        "jsonpath={.status.hard.pods}",
      );
      return hard === "0";
    });
    await kubernetes.apply([
      deployment(namespace, "stuck", {
        cpu: "5000",
        image: "registry.example.org/app:2",
      }),
      deployment(full, "refused"),
    ]);
    await stallRollout(kubernetes, namespace, "stuck", 1);

    // deno-lint-ignore no-explicit-any
    let found: Record<string, any> = {};
    let text = "";
    await until("the verdicts", async () => {
      const answer = await callTool(tool, { namespace });
      text = answer.text;
      found = Object.fromEntries(
        answer.structured.deployments.map((one: { name: string }) => [one.name, one]),
      );
      return found.stuck.verdict === "stalled" && found.well.verdict === "complete" &&
        found.paused.verdict === "paused" && found.crashing.sick_pods === 2 && /CrashLoop/.test(text);
    });

    await t.step("a rollout that does not go on: verdict, replica sets, and the pod that holds it up", () => {
      const { stuck } = found;
      assert.match(
        stuck.explanation,
        /^ProgressDeadlineExceeded: ReplicaSet "stuck-\w+" has timed out progressing$/,
      );
      assert.deepEqual(stuck.images, ["registry.example.org/app:2"]);
      assert.equal(stuck.updated, 1);
      assert.equal(stuck.ready, 2);
      const [current, old] = stuck.replica_sets;
      assert.deepEqual([current.current, current.ready, current.revision], [true, 0, "2"]);
      assert.deepEqual([old.current, old.ready, old.images], [false, 2, ["registry.example.org/app:1"]]);
      assert.equal(stuck.sick_pods, 1);
      assert.match(stuck.held_up_by[0].message, /Insufficient cpu/);
      assert.match(
        text,
        /stuck: STALLED, ProgressDeadlineExceeded[^\n]+\n- current replica set[^\n]+: 0 of 1 pod ready/,
      );
      assert.match(
        text,
        /\n- old replica set stuck-\w+: 2 of 2 pods ready.*app:1\n- pod stuck-\S+: Pending: .*Insufficient cpu/,
      );
    });
    await t.step("pods that crash", () => {
      assert.match(text, /\n- pod crashing-\S+: (?:CrashLoopBackOff|Error|Running)/);
      assert.ok(["progressing", "degraded"].includes(found.crashing.verdict), found.crashing.verdict);
    });
    await t.step("what is well comes last, in a line each", () => {
      const { well, zero, paused } = found;
      assert.deepEqual([well.verdict, zero.verdict, paused.verdict], [
        "complete",
        "scaled_to_zero",
        "paused",
      ]);
      assert.equal(well.replica_sets, undefined);
      assert.match(
        text,
        /\nwell +\| +2\/2 \| +2 \| +2 \| complete +\| \d\S* +\| registry\.example\.org\/app:1/,
      );
      assert.ok(text.indexOf("\nstuck ") < text.indexOf("\nwell "));
    });
    await t.step("one by its name comes with its replica sets, though it is well", async () => {
      const { structured, text } = await callTool(tool, { namespace, name: "well" });
      assert.equal(structured.deployments[0].replica_sets.length, 1);
      assert.match(text, /well: COMPLETE, rolled out\n- current replica set well-\w+: 2 of 2 pods ready/);
      const everywhere = await callTool(tool, { all_namespaces: true, name: "well" });
      assert.equal(everywhere.structured.deployments[0].namespace, namespace);
      await assert.rejects(callTool(tool, { namespace, name: "wel" }), { hint: "did you mean well?" });
    });
    await t.step("some of many pods that hold it up, and how many there are", async () => {
      const { structured, text } = await callTool(tool, { namespace, name: "crowd" });
      const [{ pods, sick_pods: sick, held_up_by: shown }] = structured.deployments;
      assert.deepEqual([pods, sick, shown.length], [7, 7, 5]);
      assert.equal(structured.note, "held_up_by has some of the unhealthy pods; get_pods lists all.");
      assert.match(text, /\n- and 2 more unhealthy pods \(get_pods\)/);
    });
    await t.step("old replica sets without pods are counted", async () => {
      const image = "app=registry.example.org/app:2";
      await kubernetes.kubectl("set", "image", "deployment/zero", image, `--namespace=${namespace}`);
      await until("the new replica set", async () => {
        const { structured } = await callTool(tool, { namespace, name: "zero" });
        const [{ replica_sets: sets, older_sets: older }] = structured.deployments;
        return sets[0].revision === "2" && older === 1;
      });
    });
    await t.step("pods that a quota refuses", async () => {
      let refused = "";
      await until("the refusal", async () => {
        const answer = await callTool(tool, { namespace: full });
        refused = answer.text;
        return answer.structured.deployments[0].verdict === "stalled";
      });
      assert.match(refused, /refused: STALLED, pods can't be created: FailedCreate: .*exceeded quota: none/);
      assert.match(refused, /\n- it has no pod at all/);
    });
    await t.step("keeps to a small budget", async () => {
      const answer = await callTool(tool, { all_namespaces: true, limit: 500 }, 2_048);
      assert.match(answer.text, /\[Cut: /);
    });
    clusters.close();
  },
});

Deno.test("of pods that may not be read nothing is counted", { ignore: !permitted }, async () => {
  const status = { replicas: 2, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
  await using api = FakeApiserver.start({
    "/apis/apps/v1/namespaces/default/deployments": {
      kind: "DeploymentList",
      items: [{ ...deployment("default", "web"), status }],
    },
    "/apis/apps/v1/namespaces/default/replicasets": { kind: "ReplicaSetList", items: [] },
    "/api/v1/namespaces/default/pods": () =>
      Response.json({ kind: "Status", code: 403, reason: "Forbidden", message: "no" }, { status: 403 }),
  });
  const { structured } = await callTool(getDeployments(api.clusters), {});
  const [{ ready, pods, sick_pods: sick, replica_sets: sets, unseen }] = structured.deployments;
  assert.deepEqual([ready, pods, sick, sets], [1, undefined, undefined, undefined]);
  assert.match(unseen, /lacks the right to list pods/);
});
