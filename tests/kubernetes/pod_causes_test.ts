import assert from "@std/assert";
import type { ClusterEvent } from "../../src/kubernetes/events.ts";
import { causeOf, needsCause } from "../../src/kubernetes/pod_causes.ts";
import type { Ending } from "../../src/kubernetes/pod_status.ts";

const ending: Ending = {
  container: "app",
  reason: "Error",
  exitCode: 137,
  signal: undefined,
  finished: 0,
  message: undefined,
};

Deno.test.each(
  [
    ["was killed", { ...ending }, true],
    ["was asked to end", { ...ending, exitCode: 143 }, true],
    ["was killed for want of memory", { ...ending, reason: "OOMKilled" }, false],
    ["ended by itself", { ...ending, exitCode: 1 }, false],
  ] satisfies [string, Ending, boolean][],
)(
  "of a pod that says why it is not well, who killed it is looked for where it %s",
  (_, lastEnding, expected) => {
    const pod = { healthy: false, message: "last ended with an error", lastEnding };
    assert.equal(needsCause(pod), expected);
    assert.equal(needsCause({ ...pod, healthy: true }), false);
  },
);

Deno.test.each(
  [
    ["just before the pull failed", 1, true],
    ["long before, and not again", 30, false],
  ] satisfies [string, number, boolean][],
)("a secret for an image that was missed %s", (_, minutes, told) => {
  const now = Date.now();
  const event = (reason: string, message: string, last: number): ClusterEvent => ({
    type: "Warning",
    reason,
    message,
    count: 1,
    first: last,
    last,
    kind: "Pod",
    name: "web",
    namespace: "shop",
  });
  const failure = "failed to pull and unpack image: not found";
  const causes = new Map([["shop/web", [
    event(
      "FailedToRetrieveImagePullSecret",
      "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
      now - minutes * 60_000,
    ),
    event("Failed", `Failed to pull image "app:1": ${failure}`, now),
  ]]]);
  const pod = {
    namespace: "shop",
    name: "web",
    created: now - 3_600_000,
    phase: "Pending",
    message: `Back-off pulling image "app:1": ErrImagePull: ${failure}`,
    lastEnding: undefined,
  };
  assert.equal(
    causeOf(causes, pod, now)?.text,
    told ? `image pull secret regcred can't be retrieved; ${pod.message}` : undefined,
  );
});
