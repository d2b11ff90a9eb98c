/** The rules that look at what Prometheus sees of a service from outside: its instances, probes, alerts. */
import { plural } from "../common/units.ts";
import { alertTexts, type FiringAlert } from "../prometheus/service_alerts.ts";
import { flaps } from "../prometheus/service_health.ts";
import { utc } from "../prometheus/time.ts";
import { metricsNameOf, seen } from "./evidence.ts";
import type { Rule } from "./rule.ts";

export const instanceRules: readonly Rule[] = [
  {
    name: "gone",
    explains: 61,
    when: "Prometheus has no samples of it any more",
    find(evidence) {
      const since = seen(evidence.metrics)?.service.goneSince;
      if (since === undefined) return undefined;
      return {
        severity: "down",
        text: `Prometheus has no samples of it any more: the last was at ${utc(Math.floor(since))}`,
        next: [{ tool: "list_targets", arguments: { service: metricsNameOf(evidence) } }],
      };
    },
  },
  {
    name: "instances_down",
    explains: 60,
    when: "Prometheus can't scrape instances, or scrapes none any more",
    find(evidence) {
      const instances = seen(evidence.metrics)?.instances?.all ?? [];
      const down = instances.filter(({ state }) => state === "DOWN");
      const present = instances.filter(({ state }) => state !== "STALE");
      const named = (list: readonly { readonly name: string }[]) =>
        list.slice(0, 3).map(({ name }) => name).join(", ") + (list.length > 3 ? ", …" : "");
      const targets = (more: Readonly<Record<string, string>>) => [
        { tool: "list_targets", arguments: { service: metricsNameOf(evidence), ...more } },
      ];
      if (instances.length > 0 && present.length === 0) {
        return {
          severity: "down",
          text: `Prometheus scrapes none of its instances any more: ${named(instances)} gone`,
          next: targets({}),
        };
      }
      if (down.length === 0) return undefined;
      const all = down.length === present.length;
      return {
        severity: all ? "down" : "degraded",
        text: `Prometheus can scrape ${all ? "none" : `${present.length - down.length}`} of ${
          plural(present.length, "instance")
        }: ${named(down)} down`,
        next: targets({ state: "down" }),
      };
    },
  },
  {
    name: "probes",
    explains: 59,
    when: "probes from outside (blackbox_exporter) fail",
    find(evidence) {
      const probes = seen(evidence.metrics)?.probes;
      if (probes === undefined) return undefined;
      return {
        severity: "degraded",
        text: probes.text,
        next: [{ tool: "query_metrics_range", arguments: { query: probes.query, duration: "6h" } }],
      };
    },
  },
  {
    name: "instances_flap",
    explains: 47,
    when: "Prometheus could not scrape an instance again and again, and can now",
    find(evidence) {
      const flapping = (seen(evidence.metrics)?.instances?.all ?? [])
        .filter(({ state, failures }) => state === "UP" && failures >= flaps);
      const [first] = flapping;
      if (first === undefined) return undefined;
      return {
        severity: "degraded",
        text: `${plural(flapping.length, "instance goes", "instances go")} down and up again: ${first.name} ${
          plural(first.failures, "time")
        }`,
        next: [{ tool: "check_service_health", arguments: { service: metricsNameOf(evidence) } }],
      };
    },
  },
  {
    name: "alerts",
    explains: 40,
    when: "alerts about the service fire, other than mere information",
    find(evidence) {
      const firing = (seen(evidence.metrics)?.alerts?.firing ?? []).filter(({ matters }) => matters);
      if (firing.length === 0) return undefined;
      return {
        severity: "degraded",
        text: `${plural(firing.length, "alert fires", "alerts fire")}: ${alertNames(firing)}`,
        // By its name those of its pods are not found.
        next: firing.some(({ isOfPods }) => isOfPods)
          ? [{ tool: "list_alerts", arguments: { state: "firing" } }]
          : [{ tool: "list_alerts", arguments: { service: metricsNameOf(evidence) } }],
      };
    },
  },
  {
    name: "vague_alerts",
    explains: 25,
    when: "alerts fire that name no namespace, and other namespaces have a service of that name",
    find(evidence) {
      const vague = (seen(evidence.metrics)?.alerts?.firing ?? []).filter(({ isVague }) => isVague);
      if (vague.length === 0) return undefined;
      return {
        severity: "coincidence",
        text: `Of note, ${
          plural(vague.length, "alert fires", "alerts fire")
        } that may be about another namespace: ${alertNames(vague)}`,
        next: [{ tool: "list_alerts", arguments: { service: metricsNameOf(evidence) } }],
      };
    },
  },
];

function alertNames(alerts: readonly FiringAlert[]): string {
  const texts = alertTexts(alerts);
  return texts.slice(0, 3).join(", ") + (texts.length > 3 ? ", …" : "");
}
