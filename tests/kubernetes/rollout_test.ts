import assert from "@std/assert";
import { isSick, readRollout, type RolloutVerdict } from "../../src/kubernetes/rollout.ts";

interface Parts {
  readonly replicas?: number;
  readonly paused?: boolean;
  readonly generation?: number;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly progressing?: readonly [status: string, reason: string, message?: string];
  readonly failure?: string;
}

function deployment({ replicas = 3, paused, generation = 1, status = {}, progressing, failure }: Parts) {
  const conditions = [
    ...(progressing === undefined
      ? []
      : [{ type: "Progressing", status: progressing[0], reason: progressing[1], message: progressing[2] }]),
    ...(failure === undefined
      ? []
      : [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: failure }]),
  ];
  return {
    metadata: { name: "web", namespace: "shop", generation },
    spec: { replicas, ...(paused === undefined ? {} : { paused }) },
    status: { observedGeneration: 1, conditions, ...status },
  };
}

const all = (pods: number) => ({
  replicas: pods,
  updatedReplicas: pods,
  readyReplicas: pods,
  availableReplicas: pods,
});

/** The order of judgement of `kubectl rollout status`, and what it does not say. */
const cases:
  readonly (readonly [name: string, parts: Parts, verdict: RolloutVerdict, explanation: RegExp])[] = [
    ["all there", { status: all(3) }, "complete", /^rolled out$/],
    ["scaled to zero", { replicas: 0 }, "scaled_to_zero", /zero/],
    ["not seen yet", { generation: 2, status: all(3) }, "unobserved", /generation 2 yet, only 1/],
    ["one updated", { status: { ...all(3), updatedReplicas: 1 } }, "progressing", /^1 of 3 pods updated$/],
    ["an old one left", { status: { ...all(3), replicas: 4 } }, "progressing", /^1 old pod still to go$/],
    [
      "not available yet",
      { status: { ...all(3), availableReplicas: 2 } },
      "progressing",
      /^2 of 3 updated pods available$/,
    ],
    [
      "the deadline is over",
      {
        status: { ...all(3), updatedReplicas: 1 },
        progressing: ["False", "ProgressDeadlineExceeded", 'ReplicaSet "web-1" has timed out progressing.'],
      },
      "stalled",
      /^ProgressDeadlineExceeded: ReplicaSet "web-1" has timed out progressing$/,
    ],
    [
      "pods can't be created",
      { status: {}, failure: 'pods "web-1" is forbidden: exceeded quota: none' },
      "stalled",
      /^pods can't be created: FailedCreate: pods "web-1" is forbidden: exceeded quota: none$/,
    ],
    [
      "paused half way",
      { paused: true, status: { ...all(3), updatedReplicas: 1 } },
      "paused",
      /^paused, with 1 of 3 pods updated$/,
    ],
    [
      "rolled out long ago, and a pod crashes now",
      { status: { ...all(3), availableReplicas: 2 }, progressing: ["True", "NewReplicaSetAvailable"] },
      "degraded",
      /^rolled out before, but only 2 of 3 pods available now$/,
    ],
  ];
for (const [name, parts, verdict, explanation] of cases) {
  Deno.test(`a rollout's verdict: ${name}`, () => {
    const rollout = readRollout(deployment(parts));
    assert.equal(rollout.verdict, verdict);
    assert.match(rollout.explanation, explanation);
    assert.equal(isSick(rollout), ["stalled", "degraded", "progressing", "unobserved"].includes(verdict));
  });
}

Deno.test("a deployment without a status is one that nobody has looked at", () => {
  const { verdict } = readRollout({ metadata: { generation: 1 }, spec: { replicas: 1 } });
  assert.equal(verdict, "unobserved");
  assert.equal(readRollout(undefined).desired, 1);
});
