import assert from "@std/assert";
import { needsCause } from "../../src/kubernetes/pod_causes.ts";
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
