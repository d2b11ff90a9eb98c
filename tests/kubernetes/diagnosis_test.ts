import assert from "@std/assert";
import { diagnose, type Finding, type Surroundings } from "../../src/kubernetes/diagnosis.ts";
import type { ClusterEvent } from "../../src/kubernetes/events.ts";
import { podStatus } from "../../src/kubernetes/pod_status.ts";
import { container, running, terminated, waiting } from "./pod_states.ts";

type Fields = Readonly<Record<string, unknown>>;

const now = Date.now();
const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString();

function event(reason: string, message: string, count = 1): ClusterEvent {
  return {
    type: "Warning",
    reason,
    message,
    count,
    kind: "Pod",
    name: "p",
    namespace: "n",
    first: now - 60_000,
    last: now,
  };
}

interface Case {
  readonly what: string;
  readonly pod: Fields;
  readonly around?: Partial<Surroundings>;
  /** Patterns for the problems, in their order, and for their evidence on the same line. */
  readonly expected: readonly RegExp[];
}

const spec = (more: Fields = {}) => ({
  nodeName: "node-1",
  containers: [{ name: "app", image: "reg.example.com/app:1", ...more }],
});
const limits = { resources: { limits: { memory: "256Mi" } } };
const crashed = (exitCode: number, reason: string, more: Fields = {}) => ({
  phase: "Running",
  containerStatuses: [
    container("app", waiting("CrashLoopBackOff", "back-off 5m0s"), {
      restartCount: 7,
      lastState: terminated(exitCode, reason, { finishedAt: ago(2), ...more }),
    }),
  ],
});
const waits = (reason: string, message?: string) => ({
  phase: "Pending",
  containerStatuses: [container("app", waiting(reason, message))],
});

const cases: readonly Case[] = [
  {
    what: "a crash loop with its exit code and what the program left",
    pod: { spec: spec(), status: crashed(1, "Error", { message: "cannot open database" }) },
    expected: [
      /^Container app is in a crash loop, restarted 7 times; it last ended with Error \(1\) .*exit code 1, 2m ago: the program reported an error.*cannot open database.*previous: true/,
    ],
  },
  {
    what: "a command that is not there",
    pod: { spec: spec(), status: crashed(127, "ContainerCannotRun") },
    expected: [/127.*not found in the image/],
  },
  {
    what: "a command that can't be executed",
    pod: { spec: spec(), status: crashed(126, "Error") },
    expected: [/126.*can't be executed/],
  },
  {
    what: "a segmentation fault",
    pod: { spec: spec(), status: crashed(139, "Error") },
    expected: [/139.*SIGSEGV/],
  },
  {
    what: "a container that was asked to stop",
    pod: { spec: spec(), status: crashed(143, "Error") },
    expected: [/143.*SIGTERM/],
  },
  {
    what: "137 that was no OOM, with the limit beside it",
    pod: { spec: spec(limits), status: crashed(137, "Error") },
    expected: [/137.*SIGKILL.*its memory limit is 256Mi/],
  },
  {
    what: "OOM with the limit",
    pod: { spec: spec(limits), status: crashed(137, "OOMKilled") },
    expected: [/killed for memory \(OOMKilled\), its limit is 256Mi .*more memory than its limit/],
  },
  {
    what: "OOM without a limit",
    pod: { spec: spec(), status: crashed(137, "OOMKilled") },
    expected: [/OOMKilled\), without a limit of its own: the node ran out/],
  },
  {
    what: "a program that ends well again and again",
    pod: { spec: spec(), status: crashed(0, "Completed") },
    expected: [/ends by itself again and again \(exit code 0, restarted 7 times\)/],
  },
  {
    what: "a liveness probe that kills",
    pod: { spec: spec(), status: crashed(137, "Error") },
    around: {
      events: [
        event("Unhealthy", "Liveness probe failed: HTTP 500", 9),
        event("Killing", "Container app failed liveness probe, will be restarted"),
      ],
    },
    expected: [/crash loop.*Liveness probe failed: HTTP 500 \(x9\).*will be restarted/],
  },
  {
    what: "an image that does not exist",
    pod: {
      spec: spec(),
      status: waits("ImagePullBackOff", 'Back-off pulling image "reg.example.com/app:1": manifest unknown'),
    },
    around: {
      events: [
        event("Failed", 'Failed to pull image "reg.example.com/app:1": not found', 4),
        event("Failed", "Error: ErrImagePull", 4),
      ],
    },
    expected: [
      /can't get its image reg\.example\.com\/app:1: the registry has no such image or tag.*Failed to pull image.*\(x4\)/,
    ],
  },
  {
    what: "an image that may not be pulled",
    pod: { spec: spec(), status: waits("ErrImagePull", "pull access denied, authorization failed") },
    expected: [/refuses access.*imagePullSecrets/],
  },
  {
    what: "a registry that is not there",
    pod: { spec: spec(), status: waits("ErrImagePull", "dial tcp: lookup reg: no such host") },
    expected: [/can't be reached/],
  },
  {
    what: "an image's name that is none",
    pod: { spec: spec(), status: waits("InvalidImageName", "couldn't parse") },
    expected: [/its name is not a valid image name/],
  },
  {
    what: "a missing ConfigMap",
    pod: { spec: spec(), status: waits("CreateContainerConfigError", 'configmap "settings" not found') },
    expected: [/Container app can't be started as ConfigMap settings does not exist/],
  },
  {
    what: "a missing Secret",
    pod: { spec: spec(), status: waits("CreateContainerConfigError", 'secret "db" not found') },
    expected: [/as Secret db does not exist/],
  },
  {
    what: "a missing key",
    pod: {
      spec: spec(),
      status: waits("CreateContainerConfigError", "couldn't find key password in Secret shop/db"),
    },
    expected: [/as key password in Secret shop\/db does not exist/],
  },
  {
    what: "a volume of a Secret that is missing",
    pod: { spec: spec(), status: waits("ContainerCreating") },
    around: {
      events: [
        event("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found', 12),
      ],
    },
    expected: [/A volume can't be mounted: Secret web-tls does not exist.*\(x12\)/],
  },
  {
    what: "a claim that is missing",
    pod: {
      spec: { containers: [] },
      status: {
        phase: "Pending",
        conditions: [{
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message: '0/2 nodes are available: persistentvolumeclaim "data" not found',
        }],
      },
    },
    around: { unboundClaims: [{ name: "data", phase: undefined }] },
    expected: [
      /can't be scheduled as PersistentVolumeClaim data does not exist.*PersistentVolumeClaim data does not exist/,
    ],
  },
  {
    what: "a claim that is not bound",
    pod: {
      spec: { containers: [] },
      status: {
        phase: "Pending",
        conditions: [{
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message: "0/2 nodes: pod has unbound immediate PersistentVolumeClaims",
        }],
      },
    },
    around: { unboundClaims: [{ name: "data", phase: "Pending" }] },
    expected: [/no node fits.*PersistentVolumeClaim data is Pending/],
  },
  {
    what: "too few resources, with what is asked for",
    pod: {
      spec: { containers: [{ name: "app", resources: { requests: { cpu: "64" } } }] },
      status: {
        phase: "Pending",
        conditions: [{
          type: "PodScheduled",
          status: "False",
          reason: "Unschedulable",
          message: "0/2 nodes are available: 2 Insufficient cpu.",
        }],
      },
    },
    expected: [/can't be scheduled: no node fits.*2 Insufficient cpu.*app requests cpu 64/],
  },
  {
    what: "a scheduling gate",
    pod: {
      spec: { schedulingGates: [{ name: "example.com/gate" }] },
      status: {
        phase: "Pending",
        conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }],
      },
    },
    expected: [/scheduling gates.*example\.com\/gate/],
  },
  {
    what: "no scheduler",
    pod: { spec: {}, status: { phase: "Pending" } },
    expected: [/has not been scheduled.*is a scheduler running/],
  },
  {
    what: "a readiness probe that fails",
    pod: {
      spec: spec({ readinessProbe: { httpGet: { path: "/ready", port: 8080, scheme: "HTTP" } } }),
      status: { phase: "Running", containerStatuses: [container("app", running)] },
    },
    around: {
      events: [event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 31)],
    },
    expected: [
      /runs but its readiness probe fails.*statuscode: 503 \(x31\).*probe: http-get http:\/\/:8080\/ready/,
    ],
  },
  {
    what: "a startup probe that fails",
    pod: {
      spec: spec({ startupProbe: { tcpSocket: { port: 8080 } } }),
      status: { phase: "Running", containerStatuses: [container("app", running, { started: false })] },
    },
    around: { events: [event("Unhealthy", "Startup probe failed: connection refused")] },
    expected: [/its startup probe fails.*connection refused/],
  },
  {
    what: "an init container that fails: the cause alone",
    pod: {
      spec: { ...spec(), initContainers: [{ name: "migrate", image: "m:1" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [
          container("migrate", waiting("CrashLoopBackOff"), {
            restartCount: 3,
            lastState: terminated(1, "Error"),
          }),
        ],
        containerStatuses: [container("app", waiting("PodInitializing"))],
      },
    },
    expected: [/^Init container migrate is in a crash loop/],
  },
  {
    what: "an init container that runs and runs",
    pod: {
      spec: { ...spec(), initContainers: [{ name: "wait" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [container("wait", running)],
        containerStatuses: [container("app", waiting("PodInitializing"))],
      },
    },
    expected: [/Init container wait has not finished/],
  },
  {
    what: "a stuck finalizer",
    pod: {
      metadata: { deletionTimestamp: ago(30), finalizers: ["example.com/backup"] },
      spec: spec(),
      status: { phase: "Running", containerStatuses: [container("app", running, { ready: true })] },
    },
    expected: [/deletion is stuck for 30m as finalizers hold it: example\.com\/backup/],
  },
  {
    what: "a deletion that a lost node does not confirm",
    pod: {
      metadata: { deletionTimestamp: ago(30) },
      spec: spec(),
      status: { phase: "Running", containerStatuses: [container("app", running, { ready: true })] },
    },
    around: { node: { exists: true, ready: "Unknown", message: "Kubelet stopped posting node status." } },
    expected: [
      /deletion takes 30m longer.*node node-1 is not ready/,
      /Its node node-1 is not ready.*Kubelet stopped posting/,
    ],
  },
  {
    what: "a node that is gone",
    pod: {
      spec: spec(),
      status: { phase: "Running", containerStatuses: [container("app", running, { ready: true })] },
    },
    around: { node: { exists: false, ready: "Unknown", message: undefined } },
    expected: [/Its node node-1 does not exist any more/],
  },
  {
    what: "an eviction",
    pod: {
      spec: spec(),
      status: {
        phase: "Failed",
        reason: "Evicted",
        message: "The node was low on resource: ephemeral-storage.",
      },
    },
    expected: [/evicted.*ephemeral-storage/],
  },
  {
    what: "a container that failed once and is not started again",
    pod: {
      spec: spec(),
      status: { phase: "Failed", containerStatuses: [container("app", terminated(2, "Error"))] },
    },
    expected: [/Container app ended: Error \(2\)/],
  },
  {
    what: "a network that can't be made",
    pod: { spec: spec(), status: waits("ContainerCreating") },
    around: {
      events: [event("FailedCreatePodSandBox", "failed to set up pod network: no IP addresses left", 8)],
    },
    expected: [/sandbox \(network\).*no IP addresses left/],
  },
  {
    what: "a network that can't be made, after a volume that could not be mounted an hour ago",
    pod: { spec: spec(), status: waits("ContainerCreating") },
    around: {
      events: [
        { ...event("FailedMount", 'secret "web-tls" not found'), last: now - 3_600_000 },
        event("FailedCreatePodSandBox", "failed to set up pod network: no IP addresses left", 8),
      ],
    },
    expected: [/sandbox \(network\).*no IP addresses left/],
  },
  {
    what: "a pod that runs again after a crash",
    pod: {
      spec: spec(),
      status: {
        phase: "Running",
        containerStatuses: [
          container("app", running, {
            ready: true,
            restartCount: 1,
            lastState: terminated(1, "Error", { finishedAt: ago(5) }),
          }),
        ],
      },
    },
    expected: [/runs again but was restarted once.*exit code 1, 5m ago/],
  },
  {
    what: "a pod that is well",
    pod: {
      spec: spec(),
      status: {
        phase: "Running",
        conditions: [{ type: "Ready", status: "True" }],
        containerStatuses: [container("app", running, { ready: true })],
      },
    },
    expected: [],
  },
  {
    what: "a pod that is done",
    pod: {
      spec: spec(),
      status: { phase: "Succeeded", containerStatuses: [container("app", terminated(0, "Completed"))] },
    },
    expected: [],
  },
];

for (const { what, pod, around, expected } of cases) {
  Deno.test(`diagnosis: ${what}`, () => {
    const found = diagnose(pod, podStatus(pod, now), {
      events: [],
      node: undefined,
      unboundClaims: [],
      ...around,
    }, now);
    const lines = found.map(({ problem, evidence }: Finding) => [problem, ...evidence].join(" | "));
    assert.equal(lines.length, expected.length, lines.join("\n"));
    for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? "", pattern);
  });
}
