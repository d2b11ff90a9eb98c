/** Pods in every state that kubectl has a word for: what the kubelet would write, and what is printed. */

/** Fields of a pod's spec and status. */
type Fields = Readonly<Record<string, unknown>>;

/** A pod in one state. */
export interface PodState {
  /** A name that a pod can have. */
  readonly name: string;
  readonly initContainers?: readonly Fields[];
  readonly containers?: readonly Fields[];
  readonly status: Fields;
  /** Whether it is being deleted, held by a finalizer. */
  readonly deleted?: boolean;
  /** READY, STATUS, and the number of RESTARTS. */
  readonly printed: readonly [ready: string, status: string, restarts: number];
  readonly healthy: boolean;
}

/** An hour ago: recent failures would make a running pod unhealthy. */
const then = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+Z/, "Z");

/** The status of a container. */
export function container(name: string, state: Fields, more: Fields = {}): Fields {
  return { name, ready: false, restartCount: 0, image: "a:1", imageID: "", state, lastState: {}, ...more };
}

export const running: Fields = { running: { startedAt: then } };
export const waiting = (reason: string, message?: string): Fields => ({
  waiting: { reason, ...(message === undefined ? {} : { message }) },
});
export const terminated = (exitCode: number, reason?: string, more: Fields = {}): Fields => ({
  terminated: {
    exitCode,
    startedAt: then,
    finishedAt: then,
    ...(reason === undefined ? {} : { reason }),
    ...more,
  },
});
const ready = { ready: true };
const isReady = [{ type: "Ready", status: "True" }];
const initialized = [{ type: "Initialized", status: "True" }];
const init = [{ name: "one", image: "a:1" }, { name: "two", image: "a:1" }];
const sidecar = { name: "proxy", image: "a:1", restartPolicy: "Always" };
const pair = [{ name: "app", image: "a:1" }, { name: "side", image: "a:1" }];

/** All of them. */
export const podStates: readonly PodState[] = [
  { name: "pending", status: { phase: "Pending" }, printed: ["0/1", "Pending", 0], healthy: false },
  {
    name: "gated",
    status: {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }],
    },
    printed: ["0/1", "SchedulingGated", 0],
    healthy: false,
  },
  {
    name: "creating",
    status: { phase: "Pending", containerStatuses: [container("app", waiting("ContainerCreating"))] },
    printed: ["0/1", "ContainerCreating", 0],
    healthy: false,
  },
  {
    name: "running",
    status: { phase: "Running", conditions: isReady, containerStatuses: [container("app", running, ready)] },
    printed: ["1/1", "Running", 0],
    healthy: true,
  },
  {
    name: "unready",
    status: { phase: "Running", containerStatuses: [container("app", running)] },
    printed: ["0/1", "Running", 0],
    healthy: false,
  },
  {
    name: "crashing",
    status: {
      phase: "Running",
      containerStatuses: [
        container("app", waiting("CrashLoopBackOff", "back-off"), {
          restartCount: 7,
          lastState: terminated(1, "Error"),
        }),
      ],
    },
    printed: ["0/1", "CrashLoopBackOff", 7],
    healthy: false,
  },
  {
    name: "image",
    status: {
      phase: "Pending",
      containerStatuses: [container("app", waiting("ImagePullBackOff", "Back-off pulling"))],
    },
    printed: ["0/1", "ImagePullBackOff", 0],
    healthy: false,
  },
  {
    name: "oom",
    status: {
      phase: "Running",
      containerStatuses: [container("app", terminated(137, "OOMKilled"), { restartCount: 2 })],
    },
    printed: ["0/1", "OOMKilled", 2],
    healthy: false,
  },
  {
    name: "signal",
    status: {
      phase: "Running",
      containerStatuses: [container("app", terminated(137, undefined, { signal: 9 }))],
    },
    printed: ["0/1", "Signal:9", 0],
    healthy: false,
  },
  {
    name: "exit",
    status: { phase: "Failed", containerStatuses: [container("app", terminated(3))] },
    printed: ["0/1", "ExitCode:3", 0],
    healthy: false,
  },
  {
    name: "completed",
    status: { phase: "Succeeded", containerStatuses: [container("app", terminated(0, "Completed"))] },
    printed: ["0/1", "Completed", 0],
    healthy: true,
  },
  {
    name: "evicted",
    status: { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." },
    printed: ["0/1", "Evicted", 0],
    healthy: false,
  },
  {
    name: "half-completed",
    containers: pair,
    status: {
      phase: "Running",
      containerStatuses: [container("app", terminated(0, "Completed")), container("side", running, ready)],
    },
    printed: ["1/2", "NotReady", 0],
    healthy: false,
  },
  {
    name: "completed-but-ready",
    containers: pair,
    status: {
      phase: "Running",
      conditions: isReady,
      containerStatuses: [container("app", terminated(0, "Completed")), container("side", running, ready)],
    },
    printed: ["1/2", "Running", 0],
    healthy: false,
  },
  {
    name: "completed-and-failed",
    containers: pair,
    status: {
      phase: "Running",
      containerStatuses: [
        container("app", terminated(0, "Completed")),
        container("side", terminated(1, "Error")),
      ],
    },
    printed: ["0/2", "Error", 0],
    healthy: false,
  },
  {
    name: "init-none",
    initContainers: init,
    status: {
      phase: "Pending",
      initContainerStatuses: [container("one", running), container("two", waiting("PodInitializing"))],
      containerStatuses: [container("app", waiting("PodInitializing"))],
    },
    printed: ["0/1", "Init:0/2", 0],
    healthy: false,
  },
  {
    name: "init-one",
    initContainers: init,
    status: {
      phase: "Pending",
      initContainerStatuses: [
        container("one", terminated(0, "Completed")),
        container("two", waiting("PodInitializing")),
      ],
      containerStatuses: [container("app", waiting("PodInitializing"))],
    },
    printed: ["0/1", "Init:1/2", 0],
    healthy: false,
  },
  {
    name: "init-done",
    initContainers: init,
    status: {
      phase: "Pending",
      initContainerStatuses: [
        container("one", terminated(0, "Completed")),
        container("two", terminated(0, "Completed")),
      ],
      containerStatuses: [container("app", waiting("PodInitializing"))],
    },
    printed: ["0/1", "PodInitializing", 0],
    healthy: false,
  },
  {
    name: "init-crashing",
    initContainers: init,
    status: {
      phase: "Pending",
      initContainerStatuses: [
        container("one", waiting("CrashLoopBackOff"), { restartCount: 4, lastState: terminated(1, "Error") }),
        container("two", waiting("PodInitializing")),
      ],
      containerStatuses: [container("app", waiting("PodInitializing"))],
    },
    printed: ["0/1", "Init:CrashLoopBackOff", 4],
    healthy: false,
  },
  {
    name: "init-error",
    initContainers: init,
    status: { phase: "Failed", initContainerStatuses: [container("one", terminated(1, "Error"))] },
    printed: ["0/1", "Init:Error", 0],
    healthy: false,
  },
  {
    name: "init-exit",
    initContainers: init,
    status: { phase: "Failed", initContainerStatuses: [container("one", terminated(9))] },
    printed: ["0/1", "Init:ExitCode:9", 0],
    healthy: false,
  },
  {
    name: "init-signal",
    initContainers: init,
    status: {
      phase: "Failed",
      initContainerStatuses: [container("one", terminated(137, undefined, { signal: 9 }))],
    },
    printed: ["0/1", "Init:Signal:9", 0],
    healthy: false,
  },
  {
    name: "sidecar-running",
    initContainers: [sidecar],
    status: {
      phase: "Running",
      conditions: [...isReady, ...initialized],
      initContainerStatuses: [
        container("proxy", running, {
          ready: true,
          started: true,
          restartCount: 2,
          lastState: terminated(1),
        }),
      ],
      containerStatuses: [
        container("app", running, { ready: true, restartCount: 1, lastState: terminated(1, "Error") }),
      ],
    },
    printed: ["2/2", "Running", 3],
    healthy: true,
  },
  {
    name: "sidecar-starting",
    initContainers: [sidecar],
    status: {
      phase: "Pending",
      initContainerStatuses: [container("proxy", running, { started: false })],
      containerStatuses: [container("app", waiting("PodInitializing"))],
    },
    printed: ["0/2", "Init:0/1", 0],
    healthy: false,
  },
  {
    name: "sidecar-crashing",
    initContainers: [sidecar],
    status: {
      phase: "Running",
      conditions: initialized,
      initContainerStatuses: [
        container("proxy", waiting("CrashLoopBackOff"), { started: false, restartCount: 5 }),
      ],
      containerStatuses: [container("app", running, ready)],
    },
    printed: ["1/2", "Init:CrashLoopBackOff", 5],
    healthy: false,
  },
  {
    name: "terminating",
    deleted: true,
    status: { phase: "Running", conditions: isReady, containerStatuses: [container("app", running, ready)] },
    printed: ["1/1", "Terminating", 0],
    healthy: true,
  },
  {
    name: "lost",
    deleted: true,
    status: { phase: "Running", reason: "NodeLost", containerStatuses: [container("app", running, ready)] },
    printed: ["1/1", "Unknown", 0],
    healthy: false,
  },
  {
    name: "deleted-but-done",
    deleted: true,
    status: { phase: "Succeeded", containerStatuses: [container("app", terminated(0, "Completed"))] },
    printed: ["0/1", "Completed", 0],
    healthy: true,
  },
];

/** The pod of a state, as it is applied: the kubelet that the tests have leaves it alone. */
export function podOf(state: PodState, namespace: string): Fields {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: state.name,
      namespace,
      labels: { "test/held": "true", state: state.name },
      ...(state.deleted === true ? { finalizers: ["example.com/held"] } : {}),
    },
    spec: {
      containers: state.containers ?? [{ name: "app", image: "a:1" }],
      ...(state.initContainers === undefined ? {} : { initContainers: state.initContainers }),
    },
  };
}
