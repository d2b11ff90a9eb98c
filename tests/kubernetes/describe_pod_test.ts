import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { describePod } from "../../src/kubernetes/describe_pod.ts";
import { kubernetesAvailable, sharedKubernetes } from "../support/kubernetes.ts";
import { permitted } from "../support/permitted.ts";
import { callTool } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { FakeApiserver } from "./fake_apiserver.ts";
import { container, running, terminated, waiting } from "./pod_states.ts";

/** Everything that a pod's description has a line for. */
const rich = `
apiVersion: v1
kind: Pod
metadata:
  name: rich
  labels: {app: rich, test/held: "true", zeta: z}
  annotations:
    example.com/short: short
    example.com/long: "${"a long annotation ".repeat(7)}"
    example.com/lines: "one\\ntwo"
spec:
  nodeSelector: {kubernetes.io/os: linux}
  terminationGracePeriodSeconds: 5
  tolerations:
  - {key: a, operator: Exists, effect: NoSchedule}
  - {key: b, operator: Equal, value: c, effect: NoExecute, tolerationSeconds: 30}
  - {operator: Exists}
  topologySpreadConstraints:
  - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: rich}}}
  readinessGates: [{conditionType: example.com/gate}]
  securityContext: {seccompProfile: {type: RuntimeDefault}}
  initContainers:
  - {name: migrate, image: "migrate:1", command: [sh, -c, "echo a\\necho b"]}
  - {name: proxy, image: "proxy:1", restartPolicy: Always, startupProbe: {grpc: {port: 9090}}}
  containers:
  - name: app
    image: registry.example.com/app:1
    args: ["--port", "8080"]
    ports: [{containerPort: 8080, name: http}, {containerPort: 9090, hostPort: 9090, protocol: UDP}]
    resources: {limits: {cpu: 500m, memory: 256Mi}, requests: {cpu: 100m, memory: 128Mi, ephemeral-storage: 1Gi}}
    livenessProbe: {httpGet: {path: "/healthz?x=1", port: http, scheme: HTTPS}, initialDelaySeconds: 3}
    readinessProbe: {exec: {command: [cat, /ready]}}
    startupProbe: {tcpSocket: {port: 8080}}
    env:
    - {name: A, value: "b"}
    - {name: LINES, value: "one\\ntwo"}
    - {name: S, valueFrom: {secretKeyRef: {name: db, key: password}}}
    - {name: C, valueFrom: {configMapKeyRef: {name: settings, key: level, optional: true}}}
    - {name: P, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: L, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: R, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
    - {name: R2, valueFrom: {resourceFieldRef: {resource: requests.cpu}}}
    envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: more, optional: true}, prefix: P_}]
    volumeMounts: [{name: settings, mountPath: /z, readOnly: true}, {name: data, mountPath: /a, subPath: sub}]
  - {name: side, image: "side:1", resources: {limits: {cpu: "1"}}}
  volumes:
  - {name: settings, configMap: {name: settings}}
  - {name: data, emptyDir: {sizeLimit: 1Gi}}
  - {name: secret, secret: {secretName: db}}
  - {name: host, hostPath: {path: /var/log}}
  - {name: claim, persistentVolumeClaim: {claimName: data}}
  - {name: nfs, nfs: {server: s, path: /p}}
  - {name: down, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - name: projected
    projected: {sources: [{secret: {name: s}}, {configMap: {name: c}}, {downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}]}}]}
  - {name: csi, csi: {driver: d.example.com, volumeAttributes: {a: b, c: d}}}
  - {name: own, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}
`;

const moment = "2026-01-02T03:04:05Z";
const richStatus = {
  phase: "Running",
  podIP: "10.0.0.1",
  podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }],
  startTime: moment,
  initContainerStatuses: [container("migrate", terminated(0, "Completed"), { ready: true })],
  containerStatuses: [
    container("app", waiting("CrashLoopBackOff", "back-off 40s restarting failed container"), {
      restartCount: 3,
      imageID: `sha256:${"ab".repeat(32)}`,
      containerID: "containerd://cd",
      lastState: terminated(137, "OOMKilled", { message: "bye", signal: 9 }),
    }),
    container("side", running, { ready: true }),
  ],
  conditions: [
    {
      type: "Ready",
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [app]",
      lastTransitionTime: moment,
    },
  ],
};

/** Lines without blanks that only align; ages differ from one moment to the next. */
function normalLines(text: string): readonly string[] {
  return text.split("\n").map((line) => line.trim().replace(/\s+/g, " ")).filter((line) => line !== "");
}

Deno.test({
  name: "every line of kubectl describe pod, in its order",
  ignore: !kubernetesAvailable,
  async fn(t) {
    const kubernetes = await sharedKubernetes();
    const clusters = kubernetes.clusters();
    const tool = describePod(clusters);
    const namespace = await kubernetes.namespace("describe");
    const pod = (name: string, labels: Record<string, string>, spec: Record<string, unknown> = {}) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, labels },
      spec: { containers: [{ name: "app", image: "a:1", ...spec }] },
    });
    await kubernetes.apply(rich.replace("name: rich\n", `name: rich\n  namespace: ${namespace}\n`));
    await kubernetes.setPodStatus(namespace, "rich", richStatus);
    await kubernetes.apply([
      pod("well", { app: "well" }),
      pod("huge", { app: "huge" }, { resources: { requests: { cpu: "500" } } }),
      pod("crashing", { "test/crash": "true" }),
      {
        ...pod("deleted", { "test/held": "true" }),
        metadata: {
          name: "deleted",
          namespace,
          labels: { "test/held": "true" },
          finalizers: ["example.com/held"],
        },
      },
    ]);
    await kubernetes.setPodStatus(namespace, "deleted", {
      phase: "Running",
      reason: "Odd",
      message: "an odd state",
    });
    await kubernetes.kubectl("delete", "pod", "deleted", `--namespace=${namespace}`, "--wait=false");
    await until("a pod that was restarted, and one that runs", async () => {
      const text = await kubernetes.kubectl("get", "pods", `--namespace=${namespace}`, "--no-headers");
      return /crashing .*CrashLoopBackOff +2 /.test(text) && /well .*Running/.test(text) &&
        /huge .*Pending/.test(text);
    });
    for (const name of ["rich", "well", "huge", "deleted", "crashing"]) {
      await t.step(name, async () => {
        // What changes by itself has to be the same in both.
        await until(`the same ${name} twice`, async () => {
          const version = () =>
            kubernetes.kubectl(
              "get",
              "pod",
              name,
              `--namespace=${namespace}`,
              "--output=jsonpath={.metadata.resourceVersion}",
            );
          const before = await version();
          const theirs = normalLines(
            await kubernetes.kubectl("describe", "pod", name, `--namespace=${namespace}`),
          );
          const { text } = await callTool(tool, { pod_name: name, namespace });
          if (before !== await version()) return false;
          compare(theirs, normalLines(text));
          return true;
        });
      });
    }
    await t.step("what kubectl leaves out is there, and the diagnosis leads", async () => {
      const { text, structured } = await callTool(tool, { pod_name: "rich", namespace });
      assert.match(text, /^Pod describe-\S+\/rich, context test: CrashLoopBackOff, 1\/3 ready, 3 restarts, /);
      assert.match(text, /\n- Container app is in a crash loop, restarted 3 times: .*OOMKilled.*256Mi/);
      assert.ok(text.includes("Message: back-off 40s restarting failed container"));
      assert.match(text, /Ready False for \S+ ContainersNotReady: containers with unready status: \[app\]/);
      assert.ok(structured.diagnosis.length > 0);
      const well = await callTool(tool, { pod_name: "well", namespace });
      assert.match(well.text, /Nothing seems to be wrong\./);
      const huge = await callTool(tool, { pod_name: "huge", namespace });
      assert.match(
        huge.text,
        /can't be scheduled: no node fits\n.*Insufficient cpu.*\n {4}app requests cpu 500/,
      );
    });
    await t.step("events: the latest last, with counts", async () => {
      const { structured } = await callTool(tool, { pod_name: "crashing", namespace });
      assert.ok(structured.events.some(({ reason }: { reason: string }) => reason === "Scheduled"));
      assert.ok(structured.events.every(({ count = 2 }: { count?: number }) => count >= 2));
    });
    clusters.close();
    await kubernetes.kubectl(
      "patch",
      "pod",
      "deleted",
      `--namespace=${namespace}`,
      "--type=merge",
      '--patch={"metadata":{"finalizers":null}}',
    );
    await kubernetes.kubectl("delete", "namespace", namespace, "--wait=false");
  },
});

/** Every line of theirs starts a line of ours, in the same order; ages, the rule under a header and cut lines apart. */
function compare(theirs: readonly string[], ours: readonly string[]): void {
  let at = 0;
  let events = false;
  for (const line of theirs) {
    if (/^[- ]+$/.test(line)) continue;
    events ||= line === "Events:";
    // kubectl sorts events by a field that most have not, and its ages are of the first time.
    if (events && / /.test(line) && line !== "Type Reason Age From Message") {
      const message = line.split(" ").slice(-4).join(" ");
      assert.ok(ours.some((own) => own.endsWith(message)), `an event is missing: ${line}`);
      continue;
    }
    const wanted = line.replace(/\.\.\.$/, "").replace(/^(Status: Terminating \(lasts ).*/, "$1");
    const found = ours.findIndex((own, index) => index >= at && own.startsWith(wanted));
    assert.ok(found >= 0, `kubectl has, and we have not after "${ours[at - 1]}": ${line}`);
    at = found + 1;
  }
}

const fake = { ignore: !permitted };

Deno.test("events of the two APIs are sorted by their last time, with counts", fake, async () => {
  const minutes = (ago: number) => new Date(Date.now() - ago * 60_000).toISOString();
  const involvedObject = { kind: "Pod", name: "a", namespace: "default", fieldPath: "spec.containers{app}" };
  await using api = FakeApiserver.start({
    "/api/v1/namespaces/default/pods/a": {
      metadata: { name: "a", namespace: "default", uid: "u" },
      spec: { containers: [] },
      status: { phase: "Pending" },
    },
    "/api/v1/namespaces/default/events": {
      kind: "EventList",
      items: [
        {
          type: "Warning",
          reason: "BackOff",
          message: "back-off",
          count: 8,
          firstTimestamp: minutes(60),
          lastTimestamp: minutes(3),
          source: { component: "kubelet" },
          involvedObject,
        },
        {
          type: "Normal",
          reason: "Scheduled",
          message: "assigned",
          eventTime: minutes(61),
          reportingComponent: "default-scheduler",
          involvedObject: { kind: "Pod", name: "a" },
        },
        {
          type: "Warning",
          reason: "Unhealthy",
          message: "probe",
          eventTime: minutes(50),
          series: { count: 40, lastObservedTime: minutes(5) },
          involvedObject,
        },
      ],
    },
  });
  const { text, structured } = await callTool(describePod(api.clusters), { pod_name: "a" });
  assert.deepEqual(
    // Minutes, and what may have passed since.
    structured.events.map((
      { reason, count, last_seen }: Record<string, unknown>,
    ) => [reason, count, /^(61|5|3)m/.exec(String(last_seen))?.[1] ?? last_seen]),
    [["Scheduled", undefined, "61"], ["Unhealthy", 40, "5"], ["BackOff", 8, "3"]],
  );
  assert.equal(structured.events[2].about, "spec.containers{app}");
  assert.match(
    text,
    /\n {2}Warning BackOff 3m\w* \(x8 over \d+m\) kubelet spec\.containers\{app\}: back-off$/,
  );
});

Deno.test("events that may not be read are said, and the rest is there", fake, async () => {
  const forbidden = () =>
    Response.json({
      kind: "Status",
      code: 403,
      reason: "Forbidden",
      message: 'events is forbidden: User "u" cannot list',
    }, { status: 403 });
  await using api = FakeApiserver.start({
    "/api/v1/namespaces/default/pods/a": {
      metadata: { name: "a", namespace: "default" },
      spec: {
        nodeName: "n",
        containers: [{ name: "app" }],
        volumes: [{ name: "d", persistentVolumeClaim: { claimName: "d" } }],
      },
      status: { phase: "Pending", containerStatuses: [container("app", waiting("ContainerCreating"))] },
    },
    "/api/v1/namespaces/default/events": forbidden,
    "/api/v1/nodes/n": forbidden,
    "/api/v1/namespaces/default/persistentvolumeclaims/d": forbidden,
  });
  const { text } = await callTool(describePod(api.clusters), { pod_name: "a" });
  assert.match(text, /Its events can't be seen: .*lacks the right to list events/);
  assert.match(text, /\nName: a\n/);
});

Deno.test("a pod of many megabytes keeps to the budget, and its secrets", fake, async () => {
  const evil = "x\u001b[2J\u202e ".repeat(20_000);
  await using api = FakeApiserver.start({
    "/api/v1/namespaces/default/pods/a": {
      metadata: { name: "a", namespace: "default", annotations: { note: evil }, labels: { l: evil } },
      spec: {
        containers: Array.from({ length: 200 }, (_, index) => ({
          name: `c${index}`,
          image: evil.slice(0, 10_000),
          env: Array.from({ length: 50 }, (_, at) => ({ name: `DB_PASSWORD_${at}`, value: "Hunter2" })),
        })),
      },
      status: {
        phase: "Running",
        containerStatuses: [
          container("c0", waiting("CrashLoopBackOff", evil), {
            lastState: terminated(1, "Error", { message: evil }),
          }),
        ],
      },
    },
    "/api/v1/namespaces/default/events": {
      kind: "EventList",
      items: Array.from({ length: 60 }, () => ({ message: evil.slice(0, 10_000), reason: "R" })),
    },
  });
  for (const budget of [1_500, 32_768]) {
    const { text, structured } = await callTool(describePod(api.clusters), { pod_name: "a" }, budget);
    // What is wrong is the last to go.
    assert.match(structured.diagnosis[0].problem, /^It has not been scheduled/);
    const shown = structured.events.length === 0 ? "None" : `The last ${structured.events.length}`;
    assert.ok(structured.notes.includes(`${shown} of 60 events are shown; get_events shows others.`));
    // deno-lint-ignore no-control-regex -- these must not be there
    assert.ok(!/[\x1b\u202e]|Hunter2/.test(text));
    assert.ok(!JSON.stringify(structured).includes("Hunter2"));
  }
});

Deno.test("a pod that is not there: the names that are near", fake, async () => {
  const named = (name: string) => ({
    metadata: { name, namespace: "default" },
    spec: { containers: [] },
    status: {},
  });
  await using api = FakeApiserver.start({
    "/api/v1/namespaces/default/pods/postgrse": () =>
      Response.json({ kind: "Status", code: 404, message: 'pods "postgrse" not found' }, { status: 404 }),
    "/api/v1/namespaces/default/pods/postgres": () =>
      Response.json({ kind: "Status", code: 404, message: 'pods "postgres" not found' }, { status: 404 }),
    "/api/v1/namespaces/default/pods": {
      kind: "PodList",
      items: [named("postgres-0"), named("web-1"), named("web-2")],
    },
    "/api/v1/namespaces/default": { metadata: { name: "default" } },
    "/api/v1/pods": { kind: "PodList", items: [] },
    "/api/v1/namespaces/default/events": { kind: "EventList", items: [] },
  });
  const tool = describePod(api.clusters);
  const { text } = await callTool(tool, { pod_name: "postgres" });
  assert.match(text, /No pod is named postgres; this is postgres-0\./);
  await assert.rejects(
    callTool(tool, { pod_name: "postgrse" }),
    (error: unknown) =>
      error instanceof CallError && error.kind === "not_found" &&
      /postgres-0|get_pods/.test(error.hint ?? ""),
  );
});
