import assert from "@std/assert";
import { podResources } from "../../src/kubernetes/pod_requests.ts";
import { coresText } from "../../src/kubernetes/quantity.ts";

const container = (cpu: string) => ({ resources: { requests: { cpu } } });
const sidecar = (cpu: string) => ({ ...container(cpu), restartPolicy: "Always" });

const cases: readonly (readonly [name: string, spec: Record<string, unknown>, cpu: string])[] = [
  ["nothing", {}, "0"],
  ["a container that asks for nothing", { containers: [{}] }, "0"],
  ["containers are added up", { containers: [container("1"), container("500m")] }, "1500m"],
  ["a greater init container counts alone", {
    containers: [container("1")],
    initContainers: [container("3")],
  }, "3"],
  [
    "a smaller one does not count",
    { containers: [container("1")], initContainers: [container("500m")] },
    "1",
  ],
  ["a sidecar runs beside the containers", {
    containers: [container("1")],
    initContainers: [sidecar("500m")],
  }, "1500m"],
  ["an init container runs beside the sidecars before it", {
    containers: [container("1")],
    initContainers: [sidecar("2"), container("4"), sidecar("8")],
  }, "11"],
  ["and is more than all where the containers are small", {
    containers: [container("1")],
    initContainers: [sidecar("2"), container("40"), sidecar("8")],
  }, "42"],
  ["an amount for the whole pod takes their place", {
    containers: [container("1")],
    resources: { requests: { cpu: "7" } },
  }, "7"],
  ["the overhead comes on top", { containers: [container("1")], overhead: { cpu: "250m" } }, "1250m"],
];
for (const [name, spec, cpu] of cases) {
  Deno.test(`what a pod requests: ${name}`, () => assert.equal(coresText(podResources({ spec }).cpu), cpu));
}
