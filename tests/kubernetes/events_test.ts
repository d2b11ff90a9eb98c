import assert from "@std/assert";
import { foldEvents, readEvent } from "../../src/kubernetes/events.ts";

const at = (minute: number) => `2026-01-01T10:${String(minute).padStart(2, "0")}:00Z`;

function event(fields: Record<string, unknown> & { pod?: string }) {
  const { pod = "web-1", ...rest } = fields;
  return {
    metadata: { creationTimestamp: at(0) },
    involvedObject: { kind: "Pod", name: pod, namespace: "shop" },
    type: "Normal",
    reason: "Started",
    message: "Started container",
    ...rest,
  };
}

Deno.test("an event of core has its count and its times", () => {
  const read = readEvent(event({ count: 7, firstTimestamp: at(1), lastTimestamp: at(9) }));
  assert.equal(read.count, 7);
  assert.equal(read.first, Date.parse(at(1)));
  assert.equal(read.last, Date.parse(at(9)));
});

Deno.test("an event of events.k8s.io has a series and a time of its own, and no count", () => {
  const read = readEvent(event({
    count: 0,
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: "2026-01-01T10:02:00.123456Z",
    series: { count: 12, lastObservedTime: "2026-01-01T10:30:00.000001Z" },
  }));
  assert.equal(read.count, 12);
  assert.equal(read.first, Date.parse("2026-01-01T10:02:00.123Z"));
  assert.equal(read.last, Date.parse("2026-01-01T10:30:00.000Z"));
  const once = readEvent(event({ eventTime: at(2), firstTimestamp: null, lastTimestamp: null }));
  assert.deepEqual([once.count, once.first, once.last], [1, Date.parse(at(2)), Date.parse(at(2))]);
});

Deno.test("what says the same of several pods is told once, with the last pod's name", () => {
  const back = (pod: string, minute: number) =>
    event({
      pod,
      type: "Warning",
      reason: "BackOff",
      message:
        `Back-off restarting failed container app in pod ${pod}_shop(0b8f3a52-1111-2222-3333-444455556666)`,
      count: 3,
      firstTimestamp: at(minute - 1),
      lastTimestamp: at(minute),
    });
  const [group, ...rest] = foldEvents(
    [back("web-7d4b9c6f5d-x2x9z", 5), back("web-7d4b9c6f5d-lvqrz", 9), back("web-7d4b9c6f5d-x2x9z", 7)].map(
      readEvent,
    ),
  );
  assert.deepEqual(rest, []);
  assert.equal(group?.count, 9);
  assert.equal(group?.objects, 2);
  assert.equal(group?.name, "web-7d4b9c6f5d-lvqrz");
  assert.equal(group?.first, Date.parse(at(4)));
  assert.match(group?.message ?? "", /lvqrz/);
});

Deno.test("pods that a controller named fold in the controller's own events", () => {
  const created = ["web-7d4b9c6f5d-x2x9z", "web-7d4b9c6f5d-k8dwq"].map((pod) => ({
    ...event({ reason: "SuccessfulCreate", message: `Created pod: ${pod}` }),
    involvedObject: { kind: "ReplicaSet", name: "web-7d4b9c6f5d", namespace: "shop" },
  }));
  assert.equal(foldEvents(created.map(readEvent)).length, 1);
});

Deno.test("workloads stay apart, and a stateful set's pods fold", () => {
  const failing = (pod: string) => event({ pod, type: "Warning", reason: "BackOff", message: "Back-off" });
  const groups = foldEvents(
    ["web-7d4b9c6f5d-x2x9z", "web-7d4b9c6f5d-lvqrz", "api-6bb5f48cc5-cmmtb", "db-0", "db-1"].map(failing).map(
      readEvent,
    ),
  );
  assert.deepEqual(groups.map(({ objects }) => objects).sort(), [1, 2, 2]);
});

Deno.test("different messages, reasons, kinds and namespaces stay apart", () => {
  const groups = foldEvents([
    event({}),
    event({ message: "Started container b" }),
    event({ reason: "Created" }),
    { ...event({}), involvedObject: { kind: "Job", name: "web-1", namespace: "shop" } },
    { ...event({}), involvedObject: { kind: "Pod", name: "web-1", namespace: "test" } },
  ].map(readEvent));
  assert.equal(groups.length, 5);
});

Deno.test("warnings come first, then what was seen last", () => {
  const groups = foldEvents([
    event({ reason: "new", lastTimestamp: at(50) }),
    event({ reason: "old", lastTimestamp: at(1) }),
    event({ reason: "bad", type: "Warning", lastTimestamp: at(2) }),
    event({ reason: "worse", type: "Warning", lastTimestamp: at(3) }),
  ].map(readEvent));
  assert.deepEqual(groups.map(({ reason }) => reason), ["worse", "bad", "new", "old"]);
});
