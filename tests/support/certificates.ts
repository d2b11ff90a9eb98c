/** Certificates made by `openssl` for one test: an authority, servers of it and a client of it. */
import { permitted } from "./permitted.ts";

/** Whether there is an `openssl`. */
export const opensslAvailable: boolean = permitted && (() => {
  try {
    return new Deno.Command("openssl", { args: ["version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
})();

/** A certificate with its key, in PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** What {@linkcode makeCertificates} makes. */
export interface Certificates {
  /** The authority's certificate, which is what a client has to trust. */
  readonly authority: string;
  /** For `localhost` and 127.0.0.1. */
  readonly server: CertificatePair;
  /** The same, but it has expired. */
  readonly expired: CertificatePair;
  /** For `other.example`. */
  readonly otherName: CertificatePair;
  /** For a client, named `reader`. */
  readonly client: CertificatePair;
}

/** Makes them: a few keys, a second or less. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await Deno.makeTempDir({ prefix: "certificates-" });
  const openssl = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", {
      args,
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  };
  const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const issue = async (name: string, extensions: string, days: string): Promise<CertificatePair> => {
    await Deno.writeTextFile(`${folder}/${name}.ext`, extensions);
    await openssl("req", ...newKey, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    await openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-out", `${name}.crt`, "-days", days],
      ...["-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial", "-extfile", `${name}.ext`],
    );
    return { cert: await read(`${name}.crt`), key: await read(`${name}.key`) };
  };
  try {
    await openssl(
      ...["req", "-x509", ...newKey, "-days", "30", "-subj", "/CN=an authority of the tests"],
      ...["-keyout", "authority.key", "-out", "authority.crt"],
    );
    const local = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
    return {
      authority: await read("authority.crt"),
      server: await issue("server", local, "30"),
      expired: await issue("expired", local, "-1"),
      otherName: await issue(
        "other",
        "subjectAltName=DNS:other.example\nextendedKeyUsage=serverAuth\n",
        "30",
      ),
      client: await issue("reader", "extendedKeyUsage=clientAuth\n", "30"),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
