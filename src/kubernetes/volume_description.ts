/** The volumes of a pod as `kubectl describe` prints them. */
import { field, isTrue, listField, numberField, textEntries, textField } from "./fields.ts";

/** A kind of volume: kubectl's words, and which fields follow. */
interface VolumeKind {
  readonly type: string;
  readonly fields: readonly (readonly [title: string, key: string, otherwise: string])[];
}

const readOnly = ["ReadOnly", "readOnly", "false"] as const;
const fsType = ["FSType", "fsType", ""] as const;

const kinds: Readonly<Record<string, VolumeKind>> = {
  hostPath: {
    type: "HostPath (bare host directory volume)",
    fields: [["Path", "path", ""], ["HostPathType", "type", ""]],
  },
  emptyDir: {
    type: "EmptyDir (a temporary directory that shares a pod's lifetime)",
    fields: [["Medium", "medium", ""], ["SizeLimit", "sizeLimit", "<unset>"]],
  },
  secret: {
    type: "Secret (a volume populated by a Secret)",
    fields: [["SecretName", "secretName", ""], ["Optional", "optional", "false"]],
  },
  configMap: {
    type: "ConfigMap (a volume populated by a ConfigMap)",
    fields: [["Name", "name", ""], ["Optional", "optional", "false"]],
  },
  nfs: {
    type: "NFS (an NFS mount that lasts the lifetime of a pod)",
    fields: [["Server", "server", ""], ["Path", "path", ""], readOnly],
  },
  persistentVolumeClaim: {
    type: "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
    fields: [["ClaimName", "claimName", ""], readOnly],
  },
  csi: {
    type: "CSI (a Container Storage Interface (CSI) volume source)",
    fields: [["Driver", "driver", ""], fsType, readOnly],
  },
  image: {
    type: "Image (a container image or OCI artifact)",
    fields: [["Reference", "reference", ""], ["PullPolicy", "pullPolicy", ""]],
  },
  awsElasticBlockStore: {
    type: "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
    fields: [["VolumeID", "volumeID", ""], fsType, ["Partition", "partition", "0"], readOnly],
  },
  gcePersistentDisk: {
    type: "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
    fields: [["PDName", "pdName", ""], fsType, ["Partition", "partition", "0"], readOnly],
  },
  azureFile: {
    type: "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
    fields: [["SecretName", "secretName", ""], ["ShareName", "shareName", ""], readOnly],
  },
  azureDisk: {
    type: "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
    fields: [
      ["DiskName", "diskName", ""],
      ["DiskURI", "diskURI", ""],
      ["Kind", "kind", ""],
      fsType,
      ["CachingMode", "cachingMode", ""],
      readOnly,
    ],
  },
};

/** The section of volumes. */
export function describeVolumes(volumes: readonly unknown[]): readonly string[] {
  if (volumes.length === 0) return ["Volumes: <none>"];
  return ["Volumes:", ...volumes.flatMap(describeVolume)];
}

function describeVolume(volume: unknown): readonly string[] {
  const key = Object.keys(typeof volume === "object" && volume !== null ? volume : {}).find((one) =>
    one !== "name"
  );
  const source = key === undefined ? undefined : field(volume, key);
  return [`  ${textField(volume, "name") ?? ""}:`, ...sourceLines(key ?? "", source)];
}

function sourceLines(key: string, source: unknown): readonly string[] {
  if (key === "projected") return projectedLines(source);
  if (key === "downwardAPI") return downwardLines(source);
  if (key === "ephemeral") return ephemeralLines(source);
  const kind = kinds[key];
  if (kind === undefined) return otherLines(key, source);
  return [
    `    Type: ${kind.type}`,
    ...kind.fields.map(([title, name, otherwise]) =>
      `    ${title}: ${scalar(field(source, name)) ?? otherwise}`
    ),
    ...(key === "csi" ? attributeLines(source) : []),
  ];
}

function attributeLines(source: unknown): readonly string[] {
  const attributes = textEntries(source, "volumeAttributes").map(([name, value]) => `${name}=${value}`)
    .sort();
  const [first = "<none>", ...others] = attributes;
  return [`    VolumeAttributes: ${first}`, ...others.map((line) => `      ${line}`)];
}

function projectedLines(source: unknown): readonly string[] {
  return [
    "    Type: Projected (a volume that contains injected data from multiple sources)",
    ...listField(source, "sources").flatMap((one) => {
      const secret = field(one, "secret");
      const map = field(one, "configMap");
      if (secret !== undefined) {
        return [
          `    SecretName: ${textField(secret, "name") ?? ""}`,
          `    Optional: ${isTrue(secret, "optional")}`,
        ];
      }
      if (field(one, "downwardAPI") !== undefined) return ["    DownwardAPI: true"];
      if (map !== undefined) {
        return [
          `    ConfigMapName: ${textField(map, "name") ?? ""}`,
          `    Optional: ${isTrue(map, "optional")}`,
        ];
      }
      const seconds = numberField(one, "serviceAccountToken", "expirationSeconds");
      return seconds === undefined ? [] : [`    TokenExpirationSeconds: ${seconds}`];
    }),
  ];
}

function downwardLines(source: unknown): readonly string[] {
  return [
    "    Type: DownwardAPI (a volume populated by information about the pod)",
    "    Items:",
    ...listField(source, "items").map((item) => {
      const from = textField(item, "fieldRef", "fieldPath") ??
        textField(item, "resourceFieldRef", "resource") ?? "";
      return `      ${from} -> ${textField(item, "path") ?? ""}`;
    }),
  ];
}

function ephemeralLines(source: unknown): readonly string[] {
  const spec = field(source, "volumeClaimTemplate", "spec");
  const modes: Readonly<Record<string, string>> = {
    ReadWriteOnce: "RWO",
    ReadOnlyMany: "ROX",
    ReadWriteMany: "RWX",
    ReadWriteOncePod: "RWOP",
  };
  return [
    "    Type: EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)",
    `    StorageClass: ${textField(spec, "storageClassName") ?? ""}`,
    `    Volume: ${textField(spec, "volumeName") ?? ""}`,
    ...["Labels", "Annotations"].map((title) => {
      const entries = textEntries(source, "volumeClaimTemplate", "metadata", title.toLowerCase());
      return `    ${title}: ${entries.map(([key, value]) => `${key}=${value}`).join(", ") || "<none>"}`;
    }),
    `    Capacity: ${scalar(field(spec, "resources", "requests", "storage")) ?? ""}`,
    `    Access Modes: ${
      listField(spec, "accessModes").map((mode) => modes[String(mode)] ?? String(mode)).join(",")
    }`,
    `    VolumeMode: ${textField(spec, "volumeMode") ?? ""}`,
  ];
}

/** Kinds that few clusters have left: their own names and fields. */
function otherLines(key: string, source: unknown): readonly string[] {
  if (key === "") return ["    <unknown>"];
  const entries = typeof source === "object" && source !== null ? Object.entries(source) : [];
  return [
    `    Type: ${key}`,
    ...entries.flatMap(([name, value]) => {
      const text = scalar(value);
      return text === undefined ? [] : [`    ${name}: ${text}`];
    }),
  ];
}

function scalar(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}
