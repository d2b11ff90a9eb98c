/** Horizontal pod autoscalers: what they scale, and what keeps them from it. */
import { field, listField, nameOf, namespaceOf, numberField, textField, timeField } from "./fields.ts";
import { parseQuantity } from "./quantity.ts";

/** A metric that is above its target. */
export interface ExceededMetric {
  readonly name: string;
  /** As the autoscaler tells it: `183%`, `45`, `1500m`. */
  readonly current: string;
  readonly target: string;
}

/** Why an autoscaler does not do what it is for. Times are milliseconds since 1970. */
export interface Hindrance {
  readonly since: number | undefined;
  /** In the controller's words. */
  readonly message: string;
}

/** An autoscaler. Counts are pods. */
export interface Autoscaler {
  readonly namespace: string;
  readonly name: string;
  readonly target: { readonly kind: string; readonly name: string };
  readonly current: number;
  readonly least: number;
  readonly most: number;
  /** It has as many pods as it may have, and wants more. */
  readonly limited: Hindrance | undefined;
  /** It can't tell how many pods there should be, or can't change their number. */
  readonly blocked: Hindrance | undefined;
  readonly exceeded: readonly ExceededMetric[];
}

/** Parts of a target by which the controller's own tolerance lets a metric pass (kube-controller-manager's default). */
const tolerance = { numerator: 11n, denominator: 10n };

/** Reads one (autoscaling/v2). */
export function readAutoscaler(object: unknown): Autoscaler {
  const conditions = listField(object, "status", "conditions");
  const condition = (type: string) => conditions.find((one) => textField(one, "type") === type);
  const current = numberField(object, "status", "currentReplicas") ?? 0;
  const most = numberField(object, "spec", "maxReplicas") ?? Infinity;
  const exceeded = exceededMetrics(object);
  return {
    namespace: namespaceOf(object),
    name: nameOf(object),
    target: {
      kind: textField(object, "spec", "scaleTargetRef", "kind") ?? "",
      name: textField(object, "spec", "scaleTargetRef", "name") ?? "",
    },
    current,
    least: numberField(object, "spec", "minReplicas") ?? 1,
    most,
    limited: limitedBy(condition("ScalingLimited"), current >= most && exceeded.length > 0),
    blocked: blockedBy(condition("ScalingActive")) ?? blockedBy(condition("AbleToScale")),
    exceeded,
  };
}

/** `ScalingLimited` is also true at the minimum, and where the pace of scaling is limited. */
function limitedBy(condition: unknown, isAtMost: boolean): Hindrance | undefined {
  if (condition === undefined) return isAtMost ? { since: undefined, message: "" } : undefined;
  const isLimited = textField(condition, "status") === "True" &&
    textField(condition, "reason") === "TooManyReplicas";
  return isLimited ? hindrance(condition) : undefined;
}

/** Of a workload that is scaled to zero the autoscaler keeps off: that is no fault of it. */
function blockedBy(condition: unknown): Hindrance | undefined {
  if (textField(condition, "status") !== "False") return undefined;
  return textField(condition, "reason") === "ScalingDisabled" ? undefined : hindrance(condition);
}

function hindrance(condition: unknown): Hindrance {
  const words = [textField(condition, "reason"), textField(condition, "message")];
  return {
    since: timeField(condition, "lastTransitionTime"),
    message: words.filter((word) => word !== undefined).join(": "),
  };
}

/** The sources of metrics, and where each has its name. */
const sources = [
  ["Resource", "resource", ["name"]],
  ["ContainerResource", "containerResource", ["name"]],
  ["Pods", "pods", ["metric", "name"]],
  ["Object", "object", ["metric", "name"]],
  ["External", "external", ["metric", "name"]],
] as const;

function exceededMetrics(object: unknown): readonly ExceededMetric[] {
  const targets = listField(object, "spec", "metrics");
  return listField(object, "status", "currentMetrics").flatMap((metric) => {
    const source = sources.find(([type]) => type === textField(metric, "type"));
    if (source === undefined) return [];
    const [type, key, path] = source;
    const name = textField(metric, key, ...path);
    const target = targets.find((one) =>
      textField(one, "type") === type && textField(one, key, ...path) === name &&
      textField(one, key, "container") === textField(metric, key, "container")
    );
    const now = field(metric, key, "current");
    const wanted = field(target, key, "target");
    return name === undefined ? [] : exceeds(name, now, wanted);
  });
}

function exceeds(name: string, now: unknown, wanted: unknown): readonly ExceededMetric[] {
  for (const way of ["averageUtilization", "averageValue", "value"] as const) {
    const [current, target] = [field(now, way), field(wanted, way)];
    const [is, shall] = [parseQuantity(current), parseQuantity(target)];
    if (is === undefined || shall === undefined) continue;
    if (is * tolerance.denominator <= shall * tolerance.numerator) return [];
    const unit = way === "averageUtilization" ? "%" : "";
    return [{ name, current: `${current}${unit}`, target: `${target}${unit}` }];
  }
  return [];
}
