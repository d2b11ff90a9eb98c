/** The keys, certificates, tokens and kubeconfigs of a control plane, by `openssl`. */
import { stringify } from "yaml";

/** Runs openssl in the control plane's folder. */
async function openssl(folder: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [...args],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes `pki/NAME.crt` and `pki/NAME.key`, signed by the authority; negative `days` has expired. */
export async function makeCertificate(
  folder: string,
  name: string,
  subject: string,
  extensions: string,
  days = 30,
): Promise<void> {
  const file = (suffix: string) => `pki/${name}.${suffix}`;
  await Deno.writeTextFile(`${folder}/${file("ext")}`, extensions);
  await openssl(folder, "req", ...newKey, "-subj", subject, "-keyout", file("key"), "-out", file("csr"));
  await openssl(
    folder,
    ...[
      "x509",
      "-req",
      "-in",
      file("csr"),
      "-out",
      file("crt"),
      "-days",
      String(days),
      "-extfile",
      file("ext"),
    ],
    ...[
      "-CA",
      "pki/ca.crt",
      "-CAkey",
      "pki/ca.key",
      "-set_serial",
      String(Math.floor(Math.random() * 2 ** 48)),
    ],
  );
}

/** Everything that the programs need before they start, in `folder`. */
export async function makeKeys(folder: string, port: number): Promise<void> {
  await Deno.mkdir(`${folder}/pki`, { recursive: true });
  await openssl(
    folder,
    ...["req", "-x509", ...newKey, "-days", "30", "-subj", "/CN=the tests' authority"],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"],
    ...["-keyout", "pki/ca.key", "-out", "pki/ca.crt"],
  );
  await openssl(
    folder,
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-out",
    "pki/sa.key",
  );
  await openssl(folder, "pkey", "-in", "pki/sa.key", "-pubout", "-out", "pki/sa.pub");
  const local =
    "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes\n";
  await Promise.all([
    makeCertificate(folder, "server", "/CN=kube-apiserver", local),
    makeCertificate(
      folder,
      "kubelet-client",
      "/O=system:masters/CN=kube-apiserver-kubelet",
      "extendedKeyUsage=clientAuth\n",
    ),
    ...["admin", "kwok"].map((name) =>
      makeCertificate(folder, name, `/O=system:masters/CN=${name}`, "extendedKeyUsage=clientAuth\n")
    ),
    ...["kube-controller-manager", "kube-scheduler"].map((name) =>
      makeCertificate(folder, name, `/CN=system:${name}`, "extendedKeyUsage=clientAuth\n")
    ),
  ]);
  for (const name of ["admin", "kwok", "kube-controller-manager", "kube-scheduler"]) {
    await Deno.writeTextFile(`${folder}/${name}.kubeconfig`, await kubeconfig(folder, name, port));
  }
  const token = () => crypto.randomUUID().replaceAll("-", "");
  await Deno.writeTextFile(
    `${folder}/tokens.csv`,
    `${token()},token-admin,token-admin,"system:masters"\n${token()},nobody,nobody\n`,
  );
  await Deno.writeTextFile(
    `${folder}/audit.yaml`,
    stringify({
      apiVersion: "audit.k8s.io/v1",
      kind: "Policy",
      omitStages: ["RequestReceived"],
      rules: [{ level: "Metadata" }],
    }),
  );
}

async function kubeconfig(folder: string, name: string, port: number): Promise<string> {
  const base64 = async (file: string) => (await Deno.readFile(`${folder}/pki/${file}`)).toBase64();
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{
      name: "test",
      cluster: {
        server: `https://127.0.0.1:${port}`,
        "certificate-authority-data": await base64("ca.crt"),
      },
    }],
    users: [{
      name,
      user: {
        "client-certificate-data": await base64(`${name}.crt`),
        "client-key-data": await base64(`${name}.key`),
      },
    }],
    contexts: [{ name: "test", context: { cluster: "test", user: name } }],
  });
}
